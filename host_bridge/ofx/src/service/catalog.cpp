// SPDX-License-Identifier: Apache-2.0
#include "service/catalog.h"

#include <cmath>
#include <mutex>

#include "service/connection.h"
#include "wire/json.h"

namespace understudy {
namespace {

constexpr auto kFresh = std::chrono::seconds(5);

PackOption read_option(const std::string &name, const Json &spec) {
  PackOption option;
  option.name = name;
  option.help = spec["help"].text_or("");
  const std::string type = spec["type"].text_or("float");
  option.kind = type == "bool" ? PackOption::kBool : type == "int" ? PackOption::kInt : type == "choice" ? PackOption::kChoice : PackOption::kFloat;
  option.bounded_below = spec["minimum"].kind == Json::kNumber;
  option.bounded_above = spec["maximum"].kind == Json::kNumber;
  option.minimum = spec["minimum"].number_or(0);
  option.maximum = spec["maximum"].number_or(0);
  option.fallback = spec["default"].kind == Json::kBool ? (spec["default"].truth ? 1 : 0) : spec["default"].number_or(0);
  for (const Json &choice : spec["choices"].list) {
    if (choice.text == spec["default"].text) option.fallback = static_cast<double>(option.choices.size());
    option.choices.push_back(choice.text);
  }
  return option;
}

PackEntry read_pack(const PackFacts &facts) {
  PackEntry entry{facts.pin, facts.role, {}};
  try {
    const Json manifest = Json::parse(facts.manifest_json);
    for (const auto &[name, spec] : manifest["options"].object) entry.options.push_back(read_option(name, spec));
  } catch (const Trouble &) {
    // A manifest that can't be read has no knobs.
  }
  return entry;
}

struct Known {
  std::mutex mutex;
  std::string server;
  Patience::Clock::time_point asked{};
  std::vector<PackEntry> packs;
};

Known &known() {
  static Known one;
  return one;
}

}  // namespace

std::vector<PackEntry> ask_packs(const Address &address, Patience &patience) {
  Lease lease(address, patience);
  std::vector<PackEntry> packs;
  {
    Call call(lease->channel(), "Info", lease->token);
    call.send("");
    call.finish();
    std::string message;
    if (!call.receive(message, patience)) throw malformed("no answer");
    for (const PackFacts &facts : decode_info(message))
      if (facts.refused.empty()) packs.push_back(read_pack(facts));
    while (call.receive(message, patience)) {
    }
  }
  lease.keep();
  return packs;
}

std::vector<PackEntry> packs_of(const std::string &role, const std::string &server, double seconds) {
  Known &memory = known();
  const std::lock_guard<std::mutex> lock(memory.mutex);
  if (memory.server != server || Patience::Clock::now() - memory.asked > kFresh) {
    memory.server = server;
    memory.packs.clear();
    try {
      Patience patience(nullptr, seconds);
      memory.packs = ask_packs(target_of(server).address, patience);
    } catch (const Trouble &) {
      // No service, no menu: packs are then named by their id.
    }
    memory.asked = Patience::Clock::now();
  }
  std::vector<PackEntry> packs;
  for (const PackEntry &entry : memory.packs)
    if (entry.role == role) packs.push_back(entry);
  return packs;
}

}  // namespace understudy
