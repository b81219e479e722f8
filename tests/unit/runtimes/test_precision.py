# SPDX-License-Identifier: Apache-2.0
"""A pack with a float16 graph beside its own."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from onnx import ModelProto, TensorProto, helper, numpy_helper

from understudy.contracts.errors import ManifestError
from understudy.contracts.model import Call, Region
from understudy.packs import Pack, open_pack, write_hashes
from understudy.runtimes import load_model
from unit.packs.pack_folders import make_pack
from unit.runtimes.onnx_models import double, model, onnx_pack, value

_HALF = '[runtime.float16]\nfile = "half.onnx"\n\n[contract]\nprecisions = ["float32", "float16"]'
_SHAPE = (1, 3, "h", "w")


def triple16() -> ModelProto:
    """Times three in float16, so that its results are not those of `double`."""
    three = numpy_helper.from_array(np.array(3, np.float16), "three")
    x, y = (value(name, _SHAPE, TensorProto.FLOAT16) for name in "xy")
    return model([helper.make_node("Mul", ["x", "three"], ["y"])], [x], [y], [three])


def half_pack(folder: Path) -> Pack:
    first = (('kind = "python"', 'kind = "onnx"'), ('"adapter.py"', '"model.onnx"'), ("[1, 2]", "[1]"))
    make_pack(folder, edit=(*first, ("[contract]", _HALF)), pin=False)
    (folder / "model.onnx").write_bytes(double().SerializeToString())
    (folder / "half.onnx").write_bytes(triple16().SerializeToString())
    assert write_hashes(folder) == ("model.onnx", "half.onnx")
    return open_pack(folder)


def test_each_precision_has_its_graph(tmp_path: Path) -> None:
    pack = half_pack(tmp_path / "mine")
    image = np.linspace(-2, 70000, 4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3)
    call = Call(region=Region(0, 0, 0, 0, 5, 4))
    exact = load_model(pack, device="cpu")
    assert exact.note == ""
    assert np.array_equal(exact.model.run({"image": image}, call)["image"], image * 2)
    half = load_model(pack, device="cpu", precision="float16")
    assert half.note == "computes in float16"
    small = image[:1] / np.float32(1000)
    got = half.model.run({"image": small}, Call(region=Region(0, 0, 0, 0, 5, 1)))["image"]
    assert got.dtype == np.float32
    assert np.array_equal(got, (small.astype(np.float16) * np.float16(3)).astype(np.float32))


def test_a_pack_without_one_says_so(tmp_path: Path) -> None:
    loaded = load_model(onnx_pack(tmp_path / "mine", double()), device="cpu", precision="float16")
    assert loaded.note == "mine has no float16 graph"


def test_the_second_graph_is_part_of_the_digest(tmp_path: Path) -> None:
    pack = half_pack(tmp_path / "mine")
    (pack.folder / "half.onnx").write_bytes(double().SerializeToString())
    write_hashes(pack.folder)
    assert open_pack(pack.folder).digest != pack.digest


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        ((', "float16"]', "]"), 'contract.precisions: lacks float16, which runtime.float16 is; add "float16"'),
        (('kind = "onnx"', 'kind = "python"'), "runtime.float16: is a second graph of an ONNX pack"),
        (('"half.onnx"', '"nothing.onnx"'), 'runtime.float16.file: there is no file "nothing.onnx"'),
    ],
)
def test_manifests_that_are_wrong_of_it(tmp_path: Path, edit: tuple[str, str], problem: str) -> None:
    folder = half_pack(tmp_path / "mine").folder
    path = folder / "pack.toml"
    path.write_text(path.read_text().replace(*edit))
    with pytest.raises(ManifestError) as caught:
        open_pack(folder)
    assert problem in str(caught.value)
