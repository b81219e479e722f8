# SPDX-License-Identifier: Apache-2.0
"""Which properties each object has: the tables of the specification ("Properties by Object", ``ofxImageEffect.h``)."""

from collections.abc import Iterable

from understudy.ofx_host.properties import Kind, Rule, Value


def _rule(kind: Kind, size: int = 1, *default: Value) -> Rule:
    return Rule(kind, size, default)


def _locked(rules: dict[str, Rule]) -> dict[str, Rule]:
    return {name: Rule(rule.kind, rule.size, rule.default, locked=True) for name, rule in rules.items()}


_LABELS = {
    "OfxPropLabel": _rule("string"),
    "OfxPropShortLabel": _rule("string"),
    "OfxPropLongLabel": _rule("string"),
}

HOST = _locked(
    {
        "OfxPropAPIVersion": _rule("int", 0),
        "OfxPropType": _rule("string", 1, "OfxTypeImageEffectHost"),
        "OfxPropName": _rule("string"),
        "OfxPropLabel": _rule("string"),
        "OfxPropVersion": _rule("int", 0, 0),
        "OfxPropVersionLabel": _rule("string"),
        "OfxPropHostOSHandle": _rule("pointer"),
        "OfxImageEffectHostPropIsBackground": _rule("int"),
        "OfxImageEffectHostPropNativeOrigin": _rule("string", 1, "OfxImageEffectHostPropNativeOriginBottomLeft"),
        "OfxImageEffectPropSupportsOverlays": _rule("int"),
        "OfxImageEffectPropSupportsMultiResolution": _rule("int"),
        "OfxImageEffectPropSupportsTiles": _rule("int"),
        "OfxImageEffectPropTemporalClipAccess": _rule("int"),
        "OfxImageEffectPropSupportedComponents": _rule("string", 0),
        "OfxImageEffectPropSupportedContexts": _rule("string", 0),
        "OfxImageEffectPropSupportedPixelDepths": _rule("string", 0),
        "OfxImageEffectPropMultipleClipDepths": _rule("int"),
        "OfxImageEffectPropSupportsMultipleClipPARs": _rule("int"),
        "OfxImageEffectPropSetableFrameRate": _rule("int"),
        "OfxImageEffectPropSetableFielding": _rule("int"),
        "OfxImageEffectInstancePropSequentialRender": _rule("int"),
        "OfxImageEffectPropRenderQualityDraft": _rule("int", 1, 1),
        "OfxImageEffectPropOpenGLRenderSupported": _rule("string", 1, "false"),
        "OfxImageEffectPropCudaRenderSupported": _rule("string", 1, "false"),
        "OfxImageEffectPropCudaStreamSupported": _rule("string", 1, "false"),
        "OfxImageEffectPropMetalRenderSupported": _rule("string", 1, "false"),
        "OfxImageEffectPropOpenCLRenderSupported": _rule("string", 1, "false"),
        "OfxImageEffectPropOpenCLSupported": _rule("string", 1, "false"),
        "OfxImageEffectPropCPURenderSupported": _rule("string", 1, "true"),
        "OfxImageEffectPropColourManagementStyle": _rule("string", 1, "OfxImageEffectColourManagementNone"),
        "OfxImageEffectPropColourManagementAvailableConfigs": _rule("string", 0),
        "OfxParamHostPropSupportsCustomInteract": _rule("int"),
        "OfxParamHostPropSupportsStringAnimation": _rule("int", 1, 1),
        "OfxParamHostPropSupportsChoiceAnimation": _rule("int", 1, 1),
        "OfxParamHostPropSupportsBooleanAnimation": _rule("int", 1, 1),
        "OfxParamHostPropSupportsCustomAnimation": _rule("int", 1, 1),
        "OfxParamHostPropSupportsParametricAnimation": _rule("int"),
        "OfxParamHostPropSupportsStrChoice": _rule("int", 1, 1),
        "OfxParamHostPropSupportsStrChoiceAnimation": _rule("int", 1, 1),
        "OfxParamHostPropMaxParameters": _rule("int", 1, -1),
        "OfxParamHostPropMaxPages": _rule("int"),
        "OfxParamHostPropPageRowColumnCount": _rule("int", 2),
    }
)

