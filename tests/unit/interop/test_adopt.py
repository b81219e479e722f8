# SPDX-License-Identifier: Apache-2.0
"""Models of other people become packs that play through the engine as they should."""

import json
import os
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from understudy.conformance import check_pack
from understudy.contracts.errors import (
    MissingFileError,
    PackError,
    UnderstudyError,
    UnreadableFileError,
    UnsupportedFileError,
    UsageError,
)
from understudy.contracts.jobs import InterpolateParams, MotionParams, PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import FloatImage, blank_plate
from understudy.interop.adopt import Adopted, adopt, slug
from understudy.packs import open_pack
from understudy.roles.engine import LocalEngine
from unit.interop import models


def _adopted(path: Path, **given: Any) -> Adopted:
    folder = path.parent / f"pack-{len(list(path.parent.iterdir()))}"
    folder.mkdir()
    return adopt(path, folder, **given)


def _enlarged(folder: Path, light: FloatImage, scale: int = 2) -> FloatImage:
    engine = LocalEngine(device="cpu", extra_packs=(folder,))
    plate = blank_plate(light, ("R", "G", "B"), colorspace="lin_rec709_scene")
    request = RoleRequest(
        pack=PackPin(id=open_pack(folder).id), params=UpscaleParams(scale=Fraction(scale)), plates={"plate": plate}
    )
    try:
        return engine.run(request).plates["plate"].pixels
    finally:
        engine.close()


def test_an_upscaler_conforms_but_for_its_rights(tmp_path: Path) -> None:
    adopted = _adopted(models.write(tmp_path / "My Doubler_v2.onnx", models.doubler()))
    pack = open_pack(adopted.folder)
    contract = pack.manifest.contract
    assert (pack.id, pack.role.value, contract.channels, contract.scales) == ("my-doubler-v2", "upscale", 3, (2.0,))
    assert (contract.multiple_of, contract.minimum_size, contract.radius) == (1, 1, 1)
    failed = [result.name for result in check_pack(adopted.folder).failures]
    assert failed == ["rights"]
    info = pack.info()
    assert info.badge == "red"
    assert "it is unknown what it learned from, and no show approved it" in info.badge_reasons
    assert pack.rights_record == "agrees"


def test_the_model_sees_display_codes_and_highlights_are_carried(tmp_path: Path) -> None:
    folder = _adopted(models.write(tmp_path / "d.onnx", models.doubler())).folder
    light = np.full((24, 24, 3), 0.18, np.float32)
    light[8:16, 8:16] = 50.0
    out = _enlarged(folder, light)
    assert float(np.abs(out[4, 4] - 0.18).max()) < 1e-4
    assert float(out[24, 24].min()) == pytest.approx(50, rel=1e-4)


@pytest.mark.parametrize("channels", [1, 3, "c"])
def test_channels_are_found(tmp_path: Path, channels: int | str) -> None:
    draft = _adopted(models.write(tmp_path / "d.onnx", models.doubler(channels))).draft
    assert draft.contract["channels"][0] == (channels if isinstance(channels, int) else 3)


def test_a_model_of_255_is_told_by_what_it_makes_of_a_picture(tmp_path: Path) -> None:
    adopted = _adopted(models.write(tmp_path / "bytes.onnx", models.doubler(steps=True)))
    assert adopted.draft.tensors["input_gain"] > 255
    light = np.linspace(0.05, 0.9, 32, dtype=np.float32)[None, :, None] * np.ones((32, 1, 3), np.float32)
    out = _enlarged(adopted.folder, light)
    truth = np.repeat(np.repeat(light, 2, axis=0), 2, axis=1)
    assert float(np.abs(out - truth)[8:-8, 8:-8].max()) < 0.03


def test_a_model_of_one_size_is_tiled(tmp_path: Path) -> None:
    adopted = _adopted(models.write(tmp_path / "d.onnx", models.doubler(size=(64, 64))))
    assert adopted.draft.contract["radius"][0] == 1
    light = np.random.default_rng(2).uniform(0.1, 0.9, (100, 90, 3)).astype(np.float32)
    free = _adopted(models.write(tmp_path / "free.onnx", models.doubler()))
    assert np.allclose(_enlarged(adopted.folder, light), _enlarged(free.folder, light), atol=1e-5)


