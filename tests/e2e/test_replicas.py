# SPDX-License-Identifier: Apache-2.0
"""Several services behind one client: one that is killed costs no frame."""

import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from contract.service.rig import assert_same_plate
from e2e.test_serve import Process, shot, started
from understudy.client.engine import RemoteEngine
from understudy.contracts.engine import Control
from understudy.contracts.errors import JobCancelledError, UnavailableError
from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams

pytestmark = pytest.mark.e2e


@pytest.fixture
def sockets() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="us") as folder:  # socket paths must be short
        yield Path(folder)


def render_frames(source: Path, out: Path, server: str) -> "subprocess.Popen[str]":
    extra = ["--server", server] if server else []
    command = ["upscale", f"{source}/plate.%04d.exr", f"{out}/up.%04d.exr", "--scale", "2", "--pack", "lanczos"]
    return subprocess.Popen(
        [sys.executable, "-m", "understudy", *command, "--json", *extra],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def frames_done(popen: "subprocess.Popen[str]", on_frame: Any) -> list[dict[str, Any]]:
    """Reads a render's events to their end; `on_frame` hears how many frames are there."""
    assert popen.stdout is not None
    events = []
    for line in popen.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "frame":
            on_frame(events[-1]["done"])
    _, err = popen.communicate(timeout=60)
    assert popen.returncode == 0, (events[-1], err)
    return events


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from understudy.frames.write import write_plate

    folder = tmp_path_factory.mktemp("plates")
    for frame in range(8):
        write_plate(shot(frame), folder / f"plate.{1001 + frame}.exr")
    return folder


@pytest.fixture(scope="module")
def local_frames(plates: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("local")
    frames_done(render_frames(plates, out, ""), lambda _done: None)
    return {path.name: path.read_bytes() for path in out.glob("*.exr")}


def test_a_killed_replica_costs_no_frame(plates: Path, local_frames: dict[str, bytes], tmp_path: Path) -> None:
    with ExitStack() as stack:
        services = [stack.enter_context(started("--port", "0", "--workers", "1")) for _ in range(3)]
        addresses = ",".join(service.address for service in services)

        def on_frame(done: int) -> None:
            if done == 2:
                services[0].popen.kill()
            if done == 4:
                services[1].popen.send_signal(signal.SIGTERM)

        events = frames_done(render_frames(plates, tmp_path, addresses), on_frame)
        assert services[0].popen.wait(30) == -signal.SIGKILL
        assert services[1].popen.wait(30) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.exr")} == local_frames
    assert not [event for event in events if event["event"] == "error"]
    assert events[-1]["event"] == "done"
    for event in events:
        if event["event"] == "warning":
            assert event["message"].endswith("the frame was sent again")


def lanczos(plate: int = 0) -> RoleRequest:
    return RoleRequest(
        pack=PackPin(id="lanczos"), params=UpscaleParams(scale=2), plates={"plate": shot(plate)}, request_id="up.1"
    )


def runs_of(process: Process) -> int:
    return sum(line["event"] == "run" for line in process.stop()[2])


def test_frames_on_a_killed_replica_are_sent_again_and_told(sockets: Path) -> None:
    names = [f"unix:{sockets}/{name}.sock" for name in "ab"]
    with started("--listen", names[0]) as first, started("--listen", names[1]) as second:
        client = RemoteEngine(",".join(names), timeout_s=120)
        for _ in range(10):  # both are connected by then
            want = client.run(lanczos()).plates["plate"]
            threading.Event().wait(0.05)
        for service in (first, second):
            service.popen.send_signal(signal.SIGSTOP)  # what is sent now arrives and is never answered
        warnings: list[str] = []
        with ThreadPoolExecutor(4) as pool:
            runs = [pool.submit(client.run, lanczos(), Control(warn=warnings.append)) for _ in range(4)]
            assert not wait(runs, 1.0).done
            first.popen.kill()
            second.popen.send_signal(signal.SIGCONT)
            for run in runs:
                assert_same_plate(run.result(60).plates["plate"], want)
        assert warnings == ["the service does not answer: the connection broke; the frame was sent again"] * 2
        client.close()


def test_a_replica_that_comes_back_is_used_again(sockets: Path) -> None:
    names = [f"unix:{sockets}/{name}.sock" for name in "ab"]
    with ExitStack() as stack:
        first, second = [stack.enter_context(started("--listen", name)) for name in names]
        client = RemoteEngine(",".join(names), timeout_s=60)
        stack.callback(client.close)
        client.run(lanczos())
        first.popen.kill()
        first.popen.wait(30)
        for _ in range(3):
            client.run(lanczos())
        again = stack.enter_context(started("--listen", names[0]))
        for _ in range(30):  # it is looked for at most every two seconds
            client.run(lanczos())
            threading.Event().wait(0.1)
        assert runs_of(again) > 0
        assert runs_of(second) > 0


def test_all_replicas_down_is_a_sentence_and_a_cancel_is_heard(sockets: Path) -> None:
    client = RemoteEngine(f"unix:{sockets}/a.sock,unix:{sockets}/b.sock", timeout_s=30)
    with pytest.raises(UnavailableError, match="there is no such socket"):
        client.run(lanczos())
    asked = iter([False, False, False])
    with pytest.raises(JobCancelledError):
        client.run(lanczos(), Control(cancelled=lambda: next(asked, True)))
    client.close()
