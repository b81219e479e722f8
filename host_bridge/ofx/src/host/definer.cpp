// SPDX-License-Identifier: Apache-2.0
#include "host/definer.h"

#include "wire/trouble.h"

namespace understudy {

Definer::Definer(OfxImageEffectHandle effect) : effect_(effect) { host().effect->getParamSet(effect, &params_); }

void Definer::clip(const char *name, const char *label, const ClipKind &kind) {
  OfxPropertySetHandle handle = nullptr;
  if (host().effect->clipDefine(effect_, name, &handle) != kOfxStatOK) throw Trouble{"", "the host takes no clip", name, ""};
  const Properties clip(handle);
  clip.set(ofx::prop::kLabel, label);
  int index = 0;
  for (const char *components : kind.components) clip.set(ofx::prop::kSupportedComponents, components, index++);
  clip.set(ofx::prop::kClipOptional, kind.optional).set(ofx::prop::kClipIsMask, kind.mask);
  clip.set(ofx::prop::kTemporalAccess, kind.temporal).set(ofx::prop::kTiles, false);
}

Properties Definer::bare(const char *type, const char *name) {
  OfxPropertySetHandle handle = nullptr;
  if (host().parameter->paramDefine(params_, type, name, &handle) != kOfxStatOK)
    throw Trouble{"", "the host takes no parameter", name, ""};
  return Properties(handle);
}

Properties Definer::param(const char *type, const std::string &name, const std::string &label, const std::string &hint) {
  const Properties made = bare(type, name.c_str());
  made.set(ofx::prop::kLabel, label);
  if (!hint.empty()) made.set(ofx::param::kHint, hint);
  if (!group_.empty()) made.set(ofx::param::kParent, group_);
  return made;
}

void Definer::group(const std::string &name, const std::string &label, bool open) {
  group_.clear();
  param(ofx::param::kGroup, name, label, "").set(ofx::param::kGroupOpen, open);
  group_ = name;
}

Properties Definer::text(const std::string &name, const std::string &label, const std::string &fallback, const std::string &hint) {
  const Properties made = param(ofx::param::kString, name, label, hint);
  made.set(ofx::param::kStringMode, ofx::param::kSingleLine).set(ofx::param::kDefault, fallback).set(ofx::param::kAnimates, false);
  return made;
}

Properties Definer::hidden_text(const std::string &name, const std::string &label) {
  const Properties made = text(name, label, "", "");
  made.set(ofx::param::kSecret, true);
  return made;
}

Properties Definer::real(const std::string &name, const std::string &label, double fallback, double low, double high, const std::string &hint) {
  const Properties made = param(ofx::param::kDouble, name, label, hint);
  made.set(ofx::param::kDefault, fallback).set(ofx::param::kMin, low).set(ofx::param::kMax, high);
  made.set(ofx::param::kDisplayMin, low).set(ofx::param::kDisplayMax, high);
  return made;
}

Properties Definer::integer(const std::string &name, const std::string &label, int fallback, int low, int high, const std::string &hint) {
  const Properties made = param(ofx::param::kInteger, name, label, hint);
  made.set(ofx::param::kDefault, fallback).set(ofx::param::kMin, low).set(ofx::param::kMax, high);
  made.set(ofx::param::kDisplayMin, low).set(ofx::param::kDisplayMax, high);
  return made;
}

Properties Definer::truth(const std::string &name, const std::string &label, bool fallback, const std::string &hint) {
  const Properties made = param(ofx::param::kBoolean, name, label, hint);
  made.set(ofx::param::kDefault, fallback).set(ofx::param::kAnimates, false);
  return made;
}

Properties Definer::choice(const std::string &name, const std::string &label, int fallback, const std::vector<std::string> &options, const std::string &hint) {
  const Properties made = param(ofx::param::kChoice, name, label, hint);
  int index = 0;
  for (const std::string &option : options) made.set(ofx::param::kChoiceOption, option, index++);
  made.set(ofx::param::kDefault, fallback).set(ofx::param::kAnimates, false);
  return made;
}

Properties Definer::triple(const char *type, const std::string &name, const std::string &label, double x, double y, double z, const std::string &hint) {
  const Properties made = param(type, name, label, hint);
  const double values[] = {x, y, z};
  made.set_reals(ofx::param::kDefault, values, 3);
  return made;
}

Properties Definer::button(const std::string &name, const std::string &label, const std::string &hint) {
  return param(ofx::param::kPushButton, name, label, hint);
}

}  // namespace understudy
