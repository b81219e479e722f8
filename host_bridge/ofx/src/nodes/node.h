// SPDX-License-Identifier: Apache-2.0
// What the four nodes have in common. A node is one object per process and keeps nothing of an instance, so that the host
// may render from any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/definer.h"
#include "host/effect.h"
#include "images/pictures.h"
#include "nodes/pack_knobs.h"
#include "service/local_service.h"

namespace understudy {

constexpr const char *kServerParam = "server";
constexpr const char *kColorspaceParam = "colorspace";
constexpr const char *kDraftParam = "draft";
constexpr const char *kConfidenceParam = "confidence";

// What becomes of the confidence.
enum class Confidence { kOff = 0, kAlpha = 1, kPicture = 2 };

// One render that a host asks for.
struct RenderJob {
  RenderJob(const Effect &effect, double time, const OfxRectI &window, double scale_x, double scale_y);

  const Effect &effect;
  double time;
  OfxRectI window;
  double scale_x, scale_y;
  Patience patience;

  Image source(const Clip &clip, double frame) const;  // throws Trouble where there is none
  Image output() const;
  // Of a clip: as the host names it, else as the parameter declares it.
  std::string colorspace(const Clip &clip) const;
  std::string ocio_config() const;
  Confidence confidence() const;
  bool draft() const { return effect.integer(kDraftParam, time) != 0; }
  std::string common_params(const PackKnobs &knobs) const;  // JSON members, to begin an object with

  // Runs `work` on a connection to the service, which is started where it is the user's own. A connection that had gone
  // stale, and a service that is full, are tried again.
  void with_service(const std::function<void(Connection &)> &work);
};

class Node {
 public:
  virtual ~Node() = default;
  virtual const char *id() const = 0;
  virtual const char *label() const = 0;
  virtual const char *description() const = 0;
  virtual bool temporal() const { return false; }
  virtual bool retimes() const { return false; }

  virtual void describe(Definer &definer, const std::string &context) const = 0;
  virtual std::vector<const PackKnobs *> packs() const = 0;

  // Frames of the source that the picture at `time` is made of.
  virtual std::vector<double> frames(const Effect &effect, double time) const;
  // The frame of the source that stands for the picture, where one does.
  virtual std::optional<double> identity(const Effect &effect, double time) const;
  virtual std::optional<OfxRectD> region(const Effect &effect, double time) const;
  virtual bool fixed_output() const { return false; }  // RGBA whatever comes in
  virtual void render(RenderJob &job) const = 0;
};

// The four.
const Node &motion_node();
const Node &retime_node();
const Node &upscale_node();
const Node &relight_node();

// Parameters that every node has.
void define_common(Definer &definer, const std::vector<std::string> &confidence_choices);

// The nearest fraction of small numbers where the value is one, such as "1/3"; else the decimal.
std::string rational(double value);

}  // namespace understudy
