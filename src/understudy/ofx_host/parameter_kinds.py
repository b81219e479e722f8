# SPDX-License-Identifier: Apache-2.0
"""The kinds of parameters, and which properties each has (``ofxParam.h``)."""

import sys
from dataclasses import dataclass
from typing import Literal

from understudy.ofx_host.properties import Rule, Value

Storage = Literal["int", "double", "string", "none"]

_HUGE_INT = 2**31 - 1
_HUGE = sys.float_info.max


@dataclass(frozen=True, slots=True)
class ParameterKind:
    """A kind of parameter.

    Attributes:
        name: For people: ``Double2D``.
        storage: What its values are in C; ``none`` for a group, a page or a button.
        size: How many values it has.
        animates: Whether it animates unless the plug-in says otherwise.
        numeric: Whether it has a smallest and a largest value.
    """

    name: str
    storage: Storage
    size: int = 1
    animates: bool = False
    numeric: bool = False


_KINDS = (
    ParameterKind("Integer", "int", 1, animates=True, numeric=True),
    ParameterKind("Integer2D", "int", 2, animates=True, numeric=True),
    ParameterKind("Integer3D", "int", 3, animates=True, numeric=True),
    ParameterKind("Double", "double", 1, animates=True, numeric=True),
    ParameterKind("Double2D", "double", 2, animates=True, numeric=True),
    ParameterKind("Double3D", "double", 3, animates=True, numeric=True),
    ParameterKind("RGB", "double", 3, animates=True),
    ParameterKind("RGBA", "double", 4, animates=True),
    ParameterKind("Boolean", "int"),
    ParameterKind("Choice", "int"),
    ParameterKind("StrChoice", "string"),
    ParameterKind("String", "string"),
    ParameterKind("Custom", "string"),
    ParameterKind("PushButton", "none", 0),
    ParameterKind("Group", "none", 0),
    ParameterKind("Page", "none", 0),
)

PARAMETER_KINDS = {f"OfxParamType{kind.name}": kind for kind in _KINDS}
"""By the string of ``kOfxParamPropType``. Parametric and bytes parameters are not served."""


def parameter_rules(kind: ParameterKind, name: str, type_name: str) -> dict[str, Rule]:
    """The properties of a parameter.

    Args:
        kind: Its kind.
        name: Its name, which is what labels say until they are set.
        type_name: The string of its kind.
    """
    texts: dict[str, tuple[Value, ...]] = {
        "OfxPropLabel": (name,),
        "OfxPropShortLabel": (name,),
        "OfxPropLongLabel": (name,),
        "OfxParamPropScriptName": (name,),
        "OfxParamPropHint": ("",),
        "OfxParamPropParent": ("",),
    }
    flags = {"OfxParamPropSecret": 0, "OfxParamPropEnabled": 1, "OfxParamPropCanUndo": 1}
    rules = {
        "OfxPropType": Rule("string", 1, ("OfxTypeParameter",), locked=True),
        "OfxPropName": Rule("string", 1, (name,), locked=True),
        "OfxParamPropType": Rule("string", 1, (type_name,), locked=True),
        "OfxParamPropDataPtr": Rule("pointer"),
        "OfxPropIcon": Rule("string", 2),
        **{key: Rule("string", 1, default) for key, default in texts.items()},
        **{key: Rule("int", 1, (default,)) for key, default in flags.items()},
    }
    if kind.name == "Group":
        rules["OfxParamPropGroupOpen"] = Rule("int", 1, (1,))
    elif kind.name == "Page":
        rules["OfxParamPropPageChild"] = Rule("string", 0)
    else:
        rules |= {
            "OfxParamPropInteractV1": Rule("pointer"),
            "OfxParamPropInteractSize": Rule("double", 2),
            "OfxParamPropInteractSizeAspect": Rule("double", 1, (1.0,)),
            "OfxParamPropInteractMinimumSize": Rule("double", 2, (10.0, 10.0)),
            "OfxParamPropInteractPreferedSize": Rule("int", 2, (10, 10)),
            "OfxParamPropHasHostOverlayHandle": Rule("int", 1, (0,), locked=True),
            "kOfxParamPropUseHostOverlayHandle": Rule("int"),
        }
    if kind.storage != "none":
        rules |= _value_rules(kind)
    return rules


def _value_rules(kind: ParameterKind) -> dict[str, Rule]:
    storage = kind.storage
    assert storage != "none"
    rules = {
        "OfxParamPropDefault": Rule(storage, kind.size),
        "OfxParamPropAnimates": Rule("int", 1, (int(kind.animates),)),
        "OfxParamPropIsAnimating": Rule("int", 1, (0,), locked=True),
        "OfxParamPropIsAutoKeying": Rule("int", 1, (0,), locked=True),
        "OfxParamPropPersistant": Rule("int", 1, (1,)),
        "OfxParamPropEvaluateOnChange": Rule("int", 1, (1,)),
        "OfxParamPropPluginMayWrite": Rule("int"),
        "OfxParamPropCacheInvalidation": Rule("string", 1, ("OfxParamInvalidateValueChange",)),
    }
    if kind.numeric or kind.name in {"RGB", "RGBA"}:
        low: Value = -_HUGE_INT - 1 if storage == "int" else -_HUGE
        high: Value = _HUGE_INT if storage == "int" else _HUGE
        for end, value in (("Min", low), ("Max", high)):
            rules[f"OfxParamProp{end}"] = Rule(storage, kind.size, (value,) * kind.size)
            rules[f"OfxParamPropDisplay{end}"] = Rule(storage, kind.size, (value,) * kind.size)
    if storage == "double":
        rules["OfxParamPropIncrement"] = Rule("double", 1, (1.0,))
        rules["OfxParamPropDigits"] = Rule("int", 1, (2,))
        rules["OfxParamPropDoubleType"] = Rule("string", 1, ("OfxParamDoubleTypePlain",))
        rules["OfxParamPropDefaultCoordinateSystem"] = Rule("string", 1, ("OfxParamCoordinatesCanonical",))
        rules["OfxParamPropShowTimeMarker"] = Rule("int")
    if kind.size > 1:
        rules["OfxParamPropDimensionLabel"] = Rule("string", kind.size, _dimension_labels(kind))
    if kind.name in {"Choice", "StrChoice"}:
        rules["OfxParamPropChoiceOption"] = Rule("string", 0)
        rules["OfxParamPropChoiceOrder"] = Rule("int", 0)
        rules["OfxParamPropChoiceEnum"] = Rule("string", 0)
    if kind.name == "String":
        rules["OfxParamPropStringMode"] = Rule("string", 1, ("OfxParamStringIsSingleLine",))
        rules["OfxParamPropStringFilePathExists"] = Rule("int", 1, (1,))
    if kind.name == "Custom":
        rules["OfxParamPropCustomCallbackV1"] = Rule("pointer")
    return rules


def _dimension_labels(kind: ParameterKind) -> tuple[Value, ...]:
    return tuple("rgba"[: kind.size] if kind.name.startswith("RGB") else "xyz"[: kind.size])
