// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "nodes/node.h"

namespace understudy {

// What the motion role says of two neighbors: forward vectors of the first, backward vectors of the second.
struct MotionPair {
  Plate forward, backward;
};

MotionPair find_motion(Arena &arena, const RenderJob &job, const PackKnobs &knobs, const Plate &first, const Plate &second,
                       Patience &patience);

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

}  // namespace understudy
