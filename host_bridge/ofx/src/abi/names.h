/* SPDX-License-Identifier: Apache-2.0 */
/* Names and string constants of the OpenFX specification, as far as the plug-in uses them. */
#ifndef UNDERSTUDY_ABI_NAMES_H
#define UNDERSTUDY_ABI_NAMES_H

namespace ofx {

constexpr const char *kApi = "OfxImageEffectPluginAPI";

namespace suite {
constexpr const char *kProperty = "OfxPropertySuite";
constexpr const char *kImageEffect = "OfxImageEffectSuite";
constexpr const char *kParameter = "OfxParameterSuite";
constexpr const char *kMessage = "OfxMessageSuite";
}  // namespace suite

namespace action {
constexpr const char *kLoad = "OfxActionLoad";
constexpr const char *kUnload = "OfxActionUnload";
constexpr const char *kDescribe = "OfxActionDescribe";
constexpr const char *kDescribeInContext = "OfxImageEffectActionDescribeInContext";
constexpr const char *kCreateInstance = "OfxActionCreateInstance";
constexpr const char *kDestroyInstance = "OfxActionDestroyInstance";
constexpr const char *kInstanceChanged = "OfxActionInstanceChanged";
constexpr const char *kPurgeCaches = "OfxActionPurgeCaches";
constexpr const char *kGetRegionOfDefinition = "OfxImageEffectActionGetRegionOfDefinition";
constexpr const char *kGetRegionsOfInterest = "OfxImageEffectActionGetRegionsOfInterest";
constexpr const char *kGetFramesNeeded = "OfxImageEffectActionGetFramesNeeded";
constexpr const char *kGetClipPreferences = "OfxImageEffectActionGetClipPreferences";
constexpr const char *kGetTimeDomain = "OfxImageEffectActionGetTimeDomain";
constexpr const char *kIsIdentity = "OfxImageEffectActionIsIdentity";
constexpr const char *kRender = "OfxImageEffectActionRender";
constexpr const char *kBeginSequenceRender = "OfxImageEffectActionBeginSequenceRender";
constexpr const char *kEndSequenceRender = "OfxImageEffectActionEndSequenceRender";
constexpr const char *kGetOutputColourspace = "OfxImageEffectActionGetOutputColourspace";
}  // namespace action

namespace context {
constexpr const char *kFilter = "OfxImageEffectContextFilter";
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
constexpr const char *kNone = "OfxImageComponentNone";
constexpr const char *kRgba = "OfxImageComponentRGBA";
constexpr const char *kRgb = "OfxImageComponentRGB";
constexpr const char *kAlpha = "OfxImageComponentAlpha";
}  // namespace component

namespace premultiplication {
constexpr const char *kOpaque = "OfxImageOpaque";
constexpr const char *kPremultiplied = "OfxImageAlphaPremultiplied";
constexpr const char *kUnpremultiplied = "OfxImageAlphaUnPremultiplied";
}  // namespace premultiplication

namespace prop {
constexpr const char *kName = "OfxPropName";
constexpr const char *kLabel = "OfxPropLabel";
constexpr const char *kVersionLabel = "OfxPropVersionLabel";
constexpr const char *kDescription = "OfxPropPluginDescription";
constexpr const char *kTime = "OfxPropTime";
constexpr const char *kInstanceData = "OfxPropInstanceData";
constexpr const char *kChangeReason = "OfxPropChangeReason";
constexpr const char *kGrouping = "OfxImageEffectPluginPropGrouping";
constexpr const char *kContext = "OfxImageEffectPropContext";
constexpr const char *kSupportedContexts = "OfxImageEffectPropSupportedContexts";
constexpr const char *kSupportedDepths = "OfxImageEffectPropSupportedPixelDepths";
constexpr const char *kSupportedComponents = "OfxImageEffectPropSupportedComponents";
constexpr const char *kComponents = "OfxImageEffectPropComponents";
constexpr const char *kPixelDepth = "OfxImageEffectPropPixelDepth";
constexpr const char *kPremultiplication = "OfxImageEffectPropPreMultiplication";
constexpr const char *kThreadSafety = "OfxImageEffectPluginRenderThreadSafety";
constexpr const char *kFullySafe = "OfxImageEffectRenderFullySafe";
constexpr const char *kHostFrameThreading = "OfxImageEffectPluginPropHostFrameThreading";
constexpr const char *kMultiResolution = "OfxImageEffectPropSupportsMultiResolution";
constexpr const char *kTiles = "OfxImageEffectPropSupportsTiles";
constexpr const char *kTemporalAccess = "OfxImageEffectPropTemporalClipAccess";
constexpr const char *kMultipleDepths = "OfxImageEffectPropMultipleClipDepths";
constexpr const char *kMultiplePars = "OfxImageEffectPropMultipleClipPARs";
constexpr const char *kRenderScale = "OfxImageEffectPropRenderScale";
constexpr const char *kRenderWindow = "OfxImageEffectPropRenderWindow";
constexpr const char *kRegionOfDefinition = "OfxImageEffectPropRegionOfDefinition";
constexpr const char *kRegionOfInterestPrefix = "OfxImageClipPropRoI_";
constexpr const char *kFrameRange = "OfxImageEffectPropFrameRange";
constexpr const char *kFrameRangePrefix = "OfxImageClipPropFrameRange_";
constexpr const char *kComponentsPrefix = "OfxImageClipPropComponents_";
constexpr const char *kProjectSize = "OfxImageEffectPropProjectSize";
constexpr const char *kProjectOffset = "OfxImageEffectPropProjectOffset";
constexpr const char *kClipConnected = "OfxImageClipPropConnected";
constexpr const char *kClipOptional = "OfxImageClipPropOptional";
constexpr const char *kClipIsMask = "OfxImageClipPropIsMask";
constexpr const char *kImageData = "OfxImagePropData";
constexpr const char *kImageBounds = "OfxImagePropBounds";
constexpr const char *kImageRowBytes = "OfxImagePropRowBytes";
constexpr const char *kImagePixelAspect = "OfxImagePropPixelAspectRatio";
constexpr const char *kFrameVarying = "OfxImageEffectFrameVarying";
}  // namespace prop

/* Color management, OpenFX 1.5. */
namespace color {
constexpr const char *kStyle = "OfxImageEffectPropColourManagementStyle";
constexpr const char *kStyleCore = "OfxImageEffectColourManagementCore";
constexpr const char *kStyleFull = "OfxImageEffectColourManagementFull";
constexpr const char *kStyleOcio = "OfxImageEffectColourManagementOCIO";
constexpr const char *kAvailableConfigs = "OfxImageEffectPropColourManagementAvailableConfigs";
constexpr const char *kNativeConfig = "ofx-native-v1.5_aces-v1.3_ocio-v2.3";
constexpr const char *kOcioConfig = "OfxImageEffectPropOCIOConfig";
constexpr const char *kColorspace = "OfxImageClipPropColourspace";
constexpr const char *kPreferredPrefix = "OfxImageClipPropPreferredColourspaces_";
constexpr const char *kPreferred = "OfxImageClipPropPreferredColourspaces";
constexpr const char *kAcescg = "ACEScg";
constexpr const char *kAnySceneLinear = "ofx_scene_linear";
}  // namespace color

namespace message {
constexpr const char *kError = "OfxMessageError";
constexpr const char *kWarning = "OfxMessageWarning";
}  // namespace message

namespace param {
constexpr const char *kInteger = "OfxParamTypeInteger";
constexpr const char *kDouble = "OfxParamTypeDouble";
constexpr const char *kBoolean = "OfxParamTypeBoolean";
constexpr const char *kChoice = "OfxParamTypeChoice";
constexpr const char *kRgb = "OfxParamTypeRGB";
constexpr const char *kDouble3D = "OfxParamTypeDouble3D";
constexpr const char *kString = "OfxParamTypeString";
constexpr const char *kGroup = "OfxParamTypeGroup";
constexpr const char *kPushButton = "OfxParamTypePushButton";
constexpr const char *kDefault = "OfxParamPropDefault";
constexpr const char *kHint = "OfxParamPropHint";
constexpr const char *kParent = "OfxParamPropParent";
constexpr const char *kMin = "OfxParamPropMin";
constexpr const char *kMax = "OfxParamPropMax";
constexpr const char *kDisplayMin = "OfxParamPropDisplayMin";
constexpr const char *kDisplayMax = "OfxParamPropDisplayMax";
constexpr const char *kAnimates = "OfxParamPropAnimates";
constexpr const char *kSecret = "OfxParamPropSecret";
constexpr const char *kChoiceOption = "OfxParamPropChoiceOption";
constexpr const char *kStringMode = "OfxParamPropStringMode";
constexpr const char *kSingleLine = "OfxParamStringIsSingleLine";
constexpr const char *kFilePath = "OfxParamStringIsFilePath";
constexpr const char *kPersistent = "OfxParamPropPersistant";
constexpr const char *kEvaluateOnChange = "OfxParamPropEvaluateOnChange";
constexpr const char *kGroupOpen = "OfxParamPropGroupOpen";
constexpr const char *kSourceTime = "SourceTime";
}  // namespace param

}  // namespace ofx
#endif
