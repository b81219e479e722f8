// SPDX-License-Identifier: Apache-2.0
// Understudy Relight: a sun and a sky as knobs, or any rig from a lights file.
#include "nodes/node.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "wire/json.h"

namespace understudy {
namespace {

constexpr size_t kLongestRig = 200u << 10;

// Further inputs: the role's name for each, and its channels.
struct Aov {
  const char *clip, *plate;
  std::vector<std::string> channels;
  bool data;  // no color
};

const std::vector<Aov> &aovs() {
  static const std::vector<Aov> all = {{"Normal", "normal", {"X", "Y", "Z"}, true},
                                       {"Albedo", "albedo", {"R", "G", "B"}, false},
                                       {"Position", "position", {"X", "Y", "Z"}, true}};
  return all;
}

std::string read_rig(const std::string &path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(kLongestRig + 1, '\0');
  const ssize_t size = file.get() < 0 ? -1 : read(file.get(), text.data(), text.size());
  if (size < 0) throw Trouble{"MissingFileError", "the lights file can't be read", path, "name a lights document (understudy.lights/1)"};
  text.resize(static_cast<size_t>(size));
  try {
    if (text.size() > kLongestRig || Json::parse(text).kind != Json::kObject) throw malformed("");
  } catch (const Trouble &) {
    throw Trouble{"UsageError", "the lights file is no JSON object of at most 200 kB", path, "name a lights document (understudy.lights/1)"};
  }
  return text;
}

std::string list(const std::array<double, 3> &values) {
  return "[" + json_number(values[0]) + "," + json_number(values[1]) + "," + json_number(values[2]) + "]";
}

std::string rig_json(const Effect &effect, double time) {
  const std::string file = effect.text("lightsFile", time);
  if (!file.empty()) return read_rig(file);
  const auto light = [&](const char *type, const std::string &prefix, const std::string &more) {
    return std::string("{\"name\":") + json_text(prefix) + ",\"type\":" + json_text(type) + more + ",\"color\":" +
           list(effect.triple(prefix + "Color", time)) + ",\"intensity\":" + json_number(effect.real(prefix + "Intensity", time)) + "}";
  };
  return "{\"schema\":\"understudy.lights/1\",\"lights\":[" +
         light("directional", "sun", ",\"direction\":" + list(effect.triple("sunDirection", time))) + "," + light("ambient", "sky", "") + "]}";
}

class Relight : public Node {
 public:
  const char *id() const override { return "org.understudy.Relight"; }
  const char *label() const override { return "Understudy Relight"; }
  const char *description() const override {
    return "New light on a picture: from its AOVs where they are given, else from normals that the pack estimates.";
  }
  void describe(Definer &definer, const std::string &context) const override;
  std::vector<const PackKnobs *> packs() const override;
  void render(RenderJob &job) const override;

