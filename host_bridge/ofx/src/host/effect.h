// SPDX-License-Identifier: Apache-2.0
// An effect of the host: its clips, images, parameters and messages.
#pragma once

#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "host/host.h"
#include "images/samples.h"

namespace understudy {

// An image of a clip, released with its owner.
class Image {
 public:
  explicit Image(OfxPropertySetHandle handle);
  Image(Image &&other) noexcept;
  Image &operator=(Image &&) = delete;
  ~Image();

  char *row(int y) const;  // of the picture's own coordinates: y runs up
  int width() const { return bounds.x2 - bounds.x1; }
  int height() const { return bounds.y2 - bounds.y1; }

  OfxRectI bounds{};
  Depth depth = Depth::kFloat;
  int components = 0;  // 4, 3, or 1 for alpha
  bool premultiplied = true;
  double pixel_aspect = 1;

 private:
  OfxPropertySetHandle handle_;
  char *data_ = nullptr;
  int row_bytes_ = 0;
};

class Clip {
 public:
  Clip(OfxImageEffectHandle effect, const char *name);

  bool exists() const { return handle_ != nullptr; }
  bool connected() const;
  // The first and the last frame; nothing where the host does not say.
  std::optional<std::array<double, 2>> frames() const;
  std::optional<OfxRectD> region(const std::vector<double> &times) const;  // that holds those of all times
  std::optional<Image> image(double time) const;  // nothing where the clip has none at that time
  std::string colorspace() const;  // as the host names it; empty where it does not
  std::string components() const;

 private:
  OfxImageClipHandle handle_ = nullptr;
  OfxPropertySetHandle properties_ = nullptr;
};

// What the plug-in keeps with an instance.
struct InstanceData {
  std::string context;
  std::atomic<bool> told{false};  // a message stands on the node
};

class Effect {
 public:
  explicit Effect(OfxImageEffectHandle handle) : handle_(handle) {}

  OfxImageEffectHandle handle() const { return handle_; }
  Properties properties() const;
  Clip clip(const char *name) const { return Clip(handle_, name); }
  InstanceData *data() const;
  bool aborted() const { return host().effect->abort(handle_) != 0; }

  bool has(const std::string &param) const;
  std::string text(const std::string &param, double time = 0) const;
  double real(const std::string &param, double time) const;
  int integer(const std::string &param, double time) const;  // also choices and booleans
  std::array<double, 3> triple(const std::string &param, double time) const;
  void set(const std::string &param, const std::string &value) const;
  std::optional<Properties> param_properties(const std::string &param) const;

  void tell(const char *type, const std::string &text) const;  // stays on the node where the host can do that
  void untell() const;

 private:
  template <typename... Into>
  void read(const std::string &name, double time, Into... into) const;
  OfxParamHandle param(const std::string &name) const;
  OfxImageEffectHandle handle_;
};

}  // namespace understudy
