# SPDX-License-Identifier: Apache-2.0
"""Every shipped pack conforms, and packs that are broken on purpose do not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from understudy.conformance import ConformanceReport, check_pack
from understudy.conformance.manifest_checks import record
from understudy.conformance.report import CheckFailedError
from understudy.packs import open_pack
from understudy.share_root import share_root
from unit.packs.pack_folders import make_pack

_SHIPPED = sorted(path.parent.name for path in (share_root() / "models").glob("[!._]*/pack.toml"))


def _told(report: ConformanceReport) -> str:
    return "\n".join(f"{result.name}: {result.found}; {result.fix}" for result in report.failures)


@pytest.mark.parametrize("name", _SHIPPED)
def test_shipped_packs_conform(name: str) -> None:
    if "onnx" in name:
        pytest.importorskip("onnxruntime")
    report = check_pack(share_root() / "models" / name)
    assert report.passed, _told(report)
    assert report.pin is not None
    assert report.pin.id == name


_UPSCALE = """\
import numpy as np
from understudy.contracts.errors import PackError


class Model:
    def __init__(self):
        self.random = np.random.default_rng()

    def run(self, tensors, call, /):
        image, region, scale = tensors["image"], call.region, int(call.scale)
        rows = np.arange(region.y, region.y + region.height) // scale - region.in_y
        columns = np.arange(region.x, region.x + region.width) // scale - region.in_x
        {before}
        out = image[np.ix_(rows, columns)]
        {after}
        return {{"image": out}}

    def close(self):
        pass


def load(folder):
    return Model()
"""
_BLUR = "image = sum(np.roll(image, (y, x), (0, 1)) for y in (-6, 0, 6) for x in (-6, 0, 6)) / np.float32(9)"
_PLATE = (('"acescct"', '"plate"'), ("domain = [0.0, 1.0]\n", ""))


@pytest.mark.parametrize(
    ("before", "after", "edit", "checks"),
    [
        pytest.param("", "out = np.clip(out, 0, 1)", _PLATE, {"highlights", "negatives"}, id="clamps"),
        pytest.param(_BLUR, "", (), {"radius", "tiles"}, id="lies about its radius"),
        pytest.param(
            "", "out = out * image.mean() / image.mean().round(1)", _PLATE, {"tiles"}, id="looks at the frame"
        ),
        pytest.param("", "out = out + self.random.random((1, 1, 1), np.float32)", (), {"deterministic"}, id="random"),
        pytest.param("", "out = out[1:]", (), {"loads"}, id="wrong shape"),
        pytest.param("", "out = out.astype(np.float64)", (), {"loads"}, id="wrong type"),
        pytest.param("", "out = out.astype(np.float16).astype(np.float32)", (), {"precision"}, id="half"),
        pytest.param("", "out = out * np.float32(1.05)", _PLATE, {"constant"}, id="brightens"),
        pytest.param("", "assert image.shape[0] > 12", (), {"odd-sizes"}, id="small sizes"),
        pytest.param(
            "",
            "out = out * np.float32(1.001)",
            (("radius = 0", "radius = 0\nbounded = true"),),
            {"bounded"},
            id="leaves",
        ),
        pytest.param("", "out = np.where(out > 6e4, np.nan, out)", _PLATE, {"finite"}, id="NaN"),
    ],
)
def test_broken_upscalers_fail(
    tmp_path: Path, before: str, after: str, edit: tuple[tuple[str, str], ...], checks: set[str]
) -> None:
    adapter = _UPSCALE.format(before=before or "pass", after=after or "pass")
    report = check_pack(make_pack(tmp_path / "mine", bom=True, edit=edit, adapter=adapter))
    assert checks <= {result.name for result in report.failures}, _told(report)
    assert all(result.found for result in report.results)
    assert all(result.fix for result in report.failures)


def test_the_same_upscaler_unbroken_passes(tmp_path: Path) -> None:
    adapter = _UPSCALE.format(before="pass", after="pass")
    for name, edit in (("encoded", ()), ("plate", _PLATE)):
        report = check_pack(make_pack(tmp_path / name, bom=True, edit=edit, adapter=adapter))
        assert report.passed, _told(report)


_MOTION = """\
import cv2
import numpy as np


