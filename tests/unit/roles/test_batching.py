# SPDX-License-Identifier: Apache-2.0
"""Tiles of a frame that share a call: the same bytes as alone, the same batches each time."""

import sys
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from understudy.conformance import check_pack
from understudy.contracts.engine import Control
from understudy.contracts.errors import JobCancelledError, PackError
from understudy.contracts.jobs import RelightParams, RoleParams, RoleRequest, UpscaleParams
from understudy.contracts.manifest import Contract, Encoding
from understudy.contracts.model import Call, PackedModel, Region, Tensors
from understudy.contracts.plate import FloatImage, Window, blank_plate
from understudy.packs import Pack, open_pack
from understudy.roles.batching import Steps, batch_size, in_batches
from understudy.roles.engine import LocalEngine
from understudy.roles.tiling import plan_tiles
from understudy.runtimes.load import load_model
from unit.packs.pack_folders import make_pack


class Recorder:
    """A model that doubles, and notes what came together."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []

    def run(self, tensors: Mapping[str, FloatImage], call: Call) -> Tensors:
        return self._answer([tensors])[0]

    def run_batch(self, batch: Sequence[Mapping[str, FloatImage]], calls: Sequence[Call]) -> Sequence[Tensors]:
        assert len(batch) == len(calls) > 1
        return self._answer(batch)

    def _answer(self, batch: Sequence[Mapping[str, FloatImage]]) -> list[Tensors]:
        self.batches.append([float(tensors["image"][0, 0, 0]) for tensors in batch])
        return [{"image": tensors["image"] * 2} for tensors in batch]

    def packed(self, *, batches: bool = True) -> PackedModel:
        rest: Any = {"manifest": None, "pin": None, "device": "cpu", "tensors": None, "settle": None}
        return PackedModel(run=self.run, run_batch=self.run_batch if batches else None, **rest)


def job(number: float, asks: int = 1, side: int = 2, call: Call | None = None) -> Steps[float]:
    total = 0.0
    for step in range(asks):
        image = np.full((side, side, 1), number + step / 10, np.float32)
        answer = yield {"image": image}, call or Call(region=Region(0, 0, int(number), 0, side, side))
        total += float(answer["image"][0, 0, 0])
    return total


def rounded(batches: list[list[float]]) -> list[list[float]]:
    return [[round(number, 1) for number in batch] for batch in batches]


def test_results_come_in_order_and_batches_follow_the_plan() -> None:
    recorder = Recorder()
    assert list(in_batches(recorder.packed(), (job(n) for n in range(7)), 3)) == [0, 2, 4, 6, 8, 10, 12]
    assert recorder.batches == [[0, 1, 2], [3, 4, 5], [6]]


def test_jobs_that_ask_more_often_or_for_other_sizes_get_their_own_answers() -> None:
    recorder = Recorder()
    jobs = [job(0, 2), job(1, 1), job(2, 3), job(3, 0), job(4, 1, side=3), job(5, 1, call=Call(draft=True))]
    got = list(in_batches(recorder.packed(), jobs, 6))
    assert got == pytest.approx([0.2, 2, 12.6, 0, 8, 10])
    assert sorted(number for batch in rounded(recorder.batches) for number in batch) == [0, 0.1, 1, 2, 2.1, 2.2, 4, 5]
    assert [0, 1, 2] in rounded(recorder.batches)
    assert [4] in rounded(recorder.batches)


def test_a_model_without_batches_is_called_for_each() -> None:
    recorder = Recorder()
    assert list(in_batches(recorder.packed(batches=False), (job(n) for n in range(3)), 3)) == [0, 2, 4]
    assert recorder.batches == [[0], [1], [2]]


def test_jobs_begin_when_their_turn_comes() -> None:
    begun: list[int] = []

    def noted(number: int) -> Steps[float]:
        begun.append(number)
        return (yield from job(number))

    results = in_batches(Recorder().packed(), (noted(n) for n in range(6)), 2)
    next(results)
    assert begun == [0, 1]


@pytest.mark.parametrize(
    ("most", "side", "scale", "want"),
    [(1, 64, 1, 1), (8, 64, 1, 8), (8, 768, 1, 4), (8, 768, 2, 1), (64, 2000, 1, 1), (64, 400, 1, 14), (64, 64, 1, 64)],
)
def test_a_batch_holds_no_more_pixels_than_an_hd_frame(most: int, side: int, scale: int, want: int) -> None:
    contract = Contract(encoding=Encoding.PLATE, radius=0, max_batch=most)
    tiles = plan_tiles(Window(0, 0, side * 10, side * 10), contract, side=side)
    assert batch_size(contract, tiles, Fraction(scale)) == want


_LOOKS = """\
import numpy as np

seen = []


class Model:
    def run(self, tensors, call, /):
        return self.run_batch([tensors], [call])[0]

    def run_batch(self, batch, calls, /):
        seen.append(len(batch))
        out = []
        for tensors, call in zip(batch, calls):
            {per_call}
        return out{after}

    def close(self):
        pass


def load(folder):
    return Model()
