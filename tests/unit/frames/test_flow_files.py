# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from understudy.contracts.errors import InputError, MissingFileError, UnsupportedFileError
from understudy.frames.flow_files import read_flow
from unit.quality import layouts


def test_a_flo_file_gives_its_vectors_and_what_it_does_not_know(tmp_path: Path) -> None:
    vectors = np.random.default_rng(1).normal(0, 30, (5, 7, 2)).astype(np.float32)
    stored = vectors.copy()
    stored[1, 2] = 1e10
    stored[3, 4, 0] = np.nan
    field = read_flow(layouts.write_flo(tmp_path / "a.flo", stored))
    unknown = np.zeros((5, 7), np.bool_)
    unknown[1, 2] = unknown[3, 4] = True
    assert np.array_equal(field.known, ~unknown)
    assert np.array_equal(field.vectors[field.known], vectors[field.known])
    assert not field.vectors[unknown].any()


def test_a_kitti_file_gives_its_vectors_in_steps_of_a_64th(tmp_path: Path) -> None:
    vectors = np.random.default_rng(2).integers(-20000, 20000, (6, 5, 2)).astype(np.float32) / np.float32(64)
    known = np.ones((6, 5), np.bool_)
    known[2] = False
    field = read_flow(layouts.write_kitti(tmp_path / "a.png", vectors, known))
    assert np.array_equal(field.known, known)
    assert np.array_equal(field.vectors, vectors * known[..., None])


def test_damaged_files_end_in_a_sentence(tmp_path: Path) -> None:
    flo = layouts.write_flo(tmp_path / "a.flo", layouts.flow()).read_bytes()
    png = layouts.write_kitti(tmp_path / "a.png", layouts.flow(), np.ones((48, 64), np.bool_)).read_bytes()
    eight = layouts.write_picture(tmp_path / "eight.png", layouts.drawn()).read_bytes()
    broken = {
        "short.flo": flo[:-5],
        "long.flo": flo + b"x",
        "tag.flo": b"text" + flo[4:],
        "empty.flo": b"",
        "huge.flo": flo[:4] + np.array([1 << 30, 1 << 30], "<i4").tobytes() + flo[12:],
        "negative.flo": flo[:4] + np.array([-64, -48], "<i4").tobytes() + flo[12:],
        "short.png": png[: len(png) // 2],
        "hole.png": png[: len(png) // 2] + png[-12:],
        "text.png": b"no picture",
        "eight.png": eight,
    }
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match="is damaged") as caught:
            read_flow(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(MissingFileError):
        read_flow(tmp_path / "none.flo")
    (tmp_path / "a.exr").write_bytes(b"x")
    with pytest.raises(UnsupportedFileError, match="no motion file"):
        read_flow(tmp_path / "a.exr")
