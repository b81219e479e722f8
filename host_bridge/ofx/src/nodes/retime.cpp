// SPDX-License-Identifier: Apache-2.0
// Understudy Retime: a picture at any source time.
#include "nodes/node.h"

#include <algorithm>
#include <cmath>

#include "nodes/motion.h"
#include "wire/json.h"

namespace understudy {
namespace {

constexpr const char *kTimingParam = "timing";
constexpr const char *kSpeedParam = "speed";
constexpr const char *kSourceFrameParam = "sourceFrame";
constexpr const char *kCutsParam = "cuts";
constexpr double kSame = 1e-6;  // of a frame: closer than any shutter tells apart

struct Moment {
  double first;      // the frame at or before it
  double share;      // of the way to the next frame; 0 is the frame itself
};

// The source time of an output frame, held at the ends of the source.
Moment moment_of(const Effect &effect, double time) {
  const auto range = effect.clip(ofx::clip::kSource).frames();
  double source = time;
  if (effect.has(ofx::param::kSourceTime)) {
    source = effect.real(ofx::param::kSourceTime, time);
  } else if (effect.integer(kTimingParam, time) == 1) {
    source = effect.real(kSourceFrameParam, time);
  } else {
    const double first = range ? (*range)[0] : 0;
    source = first + (time - first) * effect.real(kSpeedParam, time);
  }
  if (range) source = std::clamp(source, (*range)[0], (*range)[1]);
  const double whole = std::floor(source + kSame);
  const double share = std::max(0.0, source - whole);
  return {whole, share < kSame ? 0 : share};
}

// R, G and B by A, the first four channels of a plate.
template <typename Scale>
void scale_color(const Plate &plate, Scale scale) {
  const size_t step = plate.head.channels.size(), samples = plate.head.size() / sizeof(float);
  for (float *pixel = plate.pixels; pixel < plate.pixels + samples; pixel += step)
    for (int c = 0; c < 3; ++c) pixel[c] = scale(pixel[c], pixel[3]);
}

// The frames after a cut that the user lists: a cut lies between `first` and the next frame.
bool is_listed(const std::string &cuts, double first) {
  size_t at = 0;
  while (at < cuts.size()) {
    const size_t end = std::min(cuts.find_first_of(", ;", at), cuts.size());
    if (end > at && std::strtod(cuts.substr(at, end - at).c_str(), nullptr) == first + 1) return true;
    at = end + 1;
  }
  return false;
}

class Retime : public Node {
 public:
  const char *id() const override { return "org.understudy.Retime"; }
  const char *label() const override { return "Understudy Retime"; }
  const char *description() const override {
    return "The picture at any time between two frames. At whole frames it is the source frame, untouched; nothing is blended across a cut.";
  }
  bool temporal() const override { return true; }
  bool retimes() const override { return true; }
  void describe(Definer &definer, const std::string &context) const override;
  std::vector<const PackKnobs *> packs() const override;
  std::vector<double> frames(const Effect &effect, double time) const override;
  std::optional<double> identity(const Effect &effect, double time) const override;
  std::optional<OfxRectD> region(const Effect &effect, double time) const override;
  void render(RenderJob &job) const override;

