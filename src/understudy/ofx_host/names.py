# SPDX-License-Identifier: Apache-2.0
"""Short names for people and the strings of OpenFX that they stand for (``ofxCore.h``, ``ofxImageEffect.h``)."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar, get_args

from understudy.contracts.errors import UsageError

Depth = Literal["byte", "short", "half", "float"]
"""How a sample is stored: 8 bit, 16 bit, half float, 32-bit float."""

Components = Literal["Alpha", "RGB", "RGBA", "MotionVectors"]
"""What a pixel holds. ``MotionVectors`` is The Foundry's extension, two samples."""

Context = Literal["Generator", "Filter", "Transition", "Paint", "General", "Retimer"]
"""How an effect is used."""

ColorStyle = Literal["None", "Basic", "Core", "Full", "OCIO"]
"""Color management that a host offers (``ofxColour.h``), weakest first."""

DEPTHS: dict[Depth, str] = {
    "byte": "OfxBitDepthByte",
    "short": "OfxBitDepthShort",
    "half": "OfxBitDepthHalf",
    "float": "OfxBitDepthFloat",
}
"""Shallowest first."""

COMPONENTS: dict[Components, str] = {
    "Alpha": "OfxImageComponentAlpha",
    "RGB": "OfxImageComponentRGB",
    "RGBA": "OfxImageComponentRGBA",
    "MotionVectors": "uk.co.thefoundry.OfxImageComponentMotionVectors",
}

CONTEXTS: dict[Context, str] = {name: f"OfxImageEffectContext{name}" for name in get_args(Context)}

COLOR_STYLES: dict[ColorStyle, str] = {name: f"OfxImageEffectColourManagement{name}" for name in get_args(ColorStyle)}
"""Weakest first."""

NATIVE_CONFIG = "ofx-native-v1.5_aces-v1.3_ocio-v2.3"
"""The only list of native color spaces that OpenFX 1.5 knows."""

NONE_DEPTH = "OfxBitDepthNone"
NONE_COMPONENTS = "OfxImageComponentNone"


Short = TypeVar("Short", bound=str)


def ofx_name(table: Mapping[Short, str], short: str, what: str) -> str:
    """The OpenFX string of a short name.

    Raises:
        UsageError: There is none.
    """
    for name, ofx in table.items():
        if name == short:
            return ofx
    raise UsageError(f"{what} '{short}' does not exist", fix=f"use one of {', '.join(table)}")


def short_name(table: Mapping[Short, str], ofx: str) -> Short | None:
    """The short name of an OpenFX string; None where we have none."""
    return next((short for short, name in table.items() if name == ofx), None)


def short_names(table: Mapping[Short, str], names: Sequence[str]) -> tuple[Short, ...]:
    """Short names of those strings that have one."""
    found = (short_name(table, name) for name in names)
    return tuple(short for short in found if short is not None)