def test_a_model_in_half_floats_is_said_to_be_one(tmp_path: Path) -> None:
    adopted = _adopted(models.write(tmp_path / "d.onnx", models.doubler(half=True)))
    assert open_pack(adopted.folder).manifest.contract.precisions == ("float16",)
    assert [result.name for result in check_pack(adopted.folder).failures] == ["rights"]


def test_normals_are_a_relight_pack(tmp_path: Path) -> None:
    adopted = _adopted(models.write(tmp_path / "n.onnx", models.facing()))
    manifest = open_pack(adopted.folder).manifest
    assert (manifest.role.value, manifest.runtime.tensors.outputs) == ("relight", {"normal": "normal"})
    assert [result.name for result in check_pack(adopted.folder).failures] == ["rights"]


def test_steps_of_the_size_are_found(tmp_path: Path) -> None:
    adopted = _adopted(models.write(tmp_path / "d.onnx", models.doubler(padded=4)))
    assert adopted.draft.contract["multiple_of"][0] == 4
    assert [result.name for result in check_pack(adopted.folder).failures] == ["rights"]


def test_a_model_that_looks_at_the_whole_frame_gets_no_tiles(tmp_path: Path) -> None:
    draft = _adopted(models.write(tmp_path / "d.onnx", models.whole_frame())).draft
    assert draft.contract["radius"][0] == -1
    assert draft.contract["scales"][0] == [1]


@pytest.mark.parametrize(("stacked", "step", "unit"), [(False, 1, 1.0), (True, 1, 1.0), (False, 4, 0.25)])
def test_motion_models_of_every_habit_give_pixels(tmp_path: Path, *, stacked: bool, step: int, unit: float) -> None:
    adopted = _adopted(models.write(tmp_path / "flow.onnx", models.drift(stacked=stacked, step=step, unit=unit)))
    assert adopted.draft.role.value == "motion"
    engine = LocalEngine(device="cpu", extra_packs=(adopted.folder,))
    gray = np.full((128, 160, 3), 0.2, np.float32)
    plates = {name: blank_plate(gray, ("R", "G", "B"), colorspace="ACEScg", frame=n) for n, name in enumerate("ab")}
    out = engine.run(RoleRequest(pack=PackPin(id="flow"), params=MotionParams(), plates=plates)).plates
    engine.close()
    assert np.allclose(out["a"].take(("forward.u", "forward.v")), (3, 2), atol=1e-4)  # v up in plates
    assert np.allclose(out["b"].take(("backward.u", "backward.v")), (3, 2), atol=1e-4)


def test_an_interpolation_model_of_other_names_mixes_the_plates_own_pixels(tmp_path: Path) -> None:
    adopted = _adopted(models.write(tmp_path / "mid.onnx", models.between()))
    assert adopted.draft.role.value == "interpolate"
    assert [result.name for result in check_pack(adopted.folder).failures] == ["rights"]
    engine = LocalEngine(device="cpu", extra_packs=(adopted.folder,))
    light = np.random.default_rng(4).uniform(0, 90, (2, 24, 32, 3)).astype(np.float32)
    plates = {name: blank_plate(light[n], ("R", "G", "B"), colorspace="ACEScg", frame=n) for n, name in enumerate("ab")}
    params = InterpolateParams(outputs=((Fraction(1, 4),),), motion_pack="identity-motion")
    out = engine.run(RoleRequest(pack=PackPin(id="mid"), params=params, plates=plates)).plates["0"].take("RGB")
    engine.close()
    assert np.allclose(out, 0.75 * light[0] + 0.25 * light[1], rtol=1e-4, atol=1e-3)


def test_an_interpolation_model_that_paints_the_picture_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = models.write(tmp_path / "paint.onnx", models.between())
    graph = onnx.load(str(path))
    del graph.graph.output[1:]
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(PackError, match="export the model before it makes a picture"):
        _adopted(path, role="interpolate")


