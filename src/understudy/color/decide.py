# SPDX-License-Identifier: Apache-2.0
"""Decides what color space a file is in, from what was declared. Nothing is guessed from pixels or from habit."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from understudy.color.config import ColorConfig
from understudy.contracts.errors import ColorspaceError
from understudy.contracts.header import ColorFacts
from understudy.contracts.primaries import SCENE_LINEAR_PRIMARIES

Rule = Literal[
    "user", "colorInteropID", "acesImageContainerFlag", "chromaticities", "file hint", "OCIO file rule", "default"
]

_TOLERANCE = 1e-3

_GAMUTS = {
    "AP0": "lin_ap0_scene",
    "AP1": "lin_ap1_scene",
    "Rec.709": "lin_rec709_scene",
    "Rec.2020": "lin_rec2020_scene",
    "P3-D65": "lin_p3d65_scene",
}
"""What people call primaries, and the interop id of the scene-linear space that has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorDecision:
    """A color space and why it was taken.

    Attributes:
        colorspace: Canonical name in the config.
        rule: What decided.
        detail: What it said, for a report (``chromaticities match AP1``).
        warnings: Sentences about declarations that disagree or can't be used.
    """

    colorspace: str
    rule: Rule
    detail: str
    warnings: tuple[str, ...] = ()


def decide(facts: ColorFacts, *, user: str = "", config: ColorConfig, default: str = "") -> ColorDecision:
    """The color space of a file.

    In this order: what the user says; ``colorInteropID``; ``acesImageContainerFlag``; chromaticities (of half and
    float files only); what else the file states of itself; a file rule of the studio's config (not its catch-all, and
    none of a config that is built into OCIO, whose rules nobody in the studio wrote); the job's default.

    Args:
        facts: What the header says.
        user: A color space by name, alias or role; empty if the user says nothing.
        config: The OCIO config.
        default: What the job takes where nothing is declared; empty to refuse.

    Raises:
        ColorspaceError: ``user`` or ``default`` is not in the config, or nothing declares a color space.
    """
    warnings: list[str] = []
    said = list(_header(facts, config, warnings))
    if user:
        name = config.resolve(user)
        warnings += [
            f"{facts.path}: {detail}, so {other}, but {name} was declared; {name} is used"
            for other, _, detail in said[:1]
            if other != name
        ]
        return ColorDecision(colorspace=name, rule="user", detail=f"declared as {user}", warnings=tuple(warnings))
    if said:
        name, rule, detail = said[0]
        warnings += [
            f"{facts.path}: {detail} says {name}, but {disagrees} says {other}; {name} is used"
            for other, _, disagrees in said[1:]
            if other != name
        ]
        return ColorDecision(colorspace=name, rule=rule, detail=detail, warnings=tuple(warnings))
    if not config.built_in:
        found, matched = config.file_rule(facts.path)
        if found:
            return ColorDecision(
                colorspace=found,
                rule="OCIO file rule",
                detail=f"rule {matched!r} of {config.label}",
                warnings=tuple(warnings),
            )
    if default:
        return ColorDecision(
            colorspace=config.resolve(default),
            rule="default",
            detail=f"the job's default, {default}",
            warnings=tuple(warnings),
        )
    raise _undeclared(facts, config, warnings)


def _header(facts: ColorFacts, config: ColorConfig, warnings: list[str]) -> Iterator[tuple[str, Rule, str]]:
    if facts.interop_id and facts.interop_id.lower() != "unknown":
        name = config.find(facts.interop_id)
        if name:
            yield name, "colorInteropID", f"colorInteropID is {facts.interop_id}"
        else:
            warnings.append(f"{facts.path}: colorInteropID {facts.interop_id!r} is not in {config.label}")
    if facts.aces_container:
        name = config.find("lin_ap0_scene")
        if name:
            yield name, "acesImageContainerFlag", "acesImageContainerFlag is 1"
        else:
            warnings.append(f"{facts.path}: an ACES container, but {config.label} has no ACES2065-1")
    if facts.chromaticities is not None and facts.sample_type in ("half", "float"):
        gamut = _gamut(facts.chromaticities)
        name = config.find(_GAMUTS[gamut]) if gamut else ""
        if name:
            yield name, "chromaticities", f"chromaticities match {gamut}"
        elif gamut:
            warnings.append(f"{facts.path}: chromaticities match {gamut}, but {config.label} has no linear {gamut}")
        else:
            warnings.append(f"{facts.path}: chromaticities {_numbers(facts.chromaticities)} match no known primaries")
    if facts.hint:
        name = config.find(facts.hint)
        if name:
            yield name, "file hint", f"the {facts.container} file states {facts.hint}"
        else:
            warnings.append(f"{facts.path}: the file states {facts.hint!r}, which is not in {config.label}")


def _gamut(chromaticities: tuple[float, ...]) -> str:
    for gamut, identifier in _GAMUTS.items():
        known = SCENE_LINEAR_PRIMARIES[identifier]
        if len(chromaticities) == len(known) and all(
            abs(a - b) <= _TOLERANCE for a, b in zip(chromaticities, known, strict=True)
        ):
            return gamut
    return ""


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def _undeclared(facts: ColorFacts, config: ColorConfig, warnings: list[str]) -> ColorspaceError:
    linear = facts.sample_type in ("half", "float")
    looked = "colorInteropID, the ACES flag" + (", chromaticities" if linear else "") + " and the file's own statement"
    if not config.built_in:
        looked += f", and the file rules of {config.label}"
    examples = (
        "--colorspace ACEScg, ACES2065-1 or lin_rec709"
        if linear
        else "--colorspace texture_paint for an sRGB picture, or a camera's log space"
    )
    unusable = "".join(f" ({warning.partition(': ')[2]})" for warning in warnings)
    return ColorspaceError(
        f"nothing declares this file's color space: looked at {looked}{unusable}",
        where=facts.path,
        fix=f"say it, for example with {examples}",
    )