"""
_NORMAL = "out.append({'normal': np.concatenate([tensors['image'] * 0, tensors['image'] * 0 + 1], 2)[..., 1:4]})"
_REGION = """\
region, scale = call.region, int(call.scale)
            rows = np.arange(region.y, region.y + region.height) // scale - region.in_y
            columns = np.arange(region.x, region.x + region.width) // scale - region.in_x
            out.append({'image': tensors['image'][np.ix_(rows, columns)]})"""


def _adapter(per_call: str, after: str = "") -> str:
    return _LOOKS.format(per_call=per_call, after=after)


def _batched(most: int) -> tuple[tuple[str, str], ...]:
    return (("radius = 0", f"radius = 0\nmax_batch = {most}"),)


def test_an_adapter_gets_the_tiles_of_a_frame_together(tmp_path: Path) -> None:
    edit = (*_batched(3), ('role = "upscale"', 'role = "relight"'), ("scales = [1, 2]\n", ""))
    for params, per_call, changes in (
        (UpscaleParams(scale=Fraction(1), tile=32), _REGION, _batched(3)),
        (RelightParams(tile=32, method="ratio"), _NORMAL, edit),
    ):
        folder = make_pack(tmp_path / params.role.value, edit=changes, adapter=_adapter(per_call))
        assert _sizes(folder, params)[-4:] in ([3, 3, 3, 1], [3, 3, 1, 3]), params.role


def _sizes(folder: Path, params: RoleParams) -> list[int]:
    """How many tiles came in each call for a frame of ten tiles."""
    engine = LocalEngine(device="cpu", extra_packs=(folder,))
    plate = blank_plate(np.full((64, 160, 3), 0.5, np.float32), "RGB", colorspace="ACEScg")
    pack = open_pack(folder)
    engine.run(RoleRequest(pack=pack.pin, params=params, plates={"plate": plate}))
    name = f"understudy._packs.mine_1_0_0_{pack.digest[:12]}"
    seen = [int(number) for number in cast("Any", sys.modules[name]).seen]
    engine.close()
    return seen


def test_too_few_results_are_a_sentence(tmp_path: Path) -> None:
    pack = open_pack(make_pack(tmp_path / "mine", edit=_batched(4), adapter=_adapter(_REGION, "[:1]")))
    model: Any = load_model(pack).model
    call = Call(scale=Fraction(1), region=Region(0, 0, 0, 0, 4, 4))
    with pytest.raises(PackError, match="1 results for a batch of 2"):
        model.run_batch([{"image": np.zeros((4, 4, 3), np.float32)}] * 2, [call, call])


def test_a_pack_whose_tiles_see_each_other_does_not_conform(tmp_path: Path) -> None:
    leaky = _REGION.replace("[np.ix_(rows, columns)]", "[np.ix_(rows, columns)] + np.float32(len(batch) - 1) / 64")
    report = check_pack(make_pack(tmp_path / "leaky", edit=_batched(4), adapter=_adapter(leaky)))
    assert "batches" in {result.name for result in report.failures}
    report = check_pack(make_pack(tmp_path / "sound", edit=_batched(4), adapter=_adapter(_REGION)))
    assert "batches" in {result.name for result in report.results if result.status == "passed"}


@pytest.fixture
def onnx_pack() -> Callable[..., Pack]:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from unit.runtimes import onnx_models

    def make(folder: Path, max_batch: int, batch: int | str = "n") -> Pack:
        edit = (("scales = [1]", "scales = [2]"), ("radius = 0", f"radius = 5\nmax_batch = {max_batch}"))
        return onnx_models.onnx_pack(folder, onnx_models.network(batch=batch), edit)

    return make


def test_a_network_gives_the_same_bytes_in_batches_of_any_size(tmp_path: Path, onnx_pack: Callable[..., Pack]) -> None:
    pixels = np.random.default_rng(2).normal(0.2, 0.4, (75, 131, 4)).astype(np.float32)
    plate = blank_plate(pixels, "RGBA", colorspace="ACEScg")
    results = []
    for most in (1, 2, 3, 8, 64):
        pack = onnx_pack(tmp_path / f"p{most}", most)
        engine = LocalEngine(device="cpu", extra_packs=(pack.folder,))
        steps: list[tuple[int, int]] = []
        request = RoleRequest(pack=pack.pin, params=UpscaleParams(scale=Fraction(2), tile=24), plates={"plate": plate})
        control = Control(progress=lambda done, total, steps=steps: steps.append((done, total)))  # type: ignore[misc]  # mypy can't infer it
        out = engine.run(request, control)
        results.append(out.plates["plate"].pixels.tobytes())
        assert steps == [(done, 24) for done in range(1, 25)]
        engine.close()
    assert len(set(results)) == 1


def test_cancel_is_asked_for_between_tiles(tmp_path: Path, onnx_pack: Callable[..., Pack]) -> None:
    pack = onnx_pack(tmp_path / "p", 4)
    engine = LocalEngine(device="cpu", extra_packs=(pack.folder,))
    plate = blank_plate(np.zeros((48, 96, 3), np.float32), "RGB", colorspace="ACEScg")
    done: list[int] = []
    control = Control(progress=lambda step, _: done.append(step), cancelled=lambda: len(done) >= 5)
    request = RoleRequest(pack=pack.pin, params=UpscaleParams(scale=Fraction(2), tile=16), plates={"plate": plate})
    with pytest.raises(JobCancelledError):
        engine.run(request, control)
    assert done == [1, 2, 3, 4, 5]
    engine.close()


def test_a_graph_for_one_image_may_not_promise_batches(tmp_path: Path, onnx_pack: Callable[..., Pack]) -> None:
    load_model(onnx_pack(tmp_path / "one", 1, batch=1)).model.close()
    with pytest.raises(PackError, match=r"takes one image a call, and the manifest says contract.max_batch = 4"):
        load_model(onnx_pack(tmp_path / "four", 4, batch=1))
