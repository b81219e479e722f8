# SPDX-License-Identifier: Apache-2.0
"""Configs and pixels for the color tests."""

from pathlib import Path

import numpy as np
import PyOpenColorIO as ocio
import pytest

from understudy.color.config import ColorConfig
from understudy.color.policy import policy
from understudy.contracts.plate import FloatImage


@pytest.fixture(autouse=True)
def _no_ocio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCIO", raising=False)


@pytest.fixture
def config() -> ColorConfig:
    return ColorConfig.load(policy().pinned.config)


@pytest.fixture
def studio_file(tmp_path: Path) -> Path:
    """A studio's own copy of the ACES config, with a rule for its renders."""
    studio = ocio.Config.CreateFromFile(policy().pinned.config)
    rules = studio.getFileRules()
    rules.insertRule(0, "Renders", "ACEScg", "*_cg", "exr")
    studio.setFileRules(rules)
    path = tmp_path / "studio.ocio"
    path.write_text(studio.serialize())
    return path


@pytest.fixture
def bare_file(tmp_path: Path) -> Path:
    """A config with its own names, no aliases, no interop ids and no ACEScct."""
    bare = ocio.Config()
    bare.setVersion(2, 0)
    matrices = {
        "plate_ap0": None,
        "work": "ACEScg_to_ACES2065-1",
    }
    for name, style in matrices.items():
        space = ocio.ColorSpace(name=name, encoding="scene-linear")
        if style:
            space.setTransform(ocio.BuiltinTransform(style), ocio.COLORSPACE_DIR_TO_REFERENCE)
        bare.addColorSpace(space)
    bare.addColorSpace(ocio.ColorSpace(name="numbers", isData=True))
    bare.setRole("scene_linear", "work")
    bare.setRole("aces_interchange", "plate_ap0")
    bare.setRole("default", "numbers")
    bare.addDisplayView("screen", "flat", "work")
    path = tmp_path / "bare.ocio"
    path.write_text(bare.serialize())
    return path


@pytest.fixture
def colors() -> FloatImage:
    """Every kind of value a plate may hold: shadows, HDR, negatives, saturated AP0, the half range's ends, -0."""
    rng = np.random.default_rng(7)
    image = (2.0 ** rng.uniform(-13, 16, (37, 53, 1)) * rng.uniform(0, 1, (37, 53, 3))).astype(np.float32)
    image[::5, ::3, 1] *= -1
    edges = [[0, 0, 0], [-0.0, -0.0, -0.0], [65504, 0, 0], [-65504, 65504, 1], [1, 0, 0], [0, 0, 222.9]]
    image[0, :6] = np.array(edges, np.float32)
    return image
