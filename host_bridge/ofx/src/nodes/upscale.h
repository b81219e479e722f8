// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "nodes/node.h"

namespace understudy {

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

}  // namespace understudy