 private:
  const PackKnobs &knobs() const;
};

}  // namespace

const PackKnobs &Relight::knobs() const {
  static const PackKnobs one("pack", "relight", "Pack", "shaded-solids");
  return one;
}

void Relight::describe(Definer &definer, const std::string &context) const {
  const std::vector<const char *> color = {ofx::component::kRgba, ofx::component::kRgb};
  definer.clip(ofx::clip::kSource, "Source", {false, false, false, color});
  if (context == ofx::context::kGeneral)
    for (const Aov &aov : aovs()) definer.clip(aov.clip, aov.clip, {true, false, false, color});
  definer.clip(ofx::clip::kOutput, "Output", {false, false, false, color});
  definer.group("lightGroup", "Light", true);
  definer.triple("OfxParamTypeDouble3D", "sunDirection", "Sun direction", 0.6, 0.7, 0.4,
                 "From the surface to the light: x right, y up, z toward the camera.");
  definer.triple(ofx::param::kRgb, "sunColor", "Sun color", 1, 1, 1, "Scene-linear, in the input's color space.");
  definer.number<double>("sunIntensity", "Sun intensity", 3, 0, 1000, "Multiplies its color.");
  definer.triple(ofx::param::kRgb, "skyColor", "Sky color", 1, 1, 1, "The same light from everywhere.");
  definer.number<double>("skyIntensity", "Sky intensity", 0.3, 0, 1000, "Multiplies its color.");
  definer.text("lightsFile", "Lights file", "", "A lights document (understudy.lights/1) instead of the knobs above.")
      .set(ofx::param::kStringMode, "OfxParamStringIsFilePath");
  definer.choice("method", "Method", 0, {"auto", "aov", "ratio"},
                 "auto shades the AOVs where albedo and normal are given; ratio multiplies the picture by new light over present light.");
  definer.number<double>("limitStops", "Limit", 3, 0.01, 16, "The ratio stays within so many stops, up and down.");
  knobs().define(definer);
  define_common(definer, {"Off", "In alpha", "As the picture"});
}

std::vector<const PackKnobs *> Relight::packs() const { return {&knobs()}; }

void Relight::render(RenderJob &job) const {
  const Effect &effect = job.effect;
  const Clip clip = effect.clip(ofx::clip::kSource);
  const Confidence confidence = job.confidence();
  Image output = job.output();
  std::vector<Image> images;
  images.push_back(job.source(clip, job.time));
  const Format format = format_of(effect, images[0], job.scale_x, job.scale_y);
  const std::string space = job.colorspace(clip);
  std::vector<Plate> plates = {{head_of(images[0], format, "plate", static_cast<int64_t>(std::floor(job.time)), space, "Y"), nullptr}};
  for (const Aov &aov : aovs()) {
    const Clip extra = effect.clip(aov.clip);
    if (!extra.connected()) continue;
    images.push_back(job.source(extra, job.time));
    Plate plate{head_of(images.back(), format, aov.plate, static_cast<int64_t>(std::floor(job.time)), aov.data ? "Raw" : job.colorspace(extra), "Y"), nullptr};
    std::copy_n(aov.channels.begin(), std::min(aov.channels.size(), plate.head.channels.size()), plate.head.channels.begin());
    plates.push_back(std::move(plate));
  }

  job.with_service([&](Connection &connection) {
    size_t bytes = 0;
    for (const Plate &plate : plates) bytes += aligned(plate.head.size());
    const size_t result = plates[0].head.size() / plates[0].head.channels.size() * (plates[0].head.channels.size() + 1);
    Arena arena(connection, bytes + aligned(result), job.patience);
    std::vector<const Plate *> sent;
    for (size_t i = 0; i < plates.size(); ++i) {
      arena.place(plates[i]);
      fill(plates[i], images[i]);
      sent.push_back(&plates[i]);
    }
    static const char *const methods[] = {"auto", "aov", "ratio"};
    const int method = std::clamp(effect.integer("method", job.time), 0, 2);
    const std::string params = "{\"role\":\"relight\"," + job.common_params(knobs()) + ",\"method\":" + json_text(methods[method]) +
                               ",\"lights\":" + rig_json(effect, job.time) + ",\"limit_stops\":" +
                               json_number(effect.real("limitStops", job.time)) +
                               (confidence == Confidence::kOff ? "" : ",\"passes\":[\"confidence\"]") + "}";
    const RunResult relit = run(arena, {"relight", knobs().pin(effect), params, job.ocio_config()}, sent, job.patience);
    const Plate &picture = relit.plate("plate");
    std::vector<Shown> channels = picture_channels(picture, output.components);
    const Shown trust = Shown::of(picture, "confidence.Y", 1);
    if (confidence == Confidence::kPicture) channels = std::vector<Shown>(4, trust);
    if (confidence == Confidence::kAlpha && output.components != 3) channels.back() = trust;
    write(output, job.window, channels, format.top);
  });
}

const Node &relight_node() {
  static const Relight one;
  return one;
}

}  // namespace understudy
