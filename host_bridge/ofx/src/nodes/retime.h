// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "nodes/node.h"

namespace understudy {

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

}  // namespace understudy
