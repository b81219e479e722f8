# SPDX-License-Identifier: Apache-2.0
"""Models as themselves: their own names, types and layout, in the caller's memory."""

import threading
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from understudy.contracts.errors import JobCancelledError, PackError, UsageError
from understudy.contracts.model import Call, TensorModel
from understudy.packs import open_pack
from understudy.runtimes import load_model
from understudy.runtimes.load import LoadedModel
from unit.packs.pack_folders import make_pack
from unit.runtimes.onnx_models import double, model, onnx_pack, value

CALL = Call(options={"strength": 1.0, "mode": "soft"})
HALF = (("radius = 0", 'radius = 0\nprecisions = ["float16"]'),)


def half_identity() -> Any:
    """Any channels, float16, the same bytes."""
    shape = (1, "c", "h", "w")
    kind = TensorProto.FLOAT16
    return model([helper.make_node("Identity", ["x"], ["y"])], [value("x", shape, kind)], [value("y", shape, kind)])


def half_pack(folder: Path) -> LoadedModel:
    edit = (*HALF, ('encoding = "acescct"\ndomain = [0.0, 1.0]', 'encoding = "plate"\nchannels = 0'))
    return load_model(onnx_pack(folder, half_identity(), edit))


def run(tensors: TensorModel, feeds: dict[str, NDArray[Any]], call: Call = CALL, dtype: Any = np.float32) -> Any:
    shapes = tensors.output_shapes({name: feed.shape for name, feed in feeds.items()}, call)
    outputs = {name: np.full(shape, np.nan, dtype) for name, shape in shapes.items()}
    tensors.run_tensors(feeds, outputs, call)
    return outputs


def noise(shape: Sequence[int], dtype: Any = np.float32) -> NDArray[Any]:
    return np.random.default_rng(1).normal(0, 100, shape).astype(dtype)


def test_a_graph_shows_its_own_tensors(tmp_path: Path) -> None:
    signature = load_model(onnx_pack(tmp_path / "p", double())).tensors.signature()
    assert (signature.platform, signature.layout) == ("onnxruntime_onnx", "NCHW")
    (taken,), (given,) = signature.inputs, signature.outputs
    assert (taken.name, str(taken.dtype), taken.shape) == ("x", "float32", (1, 3, -1, -1))
    assert (given.name, str(given.dtype), given.shape) == ("y", "float32", (1, 3, -1, -1))


def test_a_graph_is_run_in_the_callers_memory(tmp_path: Path) -> None:
    tensors = load_model(onnx_pack(tmp_path / "p", double())).tensors
    image = noise((1, 3, 7, 9))
    out = run(tensors, {"x": image})["y"]
    assert np.array_equal(out, image * 2)
    for dtype in (np.float16, np.float32):
        got = run(tensors, {"x": image.astype(np.float16)}, dtype=dtype)["y"]
        assert np.array_equal(got, (image.astype(np.float16).astype(np.float32) * 2).astype(dtype))


def test_a_half_graph_passes_bits_and_plays_its_role(tmp_path: Path) -> None:
    loaded = half_pack(tmp_path / "p")
    bits = np.arange(1 << 16, dtype=np.uint16).reshape(1, 4, 128, 128)
    out = run(loaded.tensors, {"x": bits.view(np.float16)}, dtype=np.float16)["y"]
    assert np.array_equal(out.view(np.uint16), bits)  # NaNs too
    picture = noise((6, 5, 4))
    picture[0, 0] = [1e6, -1e6, 65504, 0]
    expected = np.clip(picture, -65504, 65504).astype(np.float16).astype(np.float32)
    assert np.array_equal(loaded.model.run({"image": picture}, CALL)["image"], expected)


def test_a_half_graph_must_be_declared(tmp_path: Path) -> None:
    edit = (('encoding = "acescct"\ndomain = [0.0, 1.0]', 'encoding = "plate"\nchannels = 0'),)
    with pytest.raises(PackError, match="float16"):
        load_model(onnx_pack(tmp_path / "p", half_identity(), edit))


def test_what_half_cannot_hold_is_clamped_and_what_is_not_finite_stays(tmp_path: Path) -> None:
    tensors = load_model(onnx_pack(tmp_path / "p", double())).tensors
    image = np.array([65504, -65504, np.inf, -np.inf, 1, 0], np.float32).reshape(1, 3, 1, 2)
    out = run(tensors, {"x": image}, dtype=np.float16)["y"]
    assert out.reshape(-1).tolist() == [65504, -65504, np.inf, -np.inf, 2, 0]


def test_memory_of_any_alignment_is_read_and_written(tmp_path: Path) -> None:
    tensors = load_model(onnx_pack(tmp_path / "p", double())).tensors
    image = noise((1, 3, 4, 5))
    raw = bytearray(1 + image.nbytes)
    unaligned = np.frombuffer(memoryview(raw)[1:], np.float32).reshape(image.shape)
    unaligned[:] = image
    target = np.frombuffer(memoryview(bytearray(1 + image.nbytes))[1:], np.float32).reshape(image.shape)
    readonly = np.frombuffer(bytes(raw), np.float32, offset=1).reshape(image.shape)
    for feed in (unaligned, readonly):
        tensors.run_tensors({"x": feed}, {"y": target}, CALL)
        assert np.array_equal(target, image * 2)


