// SPDX-License-Identifier: Apache-2.0
// The choice of a pack and its knobs. The pack's id, version and digest are stored in text parameters, so that a script
// keeps them whether or not a service runs; the menu only fills the id in.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "host/definer.h"
#include "host/effect.h"
#include "service/catalog.h"

namespace understudy {

class PackKnobs {
 public:
  // `prefix` names the parameters: "pack", "motionPack".
  PackKnobs(std::string prefix, std::string role, std::string label, std::string fallback)
      : prefix_(std::move(prefix)), role_(std::move(role)), label_(std::move(label)), fallback_(std::move(fallback)) {}

  void define(Definer &definer) const;
  // Stores version and digest where they are missing, fills the menu, shows the pack's knobs.
  void created(const Effect &effect) const;
  // A parameter was changed by a person.
  void changed(const Effect &effect, const std::string &param) const;

  Pin pin(const Effect &effect) const;
  std::string options_json(const Effect &effect, double time) const;  // throws Trouble

  static constexpr double kAskSeconds = 0.5;       // a host must not wait for a menu
  static constexpr double kDescribeSeconds = 2.0;  // once for each node, and without an answer there are no knobs

 private:
  std::string knob_name(const PackEntry &pack, const PackOption &option) const;
  std::vector<PackEntry> packs(const Effect *effect) const;
  void store(const Effect &effect, const PackEntry *pack) const;
  void show(const Effect &effect, const std::vector<PackEntry> &packs) const;

  std::string prefix_, role_, label_, fallback_;
  mutable std::mutex mutex_;
  mutable std::vector<PackEntry> defined_;  // packs whose knobs the host has
};

}  // namespace understudy
