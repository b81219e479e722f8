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
  for (const char *components : kind.components) clip.set("OfxImageEffectPropSupportedComponents", components, index++);
  clip.set("OfxImageClipPropOptional", kind.optional).set("OfxImageClipPropIsMask", kind.mask);
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
  if (!hint.empty()) made.set("OfxParamPropHint", hint);
  if (!group_.empty()) made.set("OfxParamPropParent", group_);
  return made;
}

void Definer::group(const std::string &name, const std::string &label, bool open) {
  group_.clear();
  param("OfxParamTypeGroup", name, label, "").set("OfxParamPropGroupOpen", open);
  group_ = name;
}

Properties Definer::text(const std::string &name, const std::string &label, const std::string &fallback, const std::string &hint) {
  const Properties made = param("OfxParamTypeString", name, label, hint);
  made.set(ofx::param::kStringMode, "OfxParamStringIsSingleLine").set(ofx::param::kDefault, fallback).set(ofx::param::kAnimates, false);
  return made;
}

template <typename Number>
Properties Definer::number(const std::string &name, const std::string &label, Number fallback, Number low, Number high, const std::string &hint) {
  const bool whole = std::is_same_v<Number, int>;
  const Properties made = param(whole ? "OfxParamTypeInteger" : ofx::param::kDouble, name, label, hint);
  made.set(ofx::param::kDefault, fallback).set("OfxParamPropMin", low).set("OfxParamPropMax", high);
  made.set("OfxParamPropDisplayMin", low).set("OfxParamPropDisplayMax", high);
  return made;
}

template Properties Definer::number(const std::string &, const std::string &, int, int, int, const std::string &);
template Properties Definer::number(const std::string &, const std::string &, double, double, double, const std::string &);

Properties Definer::truth(const std::string &name, const std::string &label, bool fallback, const std::string &hint) {
  const Properties made = param("OfxParamTypeBoolean", name, label, hint);
  made.set(ofx::param::kDefault, fallback).set(ofx::param::kAnimates, false);
  return made;
}

Properties Definer::choice(const std::string &name, const std::string &label, int fallback, const std::vector<std::string> &options, const std::string &hint) {
  const Properties made = param("OfxParamTypeChoice", name, label, hint);
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

}  // namespace understudy