class Model:
    def run(self, tensors, call, /):
        a, b = ((np.clip(tensors[n], 0, 1).mean(axis=2) * 255).astype(np.uint8) for n in "ab")
        if min(a.shape) < 32:
            zero = np.zeros((*a.shape, 2), np.float32)
            return {{"forward": zero, "backward": zero}}
        forward, backward = (cv2.DISOpticalFlow_create(2).calc(x, y, None) for x, y in ((a, b), (b, a)))
        {after}
        return {{"forward": forward, "backward": backward}}

    def close(self):
        pass


def load(folder):
    return Model()
"""
_AS_MOTION = (('role = "upscale"', 'role = "motion"'), ("scales = [1, 2]\n", ""), ("radius = 0", "radius = -1"))


@pytest.mark.parametrize(
    ("after", "check"),
    [
        pytest.param("pass", "", id="sound"),
        pytest.param("forward, backward = forward * (1, -1), backward * (1, -1)", "loads", id="float64"),
        pytest.param(
            "forward, backward = (f * np.float32((1, -1)) for f in (forward, backward))", "directions", id="v up"
        ),
        pytest.param("forward, backward = backward, forward", "directions", id="exchanged"),
        pytest.param("forward = forward / np.float32(8)", "directions", id="in cells of 8"),
        pytest.param("forward = forward + np.float32(0.5)", "no-motion", id="half a pixel off"),
    ],
)
def test_broken_motion_fails(tmp_path: Path, after: str, check: str) -> None:
    report = check_pack(make_pack(tmp_path / "mine", bom=True, edit=_AS_MOTION, adapter=_MOTION.format(after=after)))
    failed = {result.name for result in report.failures}
    assert check in failed if check else report.passed, _told(report)


_INTERPOLATE = """\
import numpy as np


class Model:
    def run(self, tensors, call, /):
        forward, backward, time = tensors["forward"], tensors["backward"], np.float32(call.time)
        to_a, to_b = backward * time, forward * (1 - time)
        weight = np.full((*forward.shape[:2], 1), time, np.float32)
        {after}
        return {{"to_a": to_a, "to_b": to_b, "weight": weight}}

    def close(self):
        pass


def load(folder):
    return Model()
"""
_AS_INTERPOLATE = (('role = "upscale"', 'role = "interpolate"'), ("scales = [1, 2]\n", ""))


@pytest.mark.parametrize(
    ("after", "check"),
    [
        pytest.param("pass", "", id="sound"),
        pytest.param("weight = 1 - weight", "weights", id="share of a"),
        pytest.param("to_a, to_b = -to_a, -to_b", "directions", id="wrong way"),
        pytest.param("to_a, to_b = (f * np.float32((1, -1)) for f in (to_a, to_b))", "directions", id="v up"),
        pytest.param("to_a = to_a + np.float32(0.25)", "static-plate", id="drifts"),
    ],
)
def test_broken_interpolation_fails(tmp_path: Path, after: str, check: str) -> None:
    report = check_pack(
        make_pack(tmp_path / "mine", bom=True, edit=_AS_INTERPOLATE, adapter=_INTERPOLATE.format(after=after))
    )
    failed = {result.name for result in report.failures}
    assert check in failed if check else report.passed, _told(report)


_RELIGHT = """\
import numpy as np


class Model:
    def run(self, tensors, call, /):
        image = tensors["image"]
        {body}

    def close(self):
        pass


def load(folder):
    return Model()
