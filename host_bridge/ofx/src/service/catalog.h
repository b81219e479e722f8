// SPDX-License-Identifier: Apache-2.0
// The packs that a service has: asked for once in a while, remembered for menus and knobs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "service/local_service.h"
#include "wire/messages.h"

namespace understudy {

struct PackOption {
  enum Kind { kBool, kInt, kFloat, kChoice };
  std::string name, help;
  Kind kind = kFloat;
  double fallback = 0, minimum = 0, maximum = 0;  // kChoice: position in `choices`
  bool bounded_below = false, bounded_above = false;
  std::vector<std::string> choices;
};

struct PackEntry {
  Pin pin;
  std::string role;
  std::vector<PackOption> options;
};

// Packs of a role, from a service that runs already; none where none answers within `seconds`. Never starts one.
std::vector<PackEntry> packs_of(const std::string &role, const std::string &server, double seconds);

// Asks the service for all its packs; throws Trouble.
std::vector<PackEntry> ask_packs(const Address &address, Patience &patience);

}  // namespace understudy