def test_flames_sidecar_is_followed(tmp_path: Path) -> None:
    path = models.write(tmp_path / "grade.onnx", models.doubler())
    document = {
        "ModelDescription": {
            "MinimumVersion": "2025.2",
            "Name": "Nice Doubler",
            "Description": "Doubles.",
            "SupportsSceneLinear": True,
            "KeepAspectRatio": False,
            "Padding": 8,
            "Inputs": [{"Name": "input", "Description": "", "Type": "Front", "Gain": 4.0, "Channels": "BGR"}],
            "Outputs": [
                {
                    "Name": "output", "Description": "", "Type": "Result", "InverseGain": 0.25, "ScalingFactor": 2.0,
                    "Channels": "BGR",
                }
            ],
        }
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(document))
    adopted = _adopted(path)
    manifest = open_pack(adopted.folder).manifest
    assert (manifest.title, manifest.description) == ("Nice Doubler", "Doubles.")
    assert (manifest.contract.encoding, manifest.contract.multiple_of) == ("scene_linear", 8)
    spec = manifest.runtime.tensors
    assert (spec.order, spec.input_gain, spec.output_gain) == ("BGR", 4.0, 0.25)
    light = np.random.default_rng(1).uniform(0, 30, (16, 24, 3)).astype(np.float32)
    out = _enlarged(adopted.folder, light)
    assert float(np.abs(out.reshape(16, 2, 24, 2, 3).mean(axis=(1, 3)) - light).mean()) < 4  # gains undone, order kept
    path.with_suffix(".json").write_text(json.dumps(document).replace("Front", "Matte"))
    with pytest.raises(PackError, match="sidecar has the inputs Matte"):
        _adopted(path)
    path.with_suffix(".json").write_text(json.dumps(document).replace("Padding", "Paddin"))
    with pytest.raises(UsageError, match="Paddin"):
        _adopted(path)


def test_weights_beside_a_graph_come_along(tmp_path: Path) -> None:
    (tmp_path / "k.bin").write_bytes(np.eye(3, dtype=np.float32).tobytes())
    adopted = _adopted(models.write(tmp_path / "far.onnx", models.outside("k.bin")))
    assert [weight.file for weight in open_pack(adopted.folder).manifest.weights] == ["k.bin"]
    assert [result.name for result in check_pack(adopted.folder).failures] == ["rights"]


class _Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.target),)


def test_bad_files_end_in_a_sentence_and_nothing_runs(tmp_path: Path) -> None:
    pickled = pickle.dumps({"w": _Bomb(tmp_path / "pwned")})
    (tmp_path / "escape.bin").write_bytes(bytes(36))
    inner = tmp_path / "inner"
    inner.mkdir()
    graph = models.doubler().SerializeToString()
    cases: dict[str, tuple[bytes, type[UnderstudyError], str]] = {
        "text.onnx": (b"hello, I am no model", PackError, "ONNX file"),
        "cut.onnx": (graph[: len(graph) // 2], PackError, "not a readable ONNX"),
        "empty.onnx": (b"", UnreadableFileError, "is empty"),
        "custom.onnx": (models.custom().SerializeToString(), PackError, 'custom operators of the domain "studio.ops"'),
        "up.onnx": (models.outside("../escape.bin").SerializeToString(), PackError, "outside its pack"),
        "gone.onnx": (models.outside("gone.bin").SerializeToString(), PackError, "undeclared file|gone.bin"),
        "notes.txt": (b"notes", UnsupportedFileError, "no model of a kind"),
        "model.inf": (b"x", UnsupportedFileError, "only Flame can open"),
        "model.cat": (b"x", UnsupportedFileError, "Nuke's own container"),
        "lfs.onnx": (b"version https://git-lfs.github.com/spec/v1\n", UnsupportedFileError, "pointer of Git LFS"),
        "zip.pt": (b"PK\x03\x04 and then nothing", UnsupportedFileError, "an archive without a model"),
        "four.onnx": (models.doubler(4).SerializeToString(), PackError, "takes 4 channels"),
    }
    for name, (data, error, said) in cases.items():
        (inner / name).write_bytes(data)
        with pytest.raises(error, match=said) as caught:
            _adopted(inner / name)
        assert name in str(caught.value)
    (inner / "bomb.pth").write_bytes(pickled)
    with pytest.raises(PackError):
        _adopted(inner / "bomb.pth")
    assert not (tmp_path / "pwned").exists()
    with pytest.raises(MissingFileError):
        _adopted(inner / "none.onnx")


def test_words_that_fit_nothing_are_refused(tmp_path: Path) -> None:
    path = models.write(tmp_path / "d.onnx", models.doubler())
    with pytest.raises(UsageError, match='"upscaling" is no role'):
        _adopted(path, role="upscaling")
    with pytest.raises(UsageError, match="no id of a pack"):
        _adopted(path, pack_id="My Pack")
    with pytest.raises(PackError, match=r"does not run on two pictures|takes"):
        _adopted(path, role="motion")
    assert slug("RealESRGAN_x4plus (1)") == "realesrgan-x4plus-1"
    assert slug("…") == "model"
