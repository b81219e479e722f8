# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import pytest

from understudy.color.config import ColorConfig
from understudy.color.decide import decide
from understudy.contracts.errors import ColorspaceError
from understudy.contracts.header import ColorFacts

AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
AP1 = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
REC2020 = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)
P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)


def facts(**changes: Any) -> ColorFacts:
    return ColorFacts(**{"path": "/show/plate.1001.exr", "container": "exr", "sample_type": "half", **changes})


EVERYTHING: dict[str, Any] = {"interop_id": "lin_rec709_scene", "aces_container": True, "chromaticities": AP1}


def test_the_order_of_the_rules(config: ColorConfig, studio_file: Path) -> None:
    studio = ColorConfig.load(str(studio_file))
    path = "/show/plate_cg.exr"
    assert decide(facts(**EVERYTHING), user="lin_p3d65", config=config).rule == "user"
    everything = decide(facts(**EVERYTHING), config=config, default="ACEScg")
    assert (everything.rule, everything.colorspace) == ("colorInteropID", "Linear Rec.709 (sRGB)")
    assert len(everything.warnings) == 2
    container = decide(facts(aces_container=True, chromaticities=AP0), config=config)
    assert (container.rule, container.colorspace, container.warnings) == ("acesImageContainerFlag", "ACES2065-1", ())
    hinted = facts(chromaticities=AP1, hint="lin_rec709", path=path)
    assert decide(hinted, config=studio).rule == "chromaticities"
    assert decide(facts(hint="lin_rec709", path=path), config=studio).rule == "file hint"
    ruled = decide(facts(path=path), config=studio, default="lin_p3d65")
    assert (ruled.rule, ruled.colorspace) == ("OCIO file rule", "ACEScg")
    assert "Renders" in ruled.detail
    png = facts(path="/show/a.png", container="png", sample_type="uint8")
    last = decide(png, config=studio, default="texture_paint")
    assert (last.rule, last.colorspace) == ("default", "sRGB Encoded Rec.709 (sRGB)")


@pytest.mark.parametrize(
    ("chromaticities", "colorspace"),
    [
        (AP0, "ACES2065-1"),
        (AP1, "ACEScg"),
        (REC709, "Linear Rec.709 (sRGB)"),
        (REC2020, "Linear Rec.2020"),
        (P3, "Linear P3-D65"),
    ],
)
def test_chromaticities(config: ColorConfig, chromaticities: tuple[float, ...], colorspace: str) -> None:
    near = tuple(value + 0.0009 for value in chromaticities)
    assert decide(facts(chromaticities=near), config=config).colorspace == colorspace
    far = (*chromaticities[:7], chromaticities[7] + 0.0015)
    with pytest.raises(ColorspaceError, match="match no known primaries"):
        decide(facts(chromaticities=far), config=config)


@pytest.mark.parametrize("sample_type", ["uint8", "uint16", "uint"])
def test_chromaticities_never_decide_for_integers(config: ColorConfig, sample_type: str) -> None:
    with pytest.raises(ColorspaceError, match="nothing declares"):
        decide(facts(chromaticities=REC709, sample_type=sample_type), config=config)


def test_a_bare_exr_is_refused_with_a_sentence(config: ColorConfig) -> None:
    with pytest.raises(ColorspaceError) as error:
        decide(facts(), config=config)
    text = str(error.value)
    assert text.startswith("/show/plate.1001.exr: nothing declares")
    assert "--colorspace ACEScg" in text
    assert "\n" not in text
    with pytest.raises(ColorspaceError, match="texture_paint for an sRGB picture"):
        decide(facts(path="a.jpg", container="jpeg", sample_type="uint8"), config=config)


def test_rules_of_built_in_configs_never_decide(monkeypatch: pytest.MonkeyPatch, config: ColorConfig) -> None:
    monkeypatch.setenv("OCIO", config.name)
    from_variable = ColorConfig.load()
    assert from_variable.source == "$OCIO"
    with pytest.raises(ColorspaceError, match="nothing declares"):
        decide(facts(), config=from_variable)


def test_the_user_wins_and_hears_of_a_contradiction(config: ColorConfig) -> None:
    agreed = decide(facts(chromaticities=AP1), user="acescg", config=config)
    assert (agreed.colorspace, agreed.detail, agreed.warnings) == ("ACEScg", "declared as acescg", ())
    against = decide(facts(chromaticities=AP0), user="ACEScg", config=config)
    assert against.colorspace == "ACEScg"
    assert against.warnings == (
        "/show/plate.1001.exr: chromaticities match AP0, so ACES2065-1, but ACEScg was declared; ACEScg is used",
    )
    with pytest.raises(ColorspaceError, match="no color space 'ACESgc'"):
        decide(facts(chromaticities=AP0), user="ACESgc", config=config)


def test_declarations_that_mean_nothing_are_told(config: ColorConfig) -> None:
    odd = decide(facts(interop_id="x_own_space", chromaticities=AP0), config=config)
    assert odd.rule == "chromaticities"
    assert "x_own_space" in odd.warnings[0]
    with pytest.raises(ColorspaceError, match="'KodakLog', which is not in"):
        decide(facts(path="a.cin", container="cineon", sample_type="uint16", hint="KodakLog"), config=config)


def test_a_file_can_not_name_a_role(config: ColorConfig) -> None:
    with pytest.raises(ColorspaceError):
        decide(facts(hint="scene_linear"), config=config)


def test_unknown_and_data_ids(config: ColorConfig) -> None:
    assert decide(facts(interop_id="data"), config=config).colorspace == "Raw"
    with pytest.raises(ColorspaceError):
        decide(facts(interop_id="unknown"), config=config)


def test_studio_names_are_found_by_what_they_do(bare_file: Path) -> None:
    bare = ColorConfig.load(str(bare_file))
    assert decide(facts(chromaticities=AP1), config=bare).colorspace == "work"
    assert decide(facts(aces_container=True), config=bare).colorspace == "plate_ap0"
    with pytest.raises(ColorspaceError, match=r"has no linear Rec\.709"):
        decide(facts(chromaticities=REC709), config=bare)