"""
_AS_RELIGHT = (('role = "upscale"', 'role = "relight"'), ("scales = [1, 2]\n", ""))
_NORMALS = 'n = np.zeros_like(image); n[..., 2] = 1; return {"normal": n}'
_STRAY = "n = np.dstack([np.roll(image[..., 0], 4, axis=1) - image[..., 0], image[..., 1], image[..., 2] + 1]); "


@pytest.mark.parametrize(
    ("body", "edit", "check"),
    [
        pytest.param(_NORMALS, (), "", id="sound normals"),
        pytest.param('return {"image": image * np.float32(0.5)}', _PLATE, "", id="sound picture"),
        pytest.param('return {"image": image.clip(0, 1)}', _PLATE, "highlights", id="clamps"),
        pytest.param('return {"image": image.clip(0, None)}', _PLATE, "negatives", id="clamps at zero"),
        pytest.param(_STRAY + 'return {"normal": n}', (), "radius", id="normals from further away"),
        pytest.param('return {"albedo": image}', (), "loads", id="no normals"),
    ],
)
def test_broken_relighting_fails(tmp_path: Path, body: str, edit: tuple[tuple[str, str], ...], check: str) -> None:
    report = check_pack(
        make_pack(tmp_path / "mine", bom=True, edit=_AS_RELIGHT + edit, adapter=_RELIGHT.format(body=body))
    )
    failed = {result.name for result in report.failures}
    assert check in failed if check else report.passed, _told(report)


@pytest.mark.parametrize(
    ("edit", "check"),
    [
        pytest.param((('"acescct"', '"acescc2"'),), "manifest", id="manifest"),
        pytest.param((('basis = "none"', 'basis = "unknown"'),), "rights", id="unknown training"),
        pytest.param((('basis = "none"', 'basis = "licensed"'),), "rights", id="no evidence"),
        pytest.param((('concluded = "Apache-2.0"', 'concluded = "NOASSERTION"'),), "rights", id="no license"),
    ],
)
def test_papers_are_checked(tmp_path: Path, edit: tuple[tuple[str, str], ...], check: str) -> None:
    report = check_pack(make_pack(tmp_path / "mine", edit=edit))
    assert check in {result.name for result in report.failures}


@pytest.mark.parametrize(
    ("edit", "check"),
    [
        pytest.param((("radius = 0", "radius = 0\nconfidence = true"),), "confidence", id="confidence it has not"),
        pytest.param((('title = "Mine"', 'title = "Mine"\ndraft = "no-such-pack"'),), "draft", id="no draft pack"),
        pytest.param((('title = "Mine"', 'title = "Mine"\ndraft = "identity-motion"'),), "draft", id="draft's role"),
        pytest.param((("[1, 2]", "[1, 2, 2.5]"),), "scales", id="scale it can't do"),
    ],
)
def test_promises_that_are_not_kept(tmp_path: Path, edit: tuple[tuple[str, str], ...], check: str) -> None:
    adapter = _UPSCALE.format(before="assert call.scale.denominator == 1", after="pass")
    report = check_pack(make_pack(tmp_path / "mine", bom=True, edit=edit, adapter=adapter))
    assert {result.name for result in report.failures} == {check}, _told(report)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        pytest.param(lambda path: path.unlink(), "there is no pack.cdx.json", id="missing"),
        pytest.param(lambda path: path.write_text("{"), "is not JSON", id="no JSON"),
        pytest.param(lambda path: _replace(path, '"modelCard"', '"modelcard"'), "unknown field", id="shape"),
        pytest.param(lambda path: _replace(path, "SHA-256", "SHA256"), "hashes[0].alg", id="hash"),
        pytest.param(lambda path: _replace(path, '"value": "none"', '"value": "own"'), "otherwise", id="lie"),
    ],
)
def test_rights_records_are_checked(tmp_path: Path, harm: Callable[[Path], object], says: str) -> None:
    folder = make_pack(tmp_path / "mine", bom=True, adapter="raise SystemExit(3)\n")
    harm(folder / "pack.cdx.json")
    pack = open_pack(folder)
    with pytest.raises(CheckFailedError) as failed:
        record(pack)
    assert says in failed.value.found
    assert "understudy packs bom" in failed.value.fix


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_changed_bytes_are_found_and_not_run(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "mine", bom=True, card=False)
    (folder / "adapter.py").write_text("raise SystemExit(3)\n")
    report = check_pack(folder)
    assert {result.name for result in report.failures} == {"hashes", "card"}
    assert "understudy packs pin" in _told(report)
    assert "loads" not in {result.name for result in report.results}
