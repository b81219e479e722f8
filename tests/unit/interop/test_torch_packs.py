# SPDX-License-Identifier: Apache-2.0
"""TorchScript, and weights that spandrel knows, as packs."""

import importlib.util
import io
import os
import pickle
import warnings
import zipfile
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.conformance import check_pack
from understudy.contracts.errors import PackError, UsageError
from understudy.contracts.jobs import MotionParams, PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import FloatImage, blank_plate
from understudy.interop.adopt import Adopted, adopt
from understudy.packs import open_pack
from understudy.roles.engine import LocalEngine
from understudy.roles.pack_settings import PackSettings
from unit.interop import models

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
needs_spandrel = pytest.mark.skipif(importlib.util.find_spec("spandrel") is None, reason="needs spandrel")


class Doubler(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch has no types here
    """The same as ``models.doubler``."""

    def forward(self, frame: Any) -> Any:
        return torch.nn.functional.interpolate(frame, scale_factor=2.0, mode="bilinear", align_corners=False)


class Drift(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch has no types here
    """Both pictures in six channels; a vector of (3, -2) pixels everywhere, and how sure it is."""

    def forward(self, pair: Any) -> Any:
        still = pair[:, :2] * 0
        return torch.cat([still[:, :1] + 3, still[:, 1:] - 2], dim=1)


def _scripted(path: Path, module: Any, *example: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(module.eval(), example).save(str(path))
    return path


def _adopted(path: Path, **given: Any) -> Adopted:
    folder = path.parent / f"pack-{len(list(path.parent.iterdir()))}"
    folder.mkdir()
    return adopt(path, folder, **given)


def _enlarged(folder: Path, light: FloatImage) -> FloatImage:
    engine = LocalEngine(device="cpu", extra_packs=(folder,))
    plate = blank_plate(light, ("R", "G", "B"), colorspace="lin_rec709_scene")
    params = UpscaleParams(scale=Fraction(2))
    request = RoleRequest(pack=PackPin(id=open_pack(folder).id), params=params, plates={"plate": plate})
    try:
        return engine.run(request).plates["plate"].pixels
    finally:
        engine.close()


def test_torchscript_is_taken_only_on_trust_and_then_equals_the_graph(tmp_path: Path) -> None:
    path = _scripted(tmp_path / "doubler.pt", Doubler(), torch.rand(1, 3, 16, 16))
    with pytest.raises(UsageError, match=r"TorchScript, which is code; .*--trust-code"):
        _adopted(path)
    script = _adopted(path, trust_code=True)
    graph = _adopted(models.write(tmp_path / "graph.onnx", models.doubler()))
    manifest = open_pack(script.folder).manifest
    assert (manifest.runtime.kind, manifest.contract.radius, manifest.contract.scales) == ("torchscript", 1, (2.0,))
    assert [result.name for result in check_pack(script.folder).failures] == ["rights"]
    light = np.random.default_rng(3).uniform(-0.1, 20, (33, 47, 3)).astype(np.float32)
    one, two = _enlarged(script.folder, light), _enlarged(graph.folder, light)
    assert float(np.abs(one - two).max()) < 1e-4 * float(np.abs(two).max())


def test_it_is_code_to_a_service_that_takes_none(tmp_path: Path) -> None:
    folder = _adopted(_scripted(tmp_path / "d.pt", Doubler(), torch.rand(1, 3, 16, 16)), trust_code=True).folder
    strict = LocalEngine(device="cpu", extra_packs=(folder,), settings=PackSettings(allow_python_packs=False))
    info = strict.info()
    strict.close()
    assert "d" not in {pack.pin.id for pack in info.packs}
    assert [failure.problem for failure in info.failures] == ["is code, which is not trusted here"]


def test_motion_in_one_input_of_six_channels(tmp_path: Path) -> None:
    path = _scripted(tmp_path / "drift.pt", Drift(), torch.rand(1, 6, 16, 16))
    folder = _adopted(path, trust_code=True, role="motion").folder
    engine = LocalEngine(device="cpu", extra_packs=(folder,))
    gray = np.full((128, 160, 3), 0.2, np.float32)
    plates = {name: blank_plate(gray, ("R", "G", "B"), colorspace="ACEScg", frame=n) for n, name in enumerate("ab")}
    out = engine.run(RoleRequest(pack=PackPin(id="drift"), params=MotionParams(), plates=plates)).plates
    engine.close()
    assert np.allclose(out["a"].take(("forward.u", "forward.v")), (3, 2))


def _entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _written(path: Path, entries: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_archives_that_are_not_what_torch_writes_are_refused(tmp_path: Path) -> None:
    good = _entries(_scripted(tmp_path / "good.pt", Doubler(), torch.rand(1, 3, 16, 16)))
    (code,) = [name for name in good if name.endswith("__torch__/unit/interop/test_torch_packs.py") or (
        "/code/" in name and name.endswith(".py"))][:1]  # fmt: skip
    reads = good | {code: good[code] + b'\n# \n  x = torch.from_file("/etc/passwd", False, 10)\n'}
    calls = good | {code: good[code] + b"\n  x = ops.studio.sharpen(frame)\n"}
    cases = (
        (_written(tmp_path / "squeezed.pt", good, zipfile.ZIP_LZMA), "is packed as torch never does"),
        (_written(tmp_path / "bomb.pt", good | {"m/zeros": bytes(100 << 20)}, zipfile.ZIP_DEFLATED), "unpacks to more"),
        (_written(tmp_path / "reads.pt", reads), "calls torch.from_file, which reaches out"),
        (_written(tmp_path / "calls.pt", calls), "calls ops.studio, which reaches out"),
        (_written(tmp_path / "torn.pt", good | {code: b"def forward("}), "torch can't load it"),
    )
    for path, said in cases:
        with pytest.raises(PackError, match=said):
            _adopted(path, trust_code=True)
    whole = (tmp_path / "good.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Exception, match="an archive without a model"):
        _adopted(tmp_path / "cut.pt", trust_code=True)


class _Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.target),)


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    stream = io.BytesIO()
    torch.save({"params": {"w": torch.zeros(1)}, "extra": _Bomb(tmp_path / "pwned")}, stream)
    for name, data in (("new.pth", stream.getvalue()), ("old.pth", pickle.dumps(_Bomb(tmp_path / "pwned")))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(PackError, match="holds more than weights, and could run code"):
            _adopted(tmp_path / name)
    assert not (tmp_path / "pwned").exists()


@needs_spandrel
def test_weights_that_nobody_knows_say_so(tmp_path: Path) -> None:
    torch.save({"strange.weight": torch.zeros(3, 3)}, tmp_path / "odd.pth")
    with pytest.raises(PackError, match="spandrel knows no network with such weights"):
        _adopted(tmp_path / "odd.pth")
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    with pytest.raises(PackError, match="holds no weights"):
        _adopted(tmp_path / "none.pth")


@needs_spandrel
def test_weights_of_a_known_network_become_a_pack_of_safetensors(tmp_path: Path) -> None:
    torch.manual_seed(1)
    state = _compact(features=8, layers=2)
    torch.save({"params_ema": state, "iteration": 7}, tmp_path / "RealESRGAN_tiny.pth")
    adopted = _adopted(tmp_path / "RealESRGAN_tiny.pth")
    pack = open_pack(adopted.folder)
    contract = pack.manifest.contract
    assert (pack.id, pack.manifest.runtime.kind, contract.scales) == ("realesrgan-tiny", "spandrel", (2.0,))
    assert contract.radius == 4  # four 3x3 convolutions; the nearest resampling beside them adds none
    assert "Compact" in adopted.draft.found[0]
    assert not [path.name for path in adopted.folder.iterdir() if path.suffix in {".pth", ".pt", ".pkl"}]
    names = {result.name for result in check_pack(adopted.folder).failures}
    assert names <= {"rights", "negatives", "constant"}  # its weights are noise
    (tmp_path / "again.safetensors").write_bytes((adopted.folder / "weights.safetensors").read_bytes())
    again = _adopted(tmp_path / "again.safetensors")
    light = np.random.default_rng(3).uniform(0, 1, (20, 24, 3)).astype(np.float32)
    assert np.array_equal(_enlarged(adopted.folder, light), _enlarged(again.folder, light))


def _compact(*, features: int, layers: int) -> dict[str, Any]:
    """Weights in the names and shapes of Real-ESRGAN's compact network, drawn at random."""
    state, depths = {}, [3, *[features] * (layers + 1), 12]
    for n, (before, after) in enumerate(pairwise(depths)):
        state[f"body.{2 * n}.weight"] = torch.randn(after, before, 3, 3) * 0.05
        state[f"body.{2 * n}.bias"] = torch.zeros(after)
        if n <= layers:
            state[f"body.{2 * n + 1}.weight"] = torch.full((after,), 0.2)
    return state
