// SPDX-License-Identifier: Apache-2.0
// Understudy Upscale: the output is larger than the input, which the host learns from the region of definition.
#include "nodes/node.h"

#include <cmath>

#include "wire/json.h"

namespace understudy {
namespace {

constexpr const char *kScaleParam = "scale";

class Upscale : public Node {
 public:
  const char *id() const override { return "org.understudy.Upscale"; }
  const char *label() const override { return "Understudy Upscale"; }
  const char *description() const override { return "A larger picture: every channel, and the frame with it."; }
  void describe(Definer &definer, const std::string &context) const override;
  std::vector<const PackKnobs *> packs() const override;
  std::optional<OfxRectD> region(const Effect &effect, double time) const override;
  void render(RenderJob &job) const override;

 private:
  const PackKnobs &knobs() const;
};

}  // namespace

const PackKnobs &Upscale::knobs() const {
  static const PackKnobs one("pack", "upscale", "Pack", "leaves-small");
  return one;
}

void Upscale::describe(Definer &definer, const std::string &) const {
  definer.clip(ofx::clip::kSource, "Source", {});
  definer.clip(ofx::clip::kOutput, "Output", {});
  definer.number<double>(kScaleParam, "Scale", 2, 1.0 / 32, 32, "Factor on both axes.").set(ofx::param::kAnimates, false);
  knobs().define(definer);
  define_common(definer, {"Off", "In alpha", "As the picture"});
}

std::vector<const PackKnobs *> Upscale::packs() const { return {&knobs()}; }

std::optional<OfxRectD> Upscale::region(const Effect &effect, double time) const {
  auto region = effect.clip(ofx::clip::kSource).region({time});
  if (!region) return {};
  const double scale = effect.real(kScaleParam, time);
  return OfxRectD{region->x1 * scale, region->y1 * scale, region->x2 * scale, region->y2 * scale};
}

void Upscale::render(RenderJob &job) const {
  const Clip clip = job.effect.clip(ofx::clip::kSource);
  const double scale = job.effect.real(kScaleParam, job.time);
  if (!host().multi_resolution && scale != 1)
    throw Trouble{"UsageError", "this host keeps all pictures at one size, so nothing can be enlarged here", "",
                  "upscale with the understudy command instead"};
  const Confidence confidence = job.confidence();
  Image output = job.output();
  const Image source = job.source(clip, job.time);
  const Format format = format_of(job.effect, source, job.scale_x, job.scale_y);

  job.with_service([&](Connection &connection) {
    Plate plate{head_of(source, format, "plate", static_cast<int64_t>(std::floor(job.time)), job.colorspace(clip), "A"), nullptr};
    const double sides = std::ceil(plate.head.data.width * scale + 2) * std::ceil(plate.head.data.height * scale + 2);
    const auto result_bytes = static_cast<size_t>(sides * 4 * static_cast<double>(plate.head.channels.size() + 1));
    Arena arena(connection, aligned(plate.head.size()) + aligned(result_bytes), job.patience);
    arena.place(plate);
    fill(plate, source);
    const bool doubt = confidence != Confidence::kOff && scale > 1;
    const std::string params = "{\"role\":\"upscale\"," + job.common_params(knobs()) + ",\"scale\":" + json_text(rational(scale)) +
                               ",\"confidence\":" + (doubt ? "true" : "false") + "}";
    const RunResult result = run(arena, {"upscale", knobs().pin(job.effect), params, job.ocio_config()}, {&plate}, job.patience);
    const Plate &picture = result.plate("plate");
    std::vector<Shown> channels = picture_channels(picture, output.components);
    const Shown trust = Shown::of(picture, "confidence.Y", 1);
    if (confidence == Confidence::kPicture) channels = std::vector<Shown>(4, trust);
    if (confidence == Confidence::kAlpha && output.components != 3) channels.back() = trust;
    write(output, job.window, channels, static_cast<int>(std::ceil(format.top * scale - 1e-9)));
  });
}

const Node &upscale_node() {
  static const Upscale one;
  return one;
}

}  // namespace understudy
