// SPDX-License-Identifier: Apache-2.0
// Understudy Motion: vectors to the next and from the previous frame, in pixels of the image, u right and v up.
#include "nodes/motion.h"

#include <algorithm>

namespace understudy {
namespace {

constexpr const char *kShowParam = "show";
enum Show { kBoth = 0, kForward = 1, kBackward = 2, kDoubt = 3 };

class Motion : public Node {
 public:
  const char *id() const override { return "org.understudy.Motion"; }
  const char *label() const override { return "Understudy Motion"; }
  const char *description() const override {
    return "Motion vectors to the next and the previous frame, with their confidence.";
  }
  bool temporal() const override { return true; }
  bool fixed_output() const override { return true; }
  void describe(Definer &definer, const std::string &context) const override;
  std::vector<const PackKnobs *> packs() const override;
  std::vector<double> frames(const Effect &effect, double time) const override;
  void render(RenderJob &job) const override;

 private:
  const PackKnobs &knobs() const;
};

}  // namespace

MotionPair find_motion(Arena &arena, const RenderJob &job, const PackKnobs &knobs, const Plate &first, const Plate &second,
                       Patience &patience) {
  Plate a = first, b = second;
  a.head.name = "a";
  b.head.name = "b";
  const std::string params = "{\"role\":\"motion\"," + job.common_params(knobs) + "}";
  const RunResult result = run(arena, {"motion", knobs.pin(job.effect), params, job.ocio_config()}, {&a, &b}, patience);
  return {result.plate("a"), result.plate("b")};
}

const PackKnobs &Motion::knobs() const {
  static const PackKnobs one("pack", "motion", "Pack", "dis-good");
  return one;
}

void Motion::describe(Definer &definer, const std::string &) const {
  definer.clip(ofx::clip::kSource, "Source", {false, false, true});
  definer.clip(ofx::clip::kOutput, "Output", {false, false, false, {ofx::component::kRgba}});
  definer.choice(kShowParam, "Output", 0,
                 {"Forward and backward", "Forward, confidence, occlusion", "Backward, confidence, occlusion", "Confidence"},
                 "Red and green, blue and alpha: forward u, v (to the next frame) and backward u, v (to the previous one), in pixels.");
  knobs().define(definer);
  define_common(definer, {});
}

std::vector<const PackKnobs *> Motion::packs() const { return {&knobs()}; }

std::vector<double> Motion::frames(const Effect &effect, double time) const {
  const int show = effect.integer(kShowParam, time);
  const auto range = effect.clip(ofx::clip::kSource).frames();
  std::vector<double> frames;
  for (const double frame : {time - 1, time, time + 1}) {
    if (range && frame != time && (frame < (*range)[0] || frame > (*range)[1])) continue;
    if ((frame < time && show == kForward) || (frame > time && show == kBackward)) continue;
    frames.push_back(frame);
  }
  return frames;
}

void Motion::render(RenderJob &job) const {
  const Clip clip = job.effect.clip(ofx::clip::kSource);
  Image output = job.output();
  if (output.depth == Depth::kByte || output.depth == Depth::kShort)
    throw Trouble{"UsageError", "vectors don't fit an 8 or 16 bit image", "", "work in float or half"};
  const Image here = job.source(clip, job.time);
  const std::vector<double> frames = this->frames(job.effect, job.time);
  std::optional<Image> before, after;
  for (const double frame : frames) {
    // A host may have less than it says; a direction without a frame is zero, with confidence 0.
    if (frame == job.time) continue;
    if (std::optional<Image> image = clip.image(frame)) (frame < job.time ? before : after).emplace(std::move(*image));
  }
  const Format format = format_of(job.effect, here, job.scale_x, job.scale_y);
  const std::string space = job.colorspace(clip);

  job.with_service([&](Connection &connection) {
    const auto describe = [&](const Image &image, double frame) {
      return Plate{head_of(image, format, "plate", static_cast<int64_t>(frame), space, "Y"), nullptr};
    };
    Plate plates[3] = {describe(here, job.time), {}, {}};
    if (before) plates[1] = describe(*before, job.time - 1);
    if (after) plates[2] = describe(*after, job.time + 1);
    size_t bytes = 0;
    for (const Plate &plate : plates) {
      if (plate.head.channels.empty()) continue;
      const size_t size = plate.head.size();
      bytes += aligned(size) + 3 * aligned(4 * size / plate.head.channels.size());  // two results of four channels a pair
    }
    Arena arena(connection, bytes, job.patience);
    const auto load = [&](Plate &plate, const Image &image) {
      arena.place(plate);
      fill(plate, image);
    };
    load(plates[0], here);
    if (before) load(plates[1], *before);
    if (after) load(plates[2], *after);

    Plate forward, backward;
    if (after) forward = find_motion(arena, job, knobs(), plates[0], plates[2], job.patience).forward;
    if (before) backward = find_motion(arena, job, knobs(), plates[1], plates[0], job.patience).backward;
    const int show = job.effect.integer(kShowParam, job.time);
    std::vector<Shown> channels;
    if (show == kBoth) {
      for (const char *name : {"forward.u", "forward.v"}) channels.push_back(Shown::of(forward, name));
      for (const char *name : {"backward.u", "backward.v"}) channels.push_back(Shown::of(backward, name));
    } else if (show == kForward) {
      for (const char *name : {"forward.u", "forward.v", "confidence.Y", "occlusion.Y"}) channels.push_back(Shown::of(forward, name));
    } else if (show == kBackward) {
      for (const char *name : {"backward.u", "backward.v", "confidence.Y", "occlusion.Y"}) channels.push_back(Shown::of(backward, name));
    } else {
      // The lower of the two, as the command line has it; a direction that has no frame does not count.
      Plate &both = forward.pixels != nullptr ? forward : backward;
      const Shown doubt = Shown::of(both, "confidence.Y"), other = Shown::of(backward, "confidence.Y");
      if (forward.pixels != nullptr && backward.pixels != nullptr && both.head.size() == backward.head.size()) {
        const size_t step = both.head.channels.size(), count = both.head.size() / sizeof(float) / step;
        for (size_t i = 0; i < count; ++i) {
          float &value = both.pixels[i * step + static_cast<size_t>(doubt.index)];
          value = std::min(value, backward.pixels[i * step + static_cast<size_t>(other.index)]);
        }
      }
      channels = {doubt, doubt, doubt, {nullptr, 0, 1}};
    }
    write(output, job.window, channels, format.top);
  });
}

const Node &motion_node() {
  static const Motion one;
  return one;
}

}  // namespace understudy