EFFECT_DESCRIPTOR = {
    **_locked(
        {
            "OfxPropType": _rule("string", 1, "OfxTypeImageEffect"),
            "OfxPluginPropFilePath": _rule("string"),
            "OfxImageEffectPropContext": _rule("string"),
        }
    ),
    **_LABELS,
    "OfxPropIcon": _rule("string", 2),
    "OfxPropVersion": _rule("int", 0, 0),
    "OfxPropVersionLabel": _rule("string"),
    "OfxPropPluginDescription": _rule("string"),
    "OfxImageEffectPropSupportedContexts": _rule("string", 0),
    "OfxImageEffectPluginPropGrouping": _rule("string"),
    "OfxImageEffectPluginPropObsolete": _rule("int"),
    "OfxImageEffectPluginPropSingleInstance": _rule("int"),
    "OfxImageEffectPluginRenderThreadSafety": _rule("string", 1, "OfxImageEffectRenderInstanceSafe"),
    "OfxImageEffectPluginPropHostFrameThreading": _rule("int", 1, 1),
    "OfxImageEffectPluginPropOverlayInteractV1": _rule("pointer"),
    "OfxImageEffectPluginPropOverlayInteractV2": _rule("pointer"),
    "OfxImageEffectPropSupportsMultiResolution": _rule("int", 1, 1),
    "OfxImageEffectPropSupportsTiles": _rule("int", 1, 1),
    "OfxImageEffectPropTemporalClipAccess": _rule("int"),
    "OfxImageEffectPropSupportedPixelDepths": _rule("string", 0),
    "OfxImageEffectPluginPropFieldRenderTwiceAlways": _rule("int", 1, 1),
    "OfxImageEffectPropMultipleClipDepths": _rule("int"),
    "OfxImageEffectPropSupportsMultipleClipPARs": _rule("int"),
    "OfxImageEffectPropClipPreferencesSlaveParam": _rule("string", 0),
    "OfxImageEffectInstancePropSequentialRender": _rule("int"),
    "OfxImageEffectPropNoSpatialAwareness": _rule("string", 1, "false"),
    "OfxImageEffectPropOpenGLRenderSupported": _rule("string", 1, "false"),
    "OfxOpenGLPropPixelDepth": _rule("string", 0),
    "OfxImageEffectPropCudaRenderSupported": _rule("string", 1, "false"),
    "OfxImageEffectPropCudaStreamSupported": _rule("string", 1, "false"),
    "OfxImageEffectPropMetalRenderSupported": _rule("string", 1, "false"),
    "OfxImageEffectPropOpenCLRenderSupported": _rule("string", 1, "false"),
    "OfxImageEffectPropOpenCLSupported": _rule("string", 1, "false"),
    "OfxImageEffectPropCPURenderSupported": _rule("string", 1, "true"),
    "OfxImageEffectPropColourManagementStyle": _rule("string", 1, "OfxImageEffectColourManagementNone"),
    "OfxImageEffectPropColourManagementAvailableConfigs": _rule("string", 0),
}

EFFECT_INSTANCE = {
    **_locked(
        {
            "OfxPropType": _rule("string", 1, "OfxTypeImageEffectInstance"),
            "OfxImageEffectPropPluginHandle": _rule("pointer"),
            "OfxImageEffectPropContext": _rule("string"),
            "OfxPluginPropFilePath": _rule("string"),
            "OfxPropPluginDescription": _rule("string"),
            "OfxImageEffectPropProjectSize": _rule("double", 2),
            "OfxImageEffectPropProjectOffset": _rule("double", 2),
            "OfxImageEffectPropProjectExtent": _rule("double", 2),
            "OfxImageEffectPropPixelAspectRatio": _rule("double", 1, 1.0),
            "OfxImageEffectInstancePropEffectDuration": _rule("double"),
            "OfxImageEffectPropFrameRate": _rule("double"),
            "OfxImageEffectPropInAnalysis": _rule("int"),
            "OfxPropIsInteractive": _rule("int"),
            "OfxImageEffectPropTemporalClipAccess": _rule("int"),
            "OfxImageEffectPropSupportsMultiResolution": _rule("int", 1, 1),
            "OfxImageEffectPropOpenGLRenderSupported": _rule("string", 1, "false"),
            "OfxImageEffectPropCPURenderSupported": _rule("string", 1, "true"),
            "OfxImageEffectPropColourManagementStyle": _rule("string", 1, "OfxImageEffectColourManagementNone"),
            "OfxImageEffectPropColourManagementConfig": _rule("string"),
            "OfxImageEffectPropOCIOConfig": _rule("string"),
            "OfxImageEffectPropOCIODisplay": _rule("string"),
            "OfxImageEffectPropOCIOView": _rule("string"),
            "OfxImageEffectPropDisplayColourspace": _rule("string"),
        }
    ),
    **_LABELS,
    "OfxPropInstanceData": _rule("pointer"),
    "OfxImageEffectInstancePropSequentialRender": _rule("int"),
    "OfxImageEffectPropSupportsTiles": _rule("int", 1, 1),
    "OfxPluginPropParamPageOrder": _rule("string", 0),
    "OfxPropParamSetNeedsSyncing": _rule("int"),
}

