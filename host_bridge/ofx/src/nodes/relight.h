// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "nodes/node.h"

namespace understudy {

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

}  // namespace understudy
