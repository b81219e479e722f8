// SPDX-License-Identifier: Apache-2.0
#include "nodes/pack_knobs.h"

#include <charconv>
#include <map>

#include "nodes/node.h"
#include "wire/json.h"

namespace understudy {
namespace {

constexpr const char *kAsIs = "(as named)";

std::string trimmed(const std::string &text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// `id` or `id@version`.
Pin parse_pin(const std::string &text) {
  const size_t at = text.find('@');
  return at == std::string::npos ? Pin{text, "", ""} : Pin{text.substr(0, at), text.substr(at + 1), ""};
}

// A value as the user wrote it: a number, true or false, or a word.
std::string option_json(const std::string &value) {
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  const bool plain = value == "true" || value == "false" || (error == std::errc() && end == value.data() + value.size());
  return plain ? value : json_text(value);
}

const PackEntry *find(const std::vector<PackEntry> &packs, const Pin &wanted) {
  for (const PackEntry &pack : packs)
    if (pack.pin.id == wanted.id && (wanted.version.empty() || pack.pin.version == wanted.version)) return &pack;
  return nullptr;
}

}  // namespace

std::string PackKnobs::knob_name(const PackEntry &pack, const PackOption &option) const {
  std::string name = prefix_ + "_" + pack.pin.id + "_" + option.name;
  for (char &c : name)
    if (c == '-' || c == '.') c = '_';
  return name;
}

std::vector<PackEntry> PackKnobs::packs(const Effect *effect) const {
  return packs_of(role_, effect == nullptr ? "" : effect->text(kServerParam), effect == nullptr ? kDescribeSeconds : kAskSeconds);
}

void PackKnobs::define(Definer &definer) const {
  const std::vector<PackEntry> packs = this->packs(nullptr);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    defined_ = packs;
  }
  definer.group(prefix_ + "Group", label_, true);
  definer.text(prefix_, label_, fallback_, "The pack that does the work: its id, or id@version. It is kept in the script.");
  std::vector<std::string> names = {kAsIs};
  for (const PackEntry &pack : packs) names.push_back(pack.pin.id);
  definer.choice(prefix_ + "Menu", "Choose", 0, names, "The packs that the service has; choosing one fills in its id.")
      .set("OfxParamPropPersistant", false)
      .set("OfxParamPropEvaluateOnChange", false);
  definer.param("OfxParamTypePushButton", prefix_ + "Accept", "Accept the service's version",
                 "Stores the version and digest of the pack that the service has now. Until then another one is refused.");
  definer.text(prefix_ + "Options", "Options", "", "Knobs of the pack as name=value; with semicolons between them. They go before the knobs below.");
  definer.text(prefix_ + "Version", label_ + " version", "", "").set(ofx::param::kSecret, true);
  definer.text(prefix_ + "Digest", label_ + " digest", "", "").set(ofx::param::kSecret, true);
  for (const PackEntry &pack : packs) {
    for (const PackOption &option : pack.options) {
      const std::string name = knob_name(pack, option);
      const double low = option.bounded_below ? option.minimum : -1e9, high = option.bounded_above ? option.maximum : 1e9;
      const bool other = pack.pin.id != fallback_;
      switch (option.kind) {
        case PackOption::kBool:
          definer.truth(name, option.name, option.fallback != 0, option.help).set(ofx::param::kSecret, other);
          break;
        case PackOption::kInt:
          definer.number(name, option.name, static_cast<int>(option.fallback), static_cast<int>(low), static_cast<int>(high), option.help)
              .set(ofx::param::kSecret, other);
          break;
        case PackOption::kFloat:
          definer.number<double>(name, option.name, option.fallback, low, high, option.help).set(ofx::param::kSecret, other);
          break;
        case PackOption::kChoice:
          definer.choice(name, option.name, static_cast<int>(option.fallback), option.choices, option.help).set(ofx::param::kSecret, other);
      }
    }
  }
}

void PackKnobs::show(const Effect &effect, const std::vector<PackEntry> &packs) const {
  const Pin chosen = parse_pin(effect.text(prefix_));
  if (const auto menu = effect.param_properties(prefix_ + "Menu")) {
    int index = 1;
    for (const PackEntry &pack : packs) menu->set(ofx::param::kChoiceOption, pack.pin.id, index++);
  }
  for (const PackEntry &pack : packs)
    for (const PackOption &option : pack.options)
      if (const auto knob = effect.param_properties(knob_name(pack, option)))
        knob->set(ofx::param::kSecret, pack.pin.id != chosen.id);
}

void PackKnobs::store(const Effect &effect, const PackEntry *pack) const {
  effect.set(prefix_ + "Version", pack == nullptr ? "" : pack->pin.version);
  effect.set(prefix_ + "Digest", pack == nullptr ? "" : pack->pin.sha256);
}

void PackKnobs::created(const Effect &effect) const {
  const std::vector<PackEntry> known = packs(&effect);
  const Pin chosen = parse_pin(effect.text(prefix_));
  if (effect.text(prefix_ + "Digest").empty())
    if (const PackEntry *pack = find(known, chosen)) store(effect, pack);
  show(effect, known);
}

void PackKnobs::changed(const Effect &effect, const std::string &param) const {
  const bool menu = param == prefix_ + "Menu", accept = param == prefix_ + "Accept";
  if (!menu && !accept && param != prefix_) return;
  const std::vector<PackEntry> known = packs(&effect);
  if (menu) {
    const int index = effect.integer(param, 0);
    if (index < 1 || static_cast<size_t>(index) > known.size()) return;
    effect.set(prefix_, known[static_cast<size_t>(index) - 1].pin.id);
  }
  if (accept && known.empty()) return;  // nobody answered, so nothing was accepted: the pin stays
  // Another pack, or the same one accepted anew. Not known now: the service pins it by its id alone.
  store(effect, find(known, parse_pin(effect.text(prefix_))));
  show(effect, known);
}

Pin PackKnobs::pin(const Effect &effect) const {
  const std::string named = trimmed(effect.text(prefix_));
  Pin pin = parse_pin(named.empty() ? fallback_ : named);
  if (pin.version.empty()) pin.version = effect.text(prefix_ + "Version");
  pin.sha256 = effect.text(prefix_ + "Digest");
  return pin;
}

std::string PackKnobs::options_json(const Effect &effect, double time) const {
  std::map<std::string, std::string> values;
  std::vector<PackEntry> known;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    known = defined_;
  }
  if (const PackEntry *pack = find(known, Pin{pin(effect).id, "", ""})) {
    for (const PackOption &option : pack->options) {
      const std::string name = knob_name(*pack, option);
      if (!effect.has(name)) continue;
      const int whole = option.kind == PackOption::kFloat ? 0 : effect.integer(name, time);
      switch (option.kind) {
        case PackOption::kBool: values[option.name] = whole != 0 ? "true" : "false"; break;
        case PackOption::kInt: values[option.name] = std::to_string(whole); break;
        case PackOption::kFloat: values[option.name] = json_number(effect.real(name, time)); break;
        case PackOption::kChoice:
          if (whole >= 0 && static_cast<size_t>(whole) < option.choices.size())
            values[option.name] = json_text(option.choices[static_cast<size_t>(whole)]);
      }
    }
  }
  std::string rest = effect.text(prefix_ + "Options");
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(';'), rest.size());
    const std::string part = trimmed(rest.substr(0, end));
    rest.erase(0, end + 1);
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    if (equals == std::string::npos) throw Trouble{"UsageError", "this is no option", part, "write name=value"};
    values[trimmed(part.substr(0, equals))] = option_json(trimmed(part.substr(equals + 1)));
  }
  std::string json = "{";
  for (const auto &[name, value] : values) json += (json.size() > 1 ? "," : "") + json_text(name) + ":" + value;
  return json + "}";
}

}  // namespace understudy
