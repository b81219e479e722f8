/* SPDX-License-Identifier: Apache-2.0 */
/* Names and string constants of the OpenFX specification, as far as the plug-in uses them. */
#ifndef UNDERSTUDY_ABI_NAMES_H
#define UNDERSTUDY_ABI_NAMES_H

namespace ofx {

constexpr const char *kApi = "OfxImageEffectPluginAPI";

namespace action {
constexpr const char *kRender = "OfxImageEffectActionRender";
}  // namespace action

namespace context {
constexpr const char *kGeneral = "OfxImageEffectContextGeneral";
constexpr const char *kRetimer = "OfxImageEffectContextRetimer";
}  // namespace context

namespace clip {
constexpr const char *kSource = "Source";
constexpr const char *kOutput = "Output";
}  // namespace clip

namespace depth {
constexpr const char *kByte = "OfxBitDepthByte";
constexpr const char *kShort = "OfxBitDepthShort";
constexpr const char *kHalf = "OfxBitDepthHalf";
constexpr const char *kFloat = "OfxBitDepthFloat";
}  // namespace depth

namespace component {
constexpr const char *kRgba = "OfxImageComponentRGBA";
constexpr const char *kRgb = "OfxImageComponentRGB";
constexpr const char *kAlpha = "OfxImageComponentAlpha";
}  // namespace component

namespace prop {
constexpr const char *kName = "OfxPropName";
constexpr const char *kLabel = "OfxPropLabel";
constexpr const char *kTime = "OfxPropTime";
constexpr const char *kInstanceData = "OfxPropInstanceData";
constexpr const char *kContext = "OfxImageEffectPropContext";
constexpr const char *kSupportedContexts = "OfxImageEffectPropSupportedContexts";
constexpr const char *kComponents = "OfxImageEffectPropComponents";
constexpr const char *kMultiResolution = "OfxImageEffectPropSupportsMultiResolution";
constexpr const char *kTiles = "OfxImageEffectPropSupportsTiles";
constexpr const char *kTemporalAccess = "OfxImageEffectPropTemporalClipAccess";
}  // namespace prop

/* Color management, OpenFX 1.5. */
namespace color {
constexpr const char *kStyle = "OfxImageEffectPropColourManagementStyle";
constexpr const char *kColorspace = "OfxImageClipPropColourspace";
constexpr const char *kAcescg = "ACEScg";
constexpr const char *kAnySceneLinear = "ofx_scene_linear";
}  // namespace color

namespace param {
constexpr const char *kDouble = "OfxParamTypeDouble";
constexpr const char *kRgb = "OfxParamTypeRGB";
constexpr const char *kDefault = "OfxParamPropDefault";
constexpr const char *kMin = "OfxParamPropMin";
constexpr const char *kMax = "OfxParamPropMax";
constexpr const char *kDisplayMin = "OfxParamPropDisplayMin";
constexpr const char *kDisplayMax = "OfxParamPropDisplayMax";
constexpr const char *kAnimates = "OfxParamPropAnimates";
constexpr const char *kSecret = "OfxParamPropSecret";
constexpr const char *kChoiceOption = "OfxParamPropChoiceOption";
constexpr const char *kStringMode = "OfxParamPropStringMode";
constexpr const char *kSourceTime = "SourceTime";
}  // namespace param

}  // namespace ofx
#endif