PARAMETER_SET = {
    "OfxPluginPropParamPageOrder": _rule("string", 0),
    "OfxPropParamSetNeedsSyncing": _rule("int"),
}

CLIP_DESCRIPTOR = {
    **_locked({"OfxPropType": _rule("string", 1, "OfxTypeClip"), "OfxPropName": _rule("string")}),
    **_LABELS,
    "OfxImageEffectPropSupportedComponents": _rule("string", 0),
    "OfxImageEffectPropTemporalClipAccess": _rule("int"),
    "OfxImageClipPropOptional": _rule("int"),
    "OfxImageClipPropFieldExtraction": _rule("string", 1, "OfxFieldDoubled"),
    "OfxImageClipPropIsMask": _rule("int"),
    "OfxImageEffectPropSupportsTiles": _rule("int", 1, 1),
}

CLIP_INSTANCE = {
    **_locked(
        {
            **CLIP_DESCRIPTOR,
            "OfxImageEffectPropPixelDepth": _rule("string", 1, "OfxBitDepthNone"),
            "OfxImageEffectPropComponents": _rule("string", 1, "OfxImageComponentNone"),
            "OfxImageClipPropUnmappedPixelDepth": _rule("string", 1, "OfxBitDepthNone"),
            "OfxImageClipPropUnmappedComponents": _rule("string", 1, "OfxImageComponentNone"),
            "OfxImageEffectPropPreMultiplication": _rule("string", 1, "OfxImageAlphaPremultiplied"),
            "OfxImagePropPixelAspectRatio": _rule("double", 1, 1.0),
            "OfxImageEffectPropFrameRate": _rule("double"),
            "OfxImageEffectPropUnmappedFrameRate": _rule("double"),
            "OfxImageEffectPropFrameRange": _rule("double", 2),
            "OfxImageEffectPropUnmappedFrameRange": _rule("double", 2),
            "OfxImageClipPropFieldOrder": _rule("string", 1, "OfxFieldNone"),
            "OfxImageClipPropConnected": _rule("int"),
            "OfxImageClipPropContinuousSamples": _rule("int"),
            "OfxImageClipPropPreferredColourspaces": _rule("string", 0),
        }
    ),
    "OfxImageClipPropColourspace": _rule("string"),
}

IMAGE = _locked(
    {
        "OfxPropType": _rule("string", 1, "OfxTypeImage"),
        "OfxImageEffectPropPixelDepth": _rule("string"),
        "OfxImageEffectPropComponents": _rule("string"),
        "OfxImageEffectPropPreMultiplication": _rule("string", 1, "OfxImageAlphaPremultiplied"),
        "OfxImageEffectPropRenderScale": _rule("double", 2, 1.0, 1.0),
        "OfxImagePropPixelAspectRatio": _rule("double", 1, 1.0),
        "OfxImagePropData": _rule("pointer"),
        "OfxImagePropBounds": _rule("int", 4),
        "OfxImagePropRegionOfDefinition": _rule("int", 4),
        "OfxImagePropRowBytes": _rule("int"),
        "OfxImagePropField": _rule("string", 1, "OfxFieldNone"),
        "OfxImagePropUniqueIdentifier": _rule("string"),
    }
)

_TIME = _rule("double")
_SCALE = _rule("double", 2, 1.0, 1.0)
_FLAG = _rule("int")
_SEQUENCE = {
    "OfxImageEffectPropFrameRange": _rule("double", 2),
    "OfxImageEffectPropFrameStep": _rule("double", 1, 1.0),
    "OfxPropIsInteractive": _FLAG,
    "OfxImageEffectPropRenderScale": _SCALE,
    "OfxImageEffectPropSequentialRenderStatus": _FLAG,
    "OfxImageEffectPropInteractiveRenderStatus": _FLAG,
    "OfxImageEffectPropOpenGLEnabled": _FLAG,
    "OfxImageEffectPropCudaEnabled": _FLAG,
    "OfxImageEffectPropMetalEnabled": _FLAG,
    "OfxImageEffectPropOpenCLEnabled": _FLAG,
}
_WINDOW = {
    "OfxPropTime": _TIME,
    "OfxImageEffectPropFieldToRender": _rule("string", 1, "OfxFieldNone"),
    "OfxImageEffectPropRenderWindow": _rule("int", 4),
    "OfxImageEffectPropRenderScale": _SCALE,
}

