# SPDX-License-Identifier: Apache-2.0
"""Outputs appear whole or not at all."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.contracts.errors import OutputError
from understudy.contracts.plate import Plate, Window
from understudy.frames import atomic as atomic_module
from understudy.frames import write as write_module
from understudy.frames.atomic import atomic
from understudy.frames.read import read_plate
from understudy.frames.write import WriteOptions, write_plate
from unit.frames.makers import MakePlate

_LOOP = """
import sys
import numpy as np
from understudy.contracts.plate import Plate, Window
from understudy.frames.write import WriteOptions, write_plate
window = Window(0, 0, 640, 400)
pixels = np.random.default_rng(0).random((400, 640, 4), np.float32)
plate = Plate(pixels=pixels, channels=tuple("RGBA"), sample_types=("float",) * 4, data_window=window,
              display_window=window, colorspace="x")
print("ready", flush=True)
for frame in range(100000):
    write_plate(plate, f"{sys.argv[1]}/a.{frame % 3:04d}.exr", WriteOptions(compression="piz"))
"""


def test_killed_writer_leaves_whole_frames_or_none(tmp_path: Path, make_plate: MakePlate) -> None:
    for delay in (0.05, 0.11, 0.17):
        process = subprocess.Popen([sys.executable, "-c", _LOOP, str(tmp_path)], stdout=subprocess.PIPE, env=os.environ)
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for path in tmp_path.glob("a.*.exr"):
            assert read_plate(path, frame=None, colorspace="x").height == 400
    # What the dead left behind goes with the next write there.
    (tmp_path / f".understudy-{atomic_module._host()}-{process.pid}-0.exr").write_bytes(b"half a frame")
    other = tmp_path / f".understudy-another_host-{process.pid}-0.exr"
    other.write_bytes(b"not ours to judge")
    older = tmp_path / f".understudy-another_host-{process.pid}-1.exr"
    older.write_bytes(b"nobody writes for two days")
    os.utime(older, (time.time() - 2 * 86400,) * 2)
    write_plate(make_plate(), tmp_path / "b.exr")
    assert list(tmp_path.glob(".understudy-*")) == [other]


_ABANDONS = """
import sys, threading
from pathlib import Path
from understudy.frames.atomic import abandon, atomic
folder = Path(sys.argv[1])

def late():
    with atomic(folder / "late.exr") as temporary:
        temporary.write_bytes(b"late")

with atomic(folder / "a.exr") as temporary:
    temporary.write_bytes(b"half")
    abandon()
    threading.Thread(target=late, daemon=True).start()
    import os, time
    time.sleep(0.2)
    os._exit(130)
"""


def test_who_ends_at_once_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _ABANDONS, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_failure_leaves_the_old_file(tmp_path: Path, make_plate: MakePlate, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.exr"
    write_plate(make_plate(), path)
    before = path.read_bytes()

    def broken(*_args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(write_module, "_write", broken)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        write_plate(make_plate(types="float"), path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 1
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.exr"]


def test_full_disk(tmp_path: Path, make_plate: MakePlate) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount a small disk")
    try:
        small = make_plate("RGB", "half", Window(0, 0, 64, 64))
        write_plate(small, disk / "a.exr")
        before = (disk / "a.exr").read_bytes()
        uniform = np.random.default_rng(0).random((480, 640, 3), np.float32)
        large = make_plate("RGBA", "float", Window(0, 0, 512, 512))
        for name in ("a.exr", "b.exr", "c.png", "d.tif", "e.dpx"):
            is_exr = name.endswith("exr")
            plate = large if is_exr else make_plate("RGB", "uint16", Window(0, 0, 640, 480), pixels=uniform.copy())
            with pytest.raises(OutputError, match="the disk is full") as caught:
                write_plate(plate, disk / name, WriteOptions(compression="none" if is_exr else ""))
            assert name in str(caught.value)
        integers = make_plate(("R", "id"), ("float", "uint"), Window(0, 0, 512, 512))
        with pytest.raises(OutputError, match="the disk is full"):
            write_plate(integers, disk / "f.exr", WriteOptions(compression="none"))
        picture = make_plate("RGB", "uint8", Window(0, 0, 640, 480), pixels=uniform.copy())
        with pytest.raises(OutputError, match="the disk is full"):  # libjpeg would end the process here
            write_plate(picture, disk / "g.jpg")
        assert [entry.name for entry in disk.iterdir()] == ["a.exr"]
        assert (disk / "a.exr").read_bytes() == before
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_writer_that_loses_pixels_is_caught(
    tmp_path: Path, make_plate: MakePlate, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = write_module._write

    def short(plate: Plate, temporary: Path, *rest: Any) -> int:
        clamped = real(plate, temporary, *rest)
        os.truncate(temporary, temporary.stat().st_size * 2 // 3)
        return clamped

    monkeypatch.setattr(write_module, "_write", short)
    with pytest.raises(OutputError, match="written damaged"):
        write_plate(make_plate(), tmp_path / "a.exr")
    assert not list(tmp_path.iterdir())


def test_folders_are_made_and_folders_are_no_files(tmp_path: Path, make_plate: MakePlate) -> None:
    write_plate(make_plate(), tmp_path / "x" / "y z" / "ü.exr")
    assert (tmp_path / "x" / "y z" / "ü.exr").is_file()
    (tmp_path / "d.exr").mkdir()
    with pytest.raises(OutputError, match="folder"):
        write_plate(make_plate(), tmp_path / "d.exr")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="can't be written"):
        write_plate(make_plate(), tmp_path / "file" / "a.exr")


def test_errors_of_the_caller_pass_through(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic(tmp_path / "a.exr") as temporary:
            temporary.write_bytes(b"x")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not list(tmp_path.iterdir())
