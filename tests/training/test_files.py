# SPDX-License-Identifier: Apache-2.0
"""The files that training writes are what other programs read. No torch needed."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from numpy.typing import NDArray

from understudy.runtimes.safetensors_file import check_safetensors
from understudy_training.errors import TrainingError
from understudy_training.log import Event, RunLog, read_log
from understudy_training.png import write_png
from understudy_training.safetensors_file import read_safetensors, write_safetensors
from understudy_training.toml_text import toml_text


def test_safetensors_come_back_and_pass_the_check_of_packs(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tensors: dict[str, NDArray[Any]] = {
        "b.weight": rng.random((2, 3, 1), np.float32),
        "a": np.arange(4),
        "strided": rng.random((4, 6), np.float32).T,
        "scalar": np.array(2.5, np.float32),
    }
    path = tmp_path / "w.safetensors"
    write_safetensors(path, tensors, {"recipe": "é"})
    check_safetensors(path)
    back, metadata = read_safetensors(path)
    assert metadata == {"recipe": "é"}
    assert set(back) == set(tensors)
    for name, array in tensors.items():
        assert back[name].dtype == array.dtype
        assert np.array_equal(back[name], array)
    first = path.read_bytes()
    write_safetensors(path, dict(reversed(tensors.items())), {"recipe": "é"})
    assert path.read_bytes() == first
    assert [entry.name for entry in tmp_path.iterdir()] == ["w.safetensors"]


@pytest.mark.parametrize("data", [b"", b"\x08\0\0\0\0\0\0\0notjson!", b"\xff" * 64])
def test_what_is_no_safetensors_file_is_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    with pytest.raises(TrainingError, match="no safetensors file"):
        read_safetensors(path)


def test_a_png_reads_back_pixel_for_pixel(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
    write_png(tmp_path / "p.png", pixels)
    read = oiio.ImageBuf(str(tmp_path / "p.png")).get_pixels(oiio.UINT8)
    assert read is not None
    assert np.array_equal(read, pixels)


def test_toml_text_reads_back() -> None:
    document = {"a": 'x"\\é', "b": [1, 2.5, True], "t": {"c": -1e-9, "inner": {"d": "e"}}, "last": {"f": False}}
    assert tomllib.loads(toml_text(document)) == document


def test_a_log_outlives_a_line_cut_short(tmp_path: Path) -> None:
    heard: list[Event] = []
    log = RunLog(tmp_path / "log.jsonl", heard.append)
    log.write("step", loss=1 / 3, bad=float("nan"))
    with (tmp_path / "log.jsonl").open("a") as stream:
        stream.write('{"event": "st')
    RunLog(tmp_path / "log.jsonl", heard.append).write("resumed", step=1)
    assert (
        read_log(tmp_path / "log.jsonl")
        == heard
        == [{"event": "step", "loss": 0.333333, "bad": None}, {"event": "resumed", "step": 1}]
    )
