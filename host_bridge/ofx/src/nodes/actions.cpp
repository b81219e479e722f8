// SPDX-License-Identifier: Apache-2.0
#include "nodes/actions.h"

#include <memory>
#include <new>

#include "service/connection.h"

namespace understudy {
namespace {

OfxStatus describe(const Node &node, OfxImageEffectHandle handle) {
  const Properties own = Effect(handle).properties();
  own.set(ofx::prop::kLabel, node.label()).set("OfxImageEffectPluginPropGrouping", "Understudy").set("OfxPropPluginDescription", node.description());
  int contexts = 0;
  if (node.retimes()) own.set(ofx::prop::kSupportedContexts, ofx::context::kRetimer, contexts++);
  own.set(ofx::prop::kSupportedContexts, ofx::context::kGeneral, contexts++);
  own.set(ofx::prop::kSupportedContexts, "OfxImageEffectContextFilter", contexts);
  int depths = 0;
  for (const char *depth : {ofx::depth::kFloat, ofx::depth::kHalf, ofx::depth::kShort, ofx::depth::kByte})
    own.set("OfxImageEffectPropSupportedPixelDepths", depth, depths++);
  own.set("OfxImageEffectPluginRenderThreadSafety", "OfxImageEffectRenderFullySafe").set("OfxImageEffectPluginPropHostFrameThreading", false);
  own.set(ofx::prop::kMultiResolution, true).set(ofx::prop::kTiles, false).set(ofx::prop::kTemporalAccess, node.temporal());
  own.set("OfxImageEffectPropMultipleClipDepths", false);
  if (host().color) {
    own.set(ofx::color::kStyle, "OfxImageEffectColourManagementOCIO").set("OfxImageEffectPropColourManagementAvailableConfigs", "ofx-native-v1.5_aces-v1.3_ocio-v2.3");
  }
  return kOfxStatOK;
}

OfxStatus create(const Node &node, const Effect &effect) {
  const Properties own = effect.properties();
  auto data = std::make_unique<InstanceData>();
  data->context = own.text(ofx::prop::kContext);
  own.set(ofx::prop::kInstanceData, static_cast<void *>(data.release()));
  for (const PackKnobs *knobs : node.packs()) knobs->created(effect);
  return kOfxStatOK;
}

OfxStatus destroy(const Effect &effect) {
  delete effect.data();
  effect.properties().set(ofx::prop::kInstanceData, static_cast<void *>(nullptr));
  return kOfxStatOK;
}

OfxStatus render(const Node &node, const Effect &effect, const Properties &in) {
  double scale[2] = {1, 1};
  int window[4] = {};
  in.reals("OfxImageEffectPropRenderScale", scale, 2);
  in.integers("OfxImageEffectPropRenderWindow", window, 4);
  RenderJob job(effect, in.real(ofx::prop::kTime), {window[0], window[1], window[2], window[3]}, scale[0], scale[1]);
  if (node.temporal() && !host().temporal)
    throw Trouble{"UsageError", "this host gives one frame at a time, and the node needs its neighbors", "", "use the understudy command"};
  node.render(job);
  effect.untell();
  return kOfxStatOK;
}

OfxStatus region_of_definition(const Node &node, const Effect &effect, const Properties &in, const Properties &out) {
  const auto region = node.region(effect, in.real(ofx::prop::kTime));
  if (!region) return kOfxStatReplyDefault;
  const double corners[] = {region->x1, region->y1, region->x2, region->y2};
  out.set_reals("OfxImageEffectPropRegionOfDefinition", corners, 4);
  return kOfxStatOK;
}

// A model wants whole frames of all its inputs, whatever part of the output is asked for.
OfxStatus regions_of_interest(const Node &node, const Effect &effect, const Properties &in, const Properties &out) {
  const double time = in.real(ofx::prop::kTime);
  for (const char *name : {ofx::clip::kSource, "Normal", "Albedo", "Position"}) {
    const Clip clip = effect.clip(name);
    if (!clip.connected()) continue;
    const bool source = std::string(name) == ofx::clip::kSource;
    const auto whole = clip.region(source ? node.frames(effect, time) : std::vector<double>{time});
    if (!whole) continue;
    const double corners[] = {whole->x1, whole->y1, whole->x2, whole->y2};
    out.set_reals((std::string("OfxImageClipPropRoI_") + name).c_str(), corners, 4);
  }
  return kOfxStatOK;
}

OfxStatus frames_needed(const Node &node, const Effect &effect, const Properties &in, const Properties &out) {
  if (!node.temporal()) return kOfxStatReplyDefault;
  const std::string name = std::string("OfxImageClipPropFrameRange_") + ofx::clip::kSource;
  const std::vector<double> frames = node.frames(effect, in.real(ofx::prop::kTime));
  const double range[] = {frames.front(), frames.back()};  // neighbors, so one range holds them
  out.set_reals(name.c_str(), range, 2);
  return kOfxStatOK;
}

OfxStatus clip_preferences(const Node &node, const Effect &effect, const Properties &out) {
  const std::string prefix = "OfxImageClipPropComponents_";
  const std::string source = effect.clip(ofx::clip::kSource).components();
  if (node.fixed_output())
    out.set((prefix + ofx::clip::kOutput).c_str(), ofx::component::kRgba);
  else if (!source.empty() && source != "OfxImageComponentNone")
    out.set((prefix + ofx::clip::kOutput).c_str(), source);
  if (node.temporal()) out.set("OfxImageEffectFrameVarying", true);
  if (host().color) {
    const std::string preferred = std::string("OfxImageClipPropPreferredColourspaces_") + ofx::clip::kSource;
    out.set(preferred.c_str(), ofx::color::kAcescg, 0).set(preferred.c_str(), ofx::color::kAnySceneLinear, 1);
  }
  return kOfxStatOK;
}

OfxStatus identity(const Node &node, const Effect &effect, const Properties &in, const Properties &out) {
  const auto frame = node.identity(effect, in.real(ofx::prop::kTime));
  if (!frame) return kOfxStatReplyDefault;
  out.set(ofx::prop::kName, ofx::clip::kSource).set(ofx::prop::kTime, *frame);
  return kOfxStatOK;
}

OfxStatus output_colorspace(const Node &node, const Effect &effect, const Properties &out) {
  const std::string source = effect.clip(ofx::clip::kSource).colorspace();
  if (source.empty() || node.fixed_output()) return kOfxStatReplyDefault;
  out.set(ofx::color::kColorspace, source);
  return kOfxStatOK;
}

OfxStatus dispatch(const Node &node, const std::string &action, const Effect &effect, const Properties &in, const Properties &out) {
  using namespace ofx::action;
  if (action == "OfxActionLoad") return host().fetch() ? kOfxStatOK : kOfxStatErrMissingHostFeature;
  if (action == "OfxActionUnload" || action == "OfxActionPurgeCaches") {
    Pool::instance().clear();
    return kOfxStatOK;
  }
  if (action == "OfxActionDescribe") return describe(node, effect.handle());
  if (action == "OfxImageEffectActionDescribeInContext") {
    Definer definer(effect.handle());
    node.describe(definer, in.text(ofx::prop::kContext));
    return kOfxStatOK;
  }
  if (action == "OfxActionCreateInstance") return create(node, effect);
  if (action == "OfxActionDestroyInstance") return destroy(effect);
  if (action == "OfxActionInstanceChanged") {
    if (in.text("OfxPropChangeReason") != "OfxChangeUserEdited") return kOfxStatReplyDefault;
    for (const PackKnobs *knobs : node.packs()) knobs->changed(effect, in.text(ofx::prop::kName));
    return kOfxStatOK;
  }
  if (action == kRender) return render(node, effect, in);
  if (action == "OfxImageEffectActionGetRegionOfDefinition") return region_of_definition(node, effect, in, out);
  if (action == "OfxImageEffectActionGetRegionsOfInterest") return regions_of_interest(node, effect, in, out);
  if (action == "OfxImageEffectActionGetFramesNeeded") return frames_needed(node, effect, in, out);
  if (action == "OfxImageEffectActionGetClipPreferences") return clip_preferences(node, effect, out);
  if (action == "OfxImageEffectActionIsIdentity") return identity(node, effect, in, out);
  if (action == "OfxImageEffectActionGetOutputColourspace") return output_colorspace(node, effect, out);
  if (action == "OfxImageEffectActionEndSequenceRender") return kOfxStatOK;
  return kOfxStatReplyDefault;
}

}  // namespace

// No exception leaves the plug-in: the host is not ours.
OfxStatus handle_action(const Node &node, const char *action, OfxImageEffectHandle handle, OfxPropertySetHandle in, OfxPropertySetHandle out) {
  const Effect effect(handle);
  const bool renders = std::string(action) == ofx::action::kRender;
  Trouble trouble{"UnderstudyError", "something unexpected went wrong in the plug-in", "", ""};
  try {
    return dispatch(node, action, effect, Properties(in), Properties(out));
  } catch (const Aborted &) {
    return kOfxStatOK;  // the host knows, and throws the picture away
  } catch (const Trouble &told) {
    trouble = told;
  } catch (const std::bad_alloc &) {
    trouble = {"MemoryBudgetError", "this machine has too little memory for the picture", "", "work at a smaller size"};
  } catch (...) {
  }
  if (!renders) return kOfxStatFailed;
  effect.tell("OfxMessageError", std::string(node.label()) + ": " + trouble.sentence());
  return kOfxStatFailed;
}

}  // namespace understudy
