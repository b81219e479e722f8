# SPDX-License-Identifier: Apache-2.0
"""ComfyUI's nodes: real tensors, the real command, an executor that keeps ComfyUI's contract."""

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from understudy.frames.read import read_plate  # noqa: E402
from unit.bridge.comfy_host import PACK, Executor, InvalidError, comfy_api, load_pack, v3_nodes  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module", autouse=True)
def command(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The command of this source tree."""
    path = tmp_path_factory.mktemp("bin") / "understudy"
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{":".join(sys.path)}" exec "{sys.executable}" -m understudy "$@"\n')
    path.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNDERSTUDY_EXECUTABLE", str(path))
        yield path


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(load_pack().NODE_CLASS_MAPPINGS)


def pictures(count: int = 2, channels: int = 3) -> Any:
    """HDR, negatives and a moving square."""
    images = torch.linspace(-0.5, 60.0, count * 20 * 28 * channels).reshape(count, 20, 28, channels)
    for index, image in enumerate(images):
        image[5:12, 6 + index : 14 + index] = 500.0
    return images


def node(executor: Executor, name: str, **inputs: Any) -> Any:
    cls: Any = executor.mappings[name]
    types_of = cls.INPUT_TYPES()
    told = {**types_of["required"], **types_of["optional"]}
    knobs = {key: facts["default"] for key, (_, facts) in told.items() if "default" in facts}
    return cls().run(**{**knobs, **inputs})


def test_a_picture_that_is_passed_as_a_file_is_the_same_bit_for_bit(tmp_path: Path) -> None:
    exr = sys.modules[f"{load_pack().__name__}.exr"]
    for names in (("Y",), ("R", "G", "B"), ("R", "G", "B", "A")):
        pixels = torch.randn(7, 5, len(names)) * 1e4
        exr.write_exr(tmp_path / "a.exr", pixels, names)
        back = exr.read_exr(tmp_path / "a.exr")
        assert torch.equal(back.over_display(names), pixels)
        plate = read_plate(tmp_path / "a.exr", frame=None, colorspace="Raw")
        assert np.array_equal(plate.take(names), pixels.numpy())


def test_load_and_save_clip_nothing(executor: Executor, tmp_path: Path) -> None:
    images = pictures()
    workflow = {
        "1": {
            "class_type": "UnderstudyLoad",
            "inputs": {"file": str(tmp_path / "in.####.exr"), "colorspace": "ACEScg", "to": "ACEScg"},
        },
        "2": {
            "class_type": "UnderstudySave",
            "inputs": {
                "images": ["1", 0], "alpha": ["1", 1], "file": str(tmp_path / "out.%04d.exr"), "colorspace": "ACEScg",
                "to": "same as the image", "sample_type": "float", "compression": "zip", "first_frame": ["1", 2],
            },
        },
    }  # fmt: skip
    exr = sys.modules[f"{load_pack().__name__}.exr"]
    for index, image in enumerate(images):
        exr.write_exr(tmp_path / f"in.{991 + index:04d}.exr", image, ("R", "G", "B"))
    executor.runs.clear()
    results = executor.run(workflow)
    assert torch.equal(results["1"][0], images)
    assert results["1"][2] == 991
    assert executor.runs == ["1", "2"]
    assert executor.run(workflow) == results
    assert executor.runs == ["1", "2"], "nothing changed"
    for index, image in enumerate(images):
        plate = read_plate(tmp_path / f"out.{991 + index:04d}.exr", frame=None, colorspace="Raw")
        assert np.array_equal(plate.take(("R", "G", "B")), image.numpy())
        assert np.array_equal(plate.take(("A",)), np.ones((20, 28, 1), np.float32))
    exr.write_exr(tmp_path / "in.0991.exr", images[0] * 2, ("R", "G", "B"))
    assert torch.equal(executor.run(workflow)["1"][0][0], images[0] * 2)


def test_spaces_are_converted_and_come_back(executor: Executor, tmp_path: Path) -> None:
    images = pictures(1)
    node(
        executor, "UnderstudySave", images=images, file=str(tmp_path / "a.exr"), colorspace="Linear Rec.709 (sRGB)",
        to="ACES2065-1", sample_type="float",
    )  # fmt: skip
    raw = read_plate(tmp_path / "a.exr", frame=None, colorspace="Raw")
    assert not np.allclose(raw.take(("R", "G", "B")), images[0].numpy(), rtol=1e-2)
    loaded, alpha, first = node(
        executor, "UnderstudyLoad", file=str(tmp_path / "a.exr"), colorspace="ACES2065-1", to="Linear Rec.709 (sRGB)"
    )
    assert torch.allclose(loaded, images, rtol=1e-4, atol=1e-4)
    assert (alpha.min(), first) == (1.0, 1)


def test_a_source_picture_of_a_retime_is_the_very_picture(executor: Executor) -> None:
    images = pictures(3)
    slow, doubt = node(executor, "UnderstudyRetime", images=images, speed=0.5, colorspace="ACEScg", pack="default")
    assert slow.shape == (5, 20, 28, 3)
    assert torch.equal(slow[::2], images)
    assert torch.equal(doubt[::2], torch.ones_like(doubt[::2]))
    assert doubt.shape == (5, 20, 28)


def test_the_upscale_is_the_commands_own(executor: Executor, command: Path, tmp_path: Path) -> None:
    images = pictures(1, channels=4)
    large, doubt = node(executor, "UnderstudyUpscale", images=images, scale=2.0, pack="lanczos", colorspace="ACEScg")
    exr = sys.modules[f"{load_pack().__name__}.exr"]
    exr.write_exr(tmp_path / "a.1001.exr", images[0], ("R", "G", "B", "A"))
    call = [str(command), "upscale", str(tmp_path / "a.%04d.exr"), str(tmp_path / "b.%04d.exr"), "--scale", "2"]
    subprocess.run([*call, "--pack", "lanczos", "--colorspace", "ACEScg"], check=True, capture_output=True)
    plate = read_plate(tmp_path / "b.1001.exr", frame=None, colorspace="Raw")
    assert np.array_equal(plate.take(("R", "G", "B", "A")), large[0].numpy())
    assert (large.max() > 400, doubt.shape) == (True, (1, 40, 56))


def test_vectors_and_new_light(executor: Executor) -> None:
    images = pictures(2)
    forward, backward, doubt = node(
        executor, "UnderstudyMotion", images=images, colorspace="ACEScg", pack="identity-motion"
    )
    assert forward.shape == backward.shape == (2, 20, 28, 3)
    assert not forward[..., :2].any()
    assert doubt.shape == (2, 20, 28)
    normals = torch.full((2, 20, 28, 3), 0.5)
    normals[..., 2] = 1.0
    lights = json.dumps({"lights": [{"name": "key", "type": "directional", "direction": [0, 0, 1], "intensity": 2}]})
    relit, _ = node(
        executor, "UnderstudyRelight", images=images, lights=lights, method="aov", normals=normals,
        albedo=torch.full_like(images, 0.5), colorspace="ACEScg",
    )  # fmt: skip
    assert relit.shape == images.shape
    assert relit.std() < 1e-3, "a flat gray wall under one sun is flat"
    assert relit.mean() > 0


def test_mistakes_come_as_sentences(executor: Executor, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"Understudy: .*nowhere"):
        node(executor, "UnderstudyLoad", file=str(tmp_path / "nowhere.%04d.exr"), colorspace="ACEScg")
    with pytest.raises(ValueError, match="no place for the frame number"):
        node(executor, "UnderstudySave", images=pictures(2), file=str(tmp_path / "a.exr"))
    with pytest.raises(ValueError, match="lights: not JSON"):
        node(executor, "UnderstudyRelight", images=pictures(1), lights="{", method="auto")
    with pytest.raises(InvalidError, match="out of range"):
        executor.run({"1": {"class_type": "UnderstudySave", "inputs": {}} | _save(pictures(1), first_frame=-1)})


def _save(images: Any, **knobs: Any) -> dict[str, Any]:
    inputs = {
        "images": images, "file": "a.exr", "colorspace": "ACEScg", "to": "ACEScg", "sample_type": "half",
        "compression": "zip", "first_frame": 1,
    }  # fmt: skip
    return {"inputs": {**inputs, **knobs}}


def test_cancel_ends_the_command_and_raises_what_the_host_knows(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    class InterruptError(Exception):
        pass

    def throw() -> None:
        raise InterruptError

    management = types.ModuleType("comfy.model_management")
    management.processing_interrupted = lambda: True  # type: ignore[attr-defined] # a stand-in
    management.throw_exception_if_processing_interrupted = throw  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "comfy", types.ModuleType("comfy"))
    monkeypatch.setitem(sys.modules, "comfy.model_management", management)
    with pytest.raises(InterruptError):
        node(executor, "UnderstudyUpscale", images=pictures(3), scale=2.0)


def test_both_apis_declare_the_same(executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "comfy_api", types.ModuleType("comfy_api"))
    monkeypatch.setitem(sys.modules, "comfy_api.latest", comfy_api())
    monkeypatch.delitem(sys.modules, f"{load_pack().__name__}.v3", raising=False)
    third = v3_nodes(load_pack())
    assert set(third) == set(executor.mappings)
    for name, cls in third.items():
        schema, first = cls.define_schema(), executor.mappings[name]
        types_of: Any = first.INPUT_TYPES()  # type: ignore[attr-defined]
        assert [one.id for one in schema.inputs] == [*_names(load_pack(), name)]
        assert {one.id for one in schema.inputs if not one.optional} == set(types_of["required"])
        assert [one.kind.upper() for one in schema.outputs] == list(first.RETURN_TYPES)  # type: ignore[attr-defined]
        assert schema.is_output_node == first.OUTPUT_NODE  # type: ignore[attr-defined]
    saved = third["UnderstudySave"].execute(**_save(pictures(1), file=str(tmp_path / "v3.exr"))["inputs"])
    assert saved.args == (str(tmp_path / "v3.exr"),)
    assert (tmp_path / "v3.exr").is_file()


def _names(pack: Any, node_id: str) -> list[str]:
    return [one.name for node in pack.NODES if node.id == node_id for one in node.inputs]


def test_packs_are_offered_and_a_missing_command_breaks_nothing(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = sys.modules[f"{load_pack().__name__}.knobs"]
    monkeypatch.setattr(knobs, "_packs", (float("-inf"), {}))
    assert {"default", "lanczos", "leaves-small"} <= set(knobs.packs_of("upscale"))
    monkeypatch.setattr(knobs, "_packs", (float("-inf"), {}))
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", "/nowhere")
    assert knobs.packs_of("upscale") == ["default"]


def test_the_pack_imports_nothing_that_a_host_must_not_load() -> None:
    program = (
        "import sys, importlib.util as u\n"
        f"f = {str(PACK)!r}\n"
        "s = u.spec_from_file_location('p', f + '/__init__.py', submodule_search_locations=[f])\n"
        "m = u.module_from_spec(s); sys.modules['p'] = m; s.loader.exec_module(m)\n"
        "print(sorted({n.partition('.')[0] for n in sys.modules} & {'grpc', 'google', 'understudy', 'OpenImageIO'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
