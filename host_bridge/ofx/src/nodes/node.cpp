// SPDX-License-Identifier: Apache-2.0
#include "nodes/node.h"

#include <poll.h>

#include <cmath>

#include "wire/json.h"

namespace understudy {
namespace {

constexpr int kBusyTries = 30;
constexpr int kBusyPolls = 20;  // of 50 ms

}  // namespace

RenderJob::RenderJob(const Effect &given, double at, const OfxRectI &area, double x, double y)
    : effect(given), time(at), window(area), scale_x(x), scale_y(y), patience([this] { return effect.aborted(); }) {}

Image RenderJob::source(const Clip &clip, double frame) const {
  std::optional<Image> image = clip.image(frame);
  if (!image) {
    if (effect.aborted()) throw Aborted{};
    throw Trouble{"InputError", "the host gives no image of frame " + json_number(frame), "", "is the input connected there?"};
  }
  return std::move(*image);
}

Image RenderJob::output() const {
  std::optional<Image> image = effect.clip(ofx::clip::kOutput).image(time);
  if (!image) {
    if (effect.aborted()) throw Aborted{};
    throw Trouble{"OutputError", "the host gives no image to render into", "", ""};
  }
  return std::move(*image);
}

std::string RenderJob::colorspace(const Clip &clip) const {
  const std::string named = clip.colorspace();
  if (!named.empty() && named != ofx::color::kAnySceneLinear) return named;
  const std::string declared = effect.text(kColorspaceParam, time);
  return declared.empty() ? ofx::color::kAcescg : declared;
}

std::string RenderJob::ocio_config() const {
  const Properties own = effect.properties();
  const std::string style = own.text(ofx::color::kStyle);
  return style.find("OCIO") == std::string::npos ? "" : own.text("OfxImageEffectPropOCIOConfig");
}

Confidence RenderJob::confidence() const { return static_cast<Confidence>(effect.integer(kConfidenceParam, time)); }

std::string RenderJob::common_params(const PackKnobs &knobs) const {
  return std::string("\"draft\":") + (draft() ? "true" : "false") + ",\"options\":" + knobs.options_json(effect, time);
}

void RenderJob::with_service(const std::function<void(Connection &)> &work) {
  const Target target = target_of(effect.text(kServerParam));
  bool started = false, again = false;
  for (int busy = 0;;) {
    bool stale = false;
    try {
      Lease lease(target.address, patience);
      stale = lease->used;
      work(*lease);
      lease.keep();
      return;
    } catch (const Trouble &trouble) {
      if (trouble.kind == "Unreachable" && target.own && !started) {
        start_own_service(target.address, patience);
        started = true;
      } else if (trouble.kind == "ConnectionLost" && stale && !again) {
        again = true;  // it broke while nobody looked, as a service does that ended
      } else if ((trouble.kind == "BusyError" || (target.own && trouble.kind == "UnavailableError")) && ++busy < kBusyTries) {
        // It is full, or about to end because it was idle.
        for (int i = 0; i < kBusyPolls; ++i) {
          patience.check();
          poll(nullptr, 0, Patience::kPollMs);
        }
      } else {
        throw;
      }
    }
  }
}

std::vector<double> Node::frames(const Effect &, double time) const { return {time}; }

std::optional<double> Node::identity(const Effect &, double) const { return {}; }

std::optional<OfxRectD> Node::region(const Effect &, double) const { return {}; }

void define_common(Definer &definer, const std::vector<std::string> &confidence_choices) {
  if (!confidence_choices.empty())
    definer.choice(kConfidenceParam, "Confidence", 0, confidence_choices,
                   "How far the result may be trusted, 0 to 1, pixel by pixel: not shown, in the alpha channel, or as the picture.");
  definer.group("serviceGroup", "Service and color", false);
  definer.truth(kDraftParam, "Draft", false, "Prefer speed.");
  definer.text(kColorspaceParam, "Input color space", ofx::color::kAcescg,
               "The scene-linear color space of the input, where the host does not tell it: a name of the service's OCIO config.");
  definer.text(kServerParam, "Service", "",
               "unix:path or 127.0.0.1:port of a running Understudy service. Empty: UNDERSTUDY_SERVER, else one that starts when needed.");
}

std::string rational(double value) {
  for (int under = 1; under <= 1000; ++under) {
    const double over = std::round(value * under);
    if (std::fabs(value - over / under) < 1e-9 * std::max(1.0, std::fabs(value)))
      return json_number(over) + (under == 1 ? "" : "/" + std::to_string(under));
  }
  return json_number(value);
}

}  // namespace understudy
