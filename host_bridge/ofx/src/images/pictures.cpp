// SPDX-License-Identifier: Apache-2.0
#include "images/pictures.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace understudy {
namespace {

std::vector<std::string> names_of(int components, const char *lone) {
  if (components == 4) return {"R", "G", "B", "A"};
  if (components == 3) return {"R", "G", "B"};
  return {lone};
}

OfxRectI overlap(const OfxRectI &a, const OfxRectI &b) {
  return {std::max(a.x1, b.x1), std::max(a.y1, b.y1), std::min(a.x2, b.x2), std::min(a.y2, b.y2)};
}

}  // namespace

Format format_of(const Effect &effect, const Image &image, double scale_x, double scale_y) {
  double size[2] = {}, offset[2] = {};
  const Properties own = effect.properties();
  if (!own.reals("OfxImageEffectPropProjectSize", size, 2) || size[0] <= 0 || size[1] <= 0)
    return {image.bounds.x1, image.bounds.x2, image.bounds.y1, image.bounds.y2};
  own.reals("OfxImageEffectPropProjectOffset", offset, 2);
  const double wide = scale_x / (image.pixel_aspect > 0 ? image.pixel_aspect : 1);
  const auto whole = [](double value) { return static_cast<int>(std::lround(value)); };
  return {whole(offset[0] * wide), whole((offset[0] + size[0]) * wide), whole(offset[1] * scale_y),
          whole((offset[1] + size[1]) * scale_y)};
}

PlateHead head_of(const Image &image, const Format &format, const std::string &name, int64_t frame,
                  const std::string &colorspace, const char *lone) {
  PlateHead head;
  head.name = name;
  head.channels = names_of(image.components, lone);
  head.data = {image.bounds.x1, format.top - image.bounds.y2, static_cast<uint32_t>(image.width()),
               static_cast<uint32_t>(image.height())};
  head.display = {format.left, 0, static_cast<uint32_t>(format.right - format.left),
                  static_cast<uint32_t>(format.top - format.bottom)};
  head.pixel_aspect = image.pixel_aspect;
  head.frame = frame;
  head.colorspace = colorspace;
  head.premultiplied = image.premultiplied;
  return head;
}

void fill(Plate &plate, const Image &image) {
  const auto row_samples = static_cast<size_t>(image.width()) * static_cast<size_t>(image.components);
  Replaced replaced;
  float *to = plate.pixels;
  for (int y = image.bounds.y2 - 1; y >= image.bounds.y1; --y, to += row_samples)
    to_float(image.depth, image.row(y), to, row_samples, replaced);
  plate.head.nans = replaced.nans;
  plate.head.infinities = replaced.infinities;
}

Shown Shown::of(const Plate &plate, const std::string &name, float otherwise) {
  const auto &names = plate.head.channels;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return {nullptr, 0, otherwise};
  return {&plate, static_cast<int>(found - names.begin()), otherwise};
}

void write(Image &output, const OfxRectI &window, const std::vector<Shown> &channels, int top) {
  const OfxRectI area = overlap(window, output.bounds);
  if (area.x2 <= area.x1) return;
  const auto count = static_cast<size_t>(output.components);
  const auto width = static_cast<size_t>(area.x2 - area.x1);
  std::vector<float> line(width * count);
  for (int y = area.y1; y < area.y2; ++y) {
    for (size_t c = 0; c < count; ++c) {
      const Shown channel = c < channels.size() ? channels[c] : Shown{};
      float *to = line.data() + c;
      const Plate *plate = channel.plate;
      const int row = plate == nullptr ? 0 : top - 1 - y - plate->head.data.y;
      const bool inside = plate != nullptr && row >= 0 && row < static_cast<int>(plate->head.data.height);
      // Beyond a picture there is nothing; a channel that the picture does not have is its stand-in everywhere.
      const float empty = plate == nullptr ? channel.otherwise : 0.0f;
      const int left = inside ? std::clamp(plate->head.data.x, area.x1, area.x2) : area.x2;
      const int right = inside ? std::clamp(plate->head.data.x + static_cast<int>(plate->head.data.width), left, area.x2) : area.x2;
      for (int x = area.x1; x < left; ++x, to += count) *to = empty;
      if (inside) {
        const size_t step = plate->head.channels.size();
        const float *from = plate->pixels + static_cast<size_t>(channel.index) +
                            step * (static_cast<size_t>(row) * plate->head.data.width + static_cast<size_t>(left - plate->head.data.x));
        for (int x = left; x < right; ++x, to += count, from += step) *to = *from;
      }
      for (int x = right; x < area.x2; ++x, to += count) *to = empty;
    }
    from_float(output.depth, line.data(), output.row(y) + static_cast<size_t>(area.x1 - output.bounds.x1) * count * bytes_of(output.depth),
               line.size());
  }
}

std::vector<Shown> picture_channels(const Plate &plate, int components) {
  if (plate.head.channels.empty()) return {};
  const bool color = Shown::of(plate, "R").plate != nullptr;
  if (components == 1) {
    if (!color) return {{&plate, 0, 0}};
    return {Shown::of(plate, "A", 1)};
  }
  std::vector<Shown> channels;
  for (const char *name : {"R", "G", "B"}) channels.push_back(color ? Shown::of(plate, name) : Shown{&plate, 0, 0});
  if (components == 4) channels.push_back(Shown::of(plate, "A", 1));
  return channels;
}

void copy(const Image &source, Image &output, const OfxRectI &window, float alpha_instead, bool replace_alpha) {
  Plate plate;
  const Format format{source.bounds.x1, source.bounds.x2, source.bounds.y1, source.bounds.y2};
  plate.head = head_of(source, format, "plate", 0, "", "A");
  std::vector<float> pixels(plate.head.size() / sizeof(float));
  plate.pixels = pixels.data();
  fill(plate, source);
  std::vector<Shown> channels = picture_channels(plate, output.components);
  if (replace_alpha && output.components != 3) channels.back() = Shown{nullptr, 0, alpha_instead};
  write(output, window, channels, format.top);
}

}  // namespace understudy
