// SPDX-License-Identifier: Apache-2.0
#include "host/effect.h"

#include <algorithm>

#include "wire/trouble.h"

namespace understudy {

Image::Image(OfxPropertySetHandle handle) : handle_(handle) {
  const Properties own(handle);
  data_ = static_cast<char *>(own.pointer("OfxImagePropData"));
  row_bytes_ = own.integer("OfxImagePropRowBytes");
  int corners[4] = {};
  own.integers("OfxImagePropBounds", corners, 4);
  bounds = {corners[0], corners[1], corners[2], corners[3]};
  premultiplied = own.text("OfxImageEffectPropPreMultiplication") != "OfxImageAlphaUnPremultiplied";
  pixel_aspect = own.real("OfxImagePropPixelAspectRatio", 1);
  const std::string what = own.text(ofx::prop::kComponents);
  components = what == ofx::component::kRgba ? 4 : what == ofx::component::kRgb ? 3 : what == ofx::component::kAlpha ? 1 : 0;
  try {
    depth = depth_of(own.text("OfxImageEffectPropPixelDepth"));
    if (components == 0) throw Trouble{"InputError", "the host gives an image of unknown channels (" + what + ")", "", "use RGBA"};
    if (data_ == nullptr || width() <= 0 || height() <= 0) throw Trouble{"InputError", "the host gives an empty image", "", ""};
  } catch (...) {
    host().effect->clipReleaseImage(handle_);
    throw;
  }
}

Image::Image(Image &&other) noexcept
    : bounds(other.bounds), depth(other.depth), components(other.components), premultiplied(other.premultiplied),
      pixel_aspect(other.pixel_aspect), handle_(other.handle_), data_(other.data_), row_bytes_(other.row_bytes_) {
  other.handle_ = nullptr;
}

Image::~Image() {
  if (handle_ != nullptr) host().effect->clipReleaseImage(handle_);
}

char *Image::row(int y) const { return data_ + static_cast<ptrdiff_t>(y - bounds.y1) * row_bytes_; }

Clip::Clip(OfxImageEffectHandle effect, const char *name) {
  if (host().effect->clipGetHandle(effect, name, &handle_, &properties_) != kOfxStatOK) handle_ = nullptr;
  if (handle_ != nullptr && properties_ == nullptr) host().effect->clipGetPropertySet(handle_, &properties_);
}

bool Clip::connected() const {
  return exists() && Properties(properties_).integer("OfxImageClipPropConnected", 1) != 0;
}

std::optional<std::array<double, 2>> Clip::frames() const {
  std::array<double, 2> range{};
  if (!exists() || !Properties(properties_).reals("OfxImageEffectPropFrameRange", range.data(), 2) || range[1] < range[0]) return {};
  return range;
}

std::optional<OfxRectD> Clip::region(const std::vector<double> &times) const {
  std::optional<OfxRectD> all;
  for (const double time : times) {
    OfxRectD one{};
    if (!exists() || host().effect->clipGetRegionOfDefinition(handle_, time, &one) != kOfxStatOK) continue;
    if (!all) all = one;
    all = OfxRectD{std::min(all->x1, one.x1), std::min(all->y1, one.y1), std::max(all->x2, one.x2), std::max(all->y2, one.y2)};
  }
  return all;
}

std::optional<Image> Clip::image(double time) const {
  OfxPropertySetHandle image = nullptr;
  if (!exists() || host().effect->clipGetImage(handle_, time, nullptr, &image) != kOfxStatOK || image == nullptr) return {};
  return Image(image);
}

std::string Clip::colorspace() const { return exists() ? Properties(properties_).text(ofx::color::kColorspace) : ""; }

std::string Clip::components() const { return exists() ? Properties(properties_).text(ofx::prop::kComponents) : ""; }

Properties Effect::properties() const {
  OfxPropertySetHandle handle = nullptr;
  host().effect->getPropertySet(handle_, &handle);
  return Properties(handle);
}

InstanceData *Effect::data() const { return static_cast<InstanceData *>(properties().pointer(ofx::prop::kInstanceData)); }

OfxParamHandle Effect::param(const std::string &name) const {
  OfxParamSetHandle set = nullptr;
  OfxParamHandle found = nullptr;
  OfxPropertySetHandle properties = nullptr;
  if (host().effect->getParamSet(handle_, &set) != kOfxStatOK) return nullptr;
  return host().parameter->paramGetHandle(set, name.c_str(), &found, &properties) == kOfxStatOK ? found : nullptr;
}

bool Effect::has(const std::string &name) const { return param(name) != nullptr; }

// `into`: pointers to the values, as many as the parameter has. They stay as they are where it has none.
template <typename... Into>
void Effect::read(const std::string &name, double time, Into... into) const {
  const OfxParamHandle handle = param(name);
  if (handle != nullptr) host().parameter->paramGetValueAtTime(handle, time, into...);
}

std::string Effect::text(const std::string &name, double time) const {
  char *value = nullptr;
  read(name, time, &value);
  return value == nullptr ? "" : value;
}

double Effect::real(const std::string &name, double time) const {
  double value = 0;
  read(name, time, &value);
  return value;
}

int Effect::integer(const std::string &name, double time) const {
  int value = 0;
  read(name, time, &value);
  return value;
}

std::array<double, 3> Effect::triple(const std::string &name, double time) const {
  std::array<double, 3> value{};
  read(name, time, &value[0], &value[1], &value[2]);
  return value;
}

void Effect::set(const std::string &name, const std::string &value) const {
  const OfxParamHandle handle = param(name);
  if (handle != nullptr) host().parameter->paramSetValue(handle, value.c_str());
}

std::optional<Properties> Effect::param_properties(const std::string &name) const {
  OfxPropertySetHandle properties = nullptr;
  const OfxParamHandle handle = param(name);
  if (handle == nullptr || host().parameter->paramGetPropertySet(handle, &properties) != kOfxStatOK) return {};
  return Properties(properties);
}

void Effect::tell(const char *type, const std::string &text) const {
  const OfxMessageSuiteV2 *suite = host().message;
  if (suite == nullptr) return;
  if (host().message_version >= 2) {
    suite->setPersistentMessage(handle_, type, "understudy", "%s", text.c_str());
    if (InstanceData *own = data()) own->told = true;
  } else {
    suite->message(handle_, type, "understudy", "%s", text.c_str());
  }
}

void Effect::untell() const {
  InstanceData *own = data();
  if (own != nullptr && own->told.exchange(false)) host().message->clearPersistentMessage(handle_);
}

}  // namespace understudy
