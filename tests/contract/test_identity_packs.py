# SPDX-License-Identifier: Apache-2.0
"""An identity pack returns its input bit for bit, through color conversion, shaper, tiles and carry."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from understudy.contracts.engine import Engine
from understudy.contracts.jobs import PackPin, RelightParams, RoleParams, RoleRequest, UpscaleParams
from understudy.contracts.lights import DirectionalLight, LightRig
from understudy.contracts.plate import HALF_MAX, Plate, blank_plate
from understudy.frames.read import read_plate
from understudy.roles.engine import LocalEngine

_SUN = LightRig(lights=(DirectionalLight(type="directional", direction=(0, 0, 1), intensity=9),))
_SAME = UpscaleParams(scale=Fraction(1))
_PACKS: tuple[tuple[str, RoleParams], ...] = (
    ("identity-upscale", _SAME),
    ("identity-onnx-upscale", _SAME),
    ("identity-relight", RelightParams(lights=_SUN)),
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One engine on the CPU."""
    local = LocalEngine(device="cpu")
    yield local
    local.close()


def _returned(engine: Engine, pack: str, params: RoleParams, plate: Plate) -> Plate:
    return engine.run(RoleRequest(pack=PackPin(id=pack), params=params, plates={"plate": plate})).plates["plate"]


def _differing(one: Plate, two: Plate) -> int:
    assert two.channels[: len(one.channels)] == one.channels
    assert (two.data_window, two.display_window) == (one.data_window, one.display_window)
    kept = np.ascontiguousarray(two.pixels[..., : len(one.channels)])
    return int((kept.view(np.uint32) != one.pixels.view(np.uint32)).sum())


@pytest.mark.parametrize(("pack", "params"), _PACKS, ids=[name for name, _ in _PACKS])
@pytest.mark.parametrize("tile", [0, 33])
def test_every_finite_half_comes_back(engine: Engine, pack: str, params: RoleParams, tile: int) -> None:
    if "onnx" in pack:
        pytest.importorskip("onnxruntime")
    codes = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    values = np.resize(codes[np.isfinite(codes)], 1 << 16)
    rng = np.random.default_rng(5)
    pixels = np.stack([values, rng.permutation(values), rng.permutation(values), values], axis=1).reshape(256, 256, 4)
    assert np.abs(pixels).max() == HALF_MAX
    plate = blank_plate(np.ascontiguousarray(pixels), ("R", "G", "B", "A"), colorspace="ACES2065-1")
    out = _returned(engine, pack, params.model_copy(update={"tile": tile}), plate)
    assert _differing(plate, out) == 0


@pytest.mark.parametrize(("pack", "params"), _PACKS, ids=[name for name, _ in _PACKS])
def test_every_readable_exr_comes_back(engine: Engine, shared_data: Path, pack: str, params: RoleParams) -> None:
    if "onnx" in pack:
        pytest.importorskip("onnxruntime")
    files = sorted((shared_data / "exr").glob("*.exr"))
    assert files
    for path in files:
        plate = read_plate(path, frame=None, colorspace="ACES2065-1")
        assert _differing(plate, _returned(engine, pack, params, plate)) == 0, path.name