def test_an_output_of_another_shape_than_promised_is_an_error_and_writes_nothing_beyond(tmp_path: Path) -> None:
    shape = (1, 3, "h", "w")
    pads = helper.make_node("Constant", [], ["p"], value=helper.make_tensor("p", TensorProto.INT64, [8], [0] * 7 + [4]))
    grows = model([pads, helper.make_node("Pad", ["x", "p"], ["y"])], [value("x", shape)], [value("y", shape)])
    tensors = load_model(onnx_pack(tmp_path / "p", grows)).tensors
    memory = np.full(3 * 4 * 5 + 100, 7, np.float32)
    target = memory[: 3 * 4 * 5].reshape(1, 3, 4, 5)
    with pytest.raises(PackError, match="ONNX Runtime failed"):
        tensors.run_tensors({"x": noise((1, 3, 4, 5))}, {"y": target}, CALL)
    assert (memory[3 * 4 * 5 :] == 7).all()


@pytest.mark.parametrize(
    ("feeds", "problem"),
    [
        ({}, "missing"),
        ({"x": (1, 3, 4, 4), "z": (1,)}, "no input of that name"),
        ({"X": (1, 3, 4, 4)}, "there is x"),
        ({"x": (3, 4, 4)}, "shape"),
        ({"x": (2, 3, 4, 4)}, "shape"),
        ({"x": (1, 4, 4, 4)}, "shape"),
        ({"x": (1, 3, 0, 4)}, "shape"),
        ({"x": (1, 3, 6, 4)}, "multiple of 4"),
        ({"x": (1, 3, 4, 8)}, "at least 8"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(tmp_path: Path, feeds: dict[str, tuple[int, ...]], problem: str) -> None:
    edit = (("radius = 0", "radius = 0\nmultiple_of = 4\nminimum_size = 8"),)
    tensors = load_model(onnx_pack(tmp_path / "p", double(), edit)).tensors
    with pytest.raises(UsageError, match=problem):
        tensors.output_shapes(feeds, CALL)


def test_types_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    tensors = load_model(onnx_pack(tmp_path / "p", double())).tensors
    with pytest.raises(UsageError, match="FP16 or FP32"):
        run(tensors, {"x": np.zeros((1, 3, 4, 4), np.int32)})
    with pytest.raises(UsageError, match="does not scale by 2"):
        run(tensors, {"x": noise((1, 3, 4, 4))}, Call(scale=Fraction(2), options=CALL.options))


def test_knobs_of_a_graph_are_inputs_or_come_from_the_call(tmp_path: Path) -> None:
    shape = (1, 3, "h", "w")
    graph = model(
        [helper.make_node("Mul", ["image", "strength"], ["y"])],
        [value("image", shape), value("strength", (1,))],
        [value("y", shape)],
    )
    tensors = load_model(onnx_pack(tmp_path / "p", graph)).tensors
    image = noise((1, 3, 4, 4))
    assert [spec.optional for spec in tensors.signature().inputs] == [False, True]
    call = Call(options={"strength": 1.5, "mode": "soft"})
    assert np.array_equal(run(tensors, {"image": image}, call)["y"], image * np.float32(1.5))
    given = {"image": image, "strength": np.array([0.25], np.float32)}
    assert np.array_equal(run(tensors, given, call)["y"], image * np.float32(0.25))
    with pytest.raises(UsageError, match="float32"):
        run(tensors, {"image": image, "strength": np.array([1])}, call)


def test_a_run_that_is_cancelled_stops(tmp_path: Path) -> None:
    shape = (1, 3, "h", "w")
    nodes = [helper.make_node("Sin", [f"t{n}"], [f"t{n + 1}"]) for n in range(400)]
    graph = model(nodes, [value("t0", shape)], [value("t400", shape)])
    tensors = load_model(onnx_pack(tmp_path / "p", graph)).tensors
    image, target = noise((1, 3, 1000, 1000)), np.empty((1, 3, 1000, 1000), np.float32)
    timers: list[threading.Timer] = []

    def soon(stop: Callable[[], object]) -> None:
        timers.append(threading.Timer(0.02, stop))
        timers[0].start()

    with pytest.raises(JobCancelledError):
        tensors.run_tensors({"t0": image}, {"t400": target}, CALL, when_cancelled=soon)
    timers[0].join()
    small = noise((1, 3, 2, 2))
    assert np.isfinite(run(tensors, {"t0": small})["t400"]).all()  # the next run is not touched


def test_a_python_model_shows_the_tensors_of_its_role(tmp_path: Path) -> None:
    tensors = load_model(open_pack(make_pack(tmp_path / "p"))).tensors
    signature = tensors.signature()
    assert (signature.platform, signature.layout) == ("python", "HWC")
    assert [(spec.name, spec.shape) for spec in signature.inputs] == [("image", (-1, -1, 3))]
    assert [(spec.name, spec.shape) for spec in signature.outputs] == [("image", (-1, -1, 3))]
    image = noise((4, 5, 3))
    call = Call(scale=Fraction(2), options=CALL.options)
    assert np.array_equal(run(tensors, {"image": image}, call)["image"], image.repeat(2, 0).repeat(2, 1))
    half = run(tensors, {"image": image.astype(np.float16)}, dtype=np.float16)["image"]
    assert np.array_equal(half, image.astype(np.float16))


def test_two_pictures_must_be_of_one_size() -> None:
    folder = Path(__file__).parents[3] / "models" / "identity-motion"
    tensors = load_model(open_pack(folder)).tensors
    assert tensors.output_shapes({"a": (8, 9, 3), "b": (8, 9, 3)}, Call()) == {
        "forward": (8, 9, 2),
        "backward": (8, 9, 2),
    }
    with pytest.raises(UsageError, match="one size"):
        tensors.output_shapes({"a": (8, 9, 3), "b": (9, 8, 3)}, Call())