 private:
  const PackKnobs &knobs() const;
  const PackKnobs &motion_knobs() const;
};

}  // namespace

const PackKnobs &Retime::knobs() const {
  static const PackKnobs one("pack", "interpolate", "Pack", "flow-projection");
  return one;
}

const PackKnobs &Retime::motion_knobs() const {
  static const PackKnobs one("motionPack", "motion", "Motion pack", "dis-good");
  return one;
}

void Retime::describe(Definer &definer, const std::string &context) const {
  definer.clip(ofx::clip::kSource, "Source", {false, false, true});
  definer.clip(ofx::clip::kOutput, "Output", {});
  if (context == ofx::context::kRetimer) {
    definer.bare(ofx::param::kDouble, ofx::param::kSourceTime);
  } else {
    definer.choice(kTimingParam, "Timing", 0, {"Speed", "Source frame"}, "How the source time of a frame is given.");
    definer.number<double>(kSpeedParam, "Speed", 0.5, -100, 100, "From the first frame of the source on: 0.5 is half speed.")
        .set(ofx::param::kAnimates, false);
    definer.number<double>(kSourceFrameParam, "Source frame", 1, -1e6, 1e6, "The frame of the source to show, such as 1003.5; animate it.");
  }
  definer.text(kCutsParam, "Cuts", "auto", "auto finds cuts, none takes the source for one shot, or the first frame after each cut: 1012, 1040. "
               "Between the frames beside a cut the nearer one is held.");
  knobs().define(definer);
  motion_knobs().define(definer);
  define_common(definer, {"Off", "In alpha", "As the picture"});
}

std::vector<const PackKnobs *> Retime::packs() const { return {&knobs(), &motion_knobs()}; }

std::vector<double> Retime::frames(const Effect &effect, double time) const {
  const Moment moment = moment_of(effect, time);
  if (moment.share == 0) return {moment.first};
  return {moment.first, moment.first + 1};
}

std::optional<double> Retime::identity(const Effect &effect, double time) const {
  const Moment moment = moment_of(effect, time);
  if (moment.share != 0 || effect.integer(kConfidenceParam, time) != 0) return {};
  return moment.first;
}

std::optional<OfxRectD> Retime::region(const Effect &effect, double time) const {
  return effect.clip(ofx::clip::kSource).region(frames(effect, time));
}

void Retime::render(RenderJob &job) const {
  const Clip clip = job.effect.clip(ofx::clip::kSource);
  const Moment moment = moment_of(job.effect, job.time);
  const Confidence confidence = job.confidence();
  Image output = job.output();
  const Image first = job.source(clip, moment.first);
  const Format format = format_of(job.effect, first, job.scale_x, job.scale_y);

  // A source frame itself; what is held beside a cut is trusted not at all.
  const auto show_source = [&](const Image &image, float trust) {
    if (confidence == Confidence::kPicture) {
      write(output, job.window, std::vector<Shown>(4, Shown{nullptr, 0, trust}), format.top);
    } else {
      copy(image, output, job.window, trust, confidence == Confidence::kAlpha);
    }
  };
  if (moment.share == 0) return show_source(first, 1);
  const Image second = job.source(clip, moment.first + 1);

  const std::string cuts = job.effect.text(kCutsParam, job.time);
  const bool listed = is_listed(cuts, moment.first);
  if (listed) return show_source(moment.share > 0.5 ? second : first, 0);

  job.with_service([&](Connection &connection) {
    const std::string space = job.colorspace(clip);
    Plate a{head_of(first, format, "a", static_cast<int64_t>(moment.first), space, "Y"), nullptr};
    Plate b{head_of(second, format, "b", static_cast<int64_t>(moment.first) + 1, space, "Y"), nullptr};
    const size_t size = aligned(a.head.size()) + aligned(b.head.size());
    const size_t one = a.head.size() / a.head.channels.size() + b.head.size() / b.head.channels.size();  // a channel of both
    Arena arena(connection, size + aligned(4 * one) + aligned((a.head.channels.size() + 1) * one), job.patience);
    arena.place(a);
    arena.place(b);
    fill(a, first);
    fill(b, second);
    // Pictures are mixed with color that is premultiplied, as the command line reads every file.
    const bool divided = !first.premultiplied && a.head.channels.size() == 4;
    for (Plate *plate : {&a, &b}) {
      if (divided) scale_color(*plate, [](float color, float alpha) { return color * alpha; });
      plate->head.premultiplied = true;
    }
    // As the command line does: the motion first, then the picture from it.
    MotionPair motion = find_motion(arena, job, motion_knobs(), a, b, job.patience);
    motion.forward.head.name = "vectors_a";
    motion.backward.head.name = "vectors_b";
    for (Plate *vectors : {&motion.forward, &motion.backward}) {
      vectors->head.colorspace = "Raw";
      vectors->head.frame = vectors == &motion.forward ? a.head.frame : b.head.frame;
    }
    const std::string params = "{\"role\":\"interpolate\"," + job.common_params(knobs()) + ",\"find_cut\":" +
                               (cuts == "auto" ? "true" : "false") + ",\"outputs\":[[" + json_text(rational(moment.share)) + "]]}";
    const RunResult result = run(arena, {"interpolate", knobs().pin(job.effect), params, job.ocio_config()},
                                 {&a, &b, &motion.forward, &motion.backward}, job.patience);
    Plate picture = result.plate("0");
    if (divided) scale_color(picture, [](float color, float alpha) { return alpha > 0 ? color / alpha : color; });
    const Shown trust = Shown::of(picture, "confidence.Y", 0);  // a held frame has none
    std::vector<Shown> channels = picture_channels(picture, output.components);
    if (confidence == Confidence::kPicture) channels = std::vector<Shown>(4, trust);
    if (confidence == Confidence::kAlpha && output.components != 3) channels.back() = trust;
    write(output, job.window, channels, format.top);
  });
}

const Node &retime_node() {
  static const Retime one;
  return one;
}

}  // namespace understudy