IN_ARGUMENTS: dict[str, dict[str, Rule]] = {
    "OfxImageEffectActionDescribeInContext": {"OfxImageEffectPropContext": _rule("string")},
    "OfxActionBeginInstanceChanged": {"OfxPropChangeReason": _rule("string")},
    "OfxActionEndInstanceChanged": {"OfxPropChangeReason": _rule("string")},
    "OfxActionInstanceChanged": {
        "OfxPropType": _rule("string"),
        "OfxPropName": _rule("string"),
        "OfxPropChangeReason": _rule("string"),
        "OfxPropTime": _TIME,
        "OfxImageEffectPropRenderScale": _SCALE,
    },
    "OfxImageEffectActionGetRegionOfDefinition": {
        "OfxPropTime": _TIME,
        "OfxImageEffectPropRenderScale": _SCALE,
    },
    "OfxImageEffectActionGetRegionsOfInterest": {
        "OfxPropTime": _TIME,
        "OfxImageEffectPropRenderScale": _SCALE,
        "OfxImageEffectPropRegionOfInterest": _rule("double", 4),
    },
    "OfxImageEffectActionGetFramesNeeded": {"OfxPropTime": _TIME},
    "OfxImageEffectActionIsIdentity": _WINDOW,
    "OfxImageEffectActionRender": {
        **_WINDOW,
        "OfxImageEffectPropSequentialRenderStatus": _FLAG,
        "OfxImageEffectPropInteractiveRenderStatus": _FLAG,
        "OfxImageEffectPropRenderQualityDraft": _FLAG,
        "OfxImageEffectPropOpenGLEnabled": _FLAG,
        "OfxImageEffectPropCudaEnabled": _FLAG,
        "OfxImageEffectPropMetalEnabled": _FLAG,
        "OfxImageEffectPropOpenCLEnabled": _FLAG,
    },
    "OfxImageEffectActionBeginSequenceRender": _SEQUENCE,
    "OfxImageEffectActionEndSequenceRender": _SEQUENCE,
    "OfxImageEffectActionGetOutputColourspace": {"OfxImageClipPropPreferredColourspaces": _rule("string", 0)},
}
"""By action; an action that is not here gets null."""

OUT_ARGUMENTS: dict[str, dict[str, Rule]] = {
    "OfxImageEffectActionGetRegionOfDefinition": {"OfxImageEffectPropRegionOfDefinition": _rule("double", 4)},
    "OfxImageEffectActionGetRegionsOfInterest": {},
    "OfxImageEffectActionGetFramesNeeded": {},
    "OfxImageEffectActionGetTimeDomain": {"OfxImageEffectPropFrameRange": _rule("double", 2)},
    "OfxImageEffectActionGetClipPreferences": {
        "OfxImageEffectPropFrameRate": _rule("double"),
        "OfxImageClipPropFieldOrder": _rule("string", 1, "OfxFieldNone"),
        "OfxImageEffectPropPreMultiplication": _rule("string", 1, "OfxImageAlphaPremultiplied"),
        "OfxImageClipPropContinuousSamples": _FLAG,
        "OfxImageEffectFrameVarying": _FLAG,
    },
    "OfxImageEffectActionIsIdentity": {"OfxPropName": _rule("string"), "OfxPropTime": _TIME},
    "OfxImageEffectActionGetOutputColourspace": {"OfxImageClipPropColourspace": _rule("string")},
}
"""By action; those with a clip's name at their end are added for each clip. An action that is not here gets null."""


def clip_preference_rules(clips: Iterable[str]) -> dict[str, Rule]:
    """Out arguments of the clip preferences action that name a clip."""
    rules: dict[str, Rule] = {}
    for clip in clips:
        rules[f"OfxImageClipPropComponents_{clip}"] = _rule("string")
        rules[f"OfxImageClipPropDepth_{clip}"] = _rule("string")
        rules[f"OfxImageClipPropPAR_{clip}"] = _rule("double", 1, 1.0)
        rules[f"OfxImageClipPropPreferredColourspaces_{clip}"] = _rule("string", 0)
    return rules


def region_rules(clips: Iterable[str]) -> dict[str, Rule]:
    """Out arguments of the regions of interest action: four canonical coordinates for each clip."""
    return {f"OfxImageClipPropRoI_{clip}": _rule("double", 4) for clip in clips}


def frame_range_rules(clips: Iterable[str]) -> dict[str, Rule]:
    """Out arguments of the frames needed action: pairs of first and last frame for each clip."""
    return {f"OfxImageClipPropFrameRange_{clip}": _rule("double", 0) for clip in clips}
