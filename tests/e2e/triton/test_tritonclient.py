# SPDX-License-Identifier: Apache-2.0
"""Unmodified tritonclient asks a real service; what comes back is compared with the engine in this process."""

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from e2e.triton.conftest import Run
from understudy.contracts.jobs import PackPin
from understudy.contracts.model import Call, Region
from understudy.roles.engine import LocalEngine

pytestmark = [pytest.mark.e2e, pytest.mark.tritonclient]
_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    made = LocalEngine()
    yield made
    made.close()


def test_everything_is_as_the_engine_has_it(run: Run, address: str, engine: LocalEngine, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    image = rng.normal(0, 100, (60, 90, 3)).astype(np.float32)
    a, b = (rng.random((64, 96, 3), np.float32) for _ in "ab")
    np.savez(tmp_path / "inputs.npz", image=image, a=a, b=b)
    run(_HERE / "everything.py", address, str(tmp_path))
    told, got = json.loads((tmp_path / "told.json").read_text()), np.load(tmp_path / "outputs.npz")

    with engine.lease(PackPin(id="lanczos")) as lanczos:
        call = Call(scale=Fraction(2), region=Region(0, 0, 0, 0, 180, 120), options=lanczos.settle({}))
        larger = lanczos.run({"image": image}, call)["image"]
        from_half = lanczos.run({"image": image.astype(np.float16).astype(np.float32)}, call)["image"]
    with engine.lease(PackPin(id="dis-draft")) as motion:
        vectors = motion.run({"a": a, "b": b}, Call(options=motion.settle({})))
    nchw = image.transpose(2, 0, 1)[np.newaxis]
    assert got["lanczos"].tobytes() == got["streamed"].tobytes() == larger.tobytes()
    assert got["lanczos_half"].tobytes() == np.clip(from_half, -65504, 65504).astype(np.float16).tobytes()
    assert np.array_equal(got["onnx"], nchw.repeat(2, 2).repeat(2, 3))
    assert np.array_equal(got["shared"], nchw)
    for name in ("forward", "backward"):
        assert got[name].tobytes() == vectors[name].tobytes()

    assert told["live"] == [True] * 3
    assert told["server"]["name"] == "understudy"
    packs = {(info.pin.id, info.pin.version) for info in engine.info().packs}
    assert {(model["name"], model["version"]) for model in told["index"]} == packs
    onnx = told["metadata"]["identity-onnx-upscale"]
    assert [(t["name"], t["datatype"], t["shape"]) for t in onnx["outputs"]] == [
        ("image_out", "FP32", ["1", "3", "-1", "-1"])
    ]
    assert [t["name"] for t in told["metadata"]["dis-draft"]["inputs"]] == ["a", "b"]
    assert told["config"]["input"][1] == {"name": "scale", "data_type": "TYPE_FP32", "dims": ["1"], "optional": True}
    assert told["id"] == "7"
    assert list(told["regions"]["regions"]) == ["r"]
    assert told["beyond"][0] == "StatusCode.INVALID_ARGUMENT"
    assert told["unregistered"][0] == told["missing"][0] == "StatusCode.NOT_FOUND"
    assert told["cuda"][0] == "StatusCode.UNIMPLEMENTED"
    assert told["timeout"][0] == "StatusCode.DEADLINE_EXCEEDED"
    first, second, third = told["streamed"]
    assert (first, third) == ("lanczos", "lanczos")
    assert 'no pack "nobody"' in second
    loaded = next(model for model in told["loaded"] if model["name"] == "lanczos")
    assert (loaded["state"], loaded.get("reason", "")) == ("READY", "")
    (statistics,) = told["statistics"]
    assert int(statistics["inference_count"]) >= 4
    assert int(statistics["inference_stats"]["compute_infer"]["ns"]) > 0


@pytest.mark.parametrize("first", [0, 1])
def test_both_copies_of_the_protocol_fit_in_one_process_and_agree(run: Run, first: int) -> None:
    modules = ["tritonclient.grpc", "understudy.inference_protocol.messages"]
    order = (modules[first], modules[1 - first])
    said = json.loads(run(_HERE / "descriptors.py", *order, python_path=str(_ROOT / "src")))
    assert said["wrong"] == []
    assert said["messages"] > 40


def test_the_code_of_the_guide_runs(run: Run, address: str, tmp_path: Path) -> None:
    guide = _ROOT / "docs" / "guides" / "tritonclient.md"
    if not guide.is_file():
        pytest.skip("docs/ is not beside these tests")
    blocks = re.findall(r"^```python\n(.*?)^```$", guide.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 5
    code = "\n".join(blocks)
    assert code.count('"127.0.0.1:7433"') == 1
    (tmp_path / "guide.py").write_text(code.replace("127.0.0.1:7433", address), encoding="utf-8")
    assert "lanczos 1.0.0 READY" in run(tmp_path / "guide.py")
