# SPDX-License-Identifier: Apache-2.0
"""The command line with a real service: the same files by every transport, which is told, and nothing sent twice."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.service.rig import make_request, wait_until
from understudy.client.engine import RemoteEngine
from understudy.client.region import supported
from understudy.client.retries import NO_RETRIES
from understudy.contracts.errors import UnavailableError
from understudy.contracts.plate import Plate, Window, blank_plate
from understudy.frames.write import write_plate

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not supported(), reason="this platform shares no memory")]
UNDERSTUDY = [sys.executable, "-m", "understudy"]


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames of a texture that moves."""
    folder = tmp_path_factory.mktemp("shot")
    texture = np.kron(np.random.default_rng(1).random((30, 40, 3)), np.ones((6, 6, 1))).astype(np.float32)
    window = Window(0, 0, 240, 180)
    for index in range(3):
        pixels = np.concatenate([np.roll(texture, 3 * index, 1), np.ones((180, 240, 1), np.float32)], axis=2)
        plate = Plate(
            pixels=pixels,
            channels=("R", "G", "B", "A"),
            sample_types=("half",) * 4,
            data_window=window,
            display_window=window,
            colorspace="ACEScg",
            frame=1001 + index,
        )
        write_plate(plate, folder / f"plate.{1001 + index}.exr")
    return folder / "plate.%04d.exr"


class Served:
    """A running service and its log."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*UNDERSTUDY, "serve", "--port", "0", "--json"], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        self.address = json.loads(self.process.stdout.readline())["address"]

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if line["event"] == event]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    service = Served(tmp_path)
    yield service
    service.process.kill()
    service.process.communicate()


def test_files_are_the_same_by_each_transport_and_no_frame_is_sent_twice(
    shot: Path, served: Served, tmp_path: Path
) -> None:
    files: dict[str, list[bytes]] = {}
    for transport in ("", "stream", "auto"):
        out = tmp_path / (transport or "here")
        out.mkdir()
        where = ["--server", served.address, "--transport", transport] if transport else []
        command = [*UNDERSTUDY, "motion", str(shot), str(out / "v.%04d.exr"), "--json", *where]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        told = [event for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "transport"]
        names = {"stream": ("stream", "it was asked for"), "": None}
        name = names.get(transport, ("shared-memory", ""))
        assert [(event["name"], event["reason"]) for event in told] == ([name] if name else [])
        files[transport] = [(out / f"v.{frame}.exr").read_bytes() for frame in (1001, 1002, 1003)]
    assert files[""] == files["stream"] == files["auto"]
    size = 240 * 180 * 4 * 4
    wait_until(lambda: len(served.logged("run")) == 4, "a call was not logged")
    assert [run["bytes_received"] for run in served.logged("run")] == [2 * size, size, 0, 0]
    assert served.logged("serving")[0]["allocator"]


def test_shared_memory_by_name_where_it_can_not_be_had_is_an_error(shot: Path, tmp_path: Path) -> None:
    command = [*UNDERSTUDY, "motion", str(shot), str(tmp_path / "v.%04d.exr")]
    command += ["--server", "gpu.invalid:7433", "--transport", "shared-memory"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 75
    done = subprocess.run([*command[:-1], "pigeon"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "pigeon" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_service_that_is_gone_or_hangs_is_told_within_the_deadline(how: signal.Signals, served: Served) -> None:
    client = RemoteEngine(served.address, timeout_s=3.0, retries=NO_RETRIES)
    assert client.transport.name == "shared-memory"
    plate = blank_plate(np.ones((200, 300, 4), np.float32), "RGBA", colorspace="ACEScg")
    served.process.send_signal(how)
    started = time.monotonic()
    with pytest.raises(UnavailableError):
        client.run(make_request("lanczos", {"plate": plate}))
    assert time.monotonic() - started < 10  # a bound against hanging, not a speed
    client.close()
