# SPDX-License-Identifier: Apache-2.0
"""``kill -9`` of a service or of its client at any moment: the other side says so, and nothing is to be cleaned up.

The moments are drawn from a seed. ``UNDERSTUDY_KILLS`` sets how many there are of each kind (2 unless told otherwise).
"""

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from contract.service.rig import assert_same_plate
from e2e.test_serve import shot
from proof.exact_pack import PACK_ID, write_pack
from proof.served import Served, wait_idle
from understudy.client.engine import RemoteEngine
from understudy.client.retries import NO_RETRIES, Retries
from understudy.contracts.errors import UnavailableError
from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import Plate
from understudy.frames.write import write_plate
from understudy.roles.costs_file import default_costs_file

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KILLS = int(os.environ.get("UNDERSTUDY_KILLS", "2"))
FRAMES = 6
DEADLINE_S = 20.0


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="us") as name:  # socket paths must be short
        yield Path(name)


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack that takes its time, so that kills fall into it."""
    packs = tmp_path_factory.mktemp("packs")
    write_pack(packs / "gain", 0)
    return packs


def small_shot(frame: int) -> Plate:
    return shot(frame).only(("R", "G", "B", "A"))


def slow_request(frame: int) -> RoleRequest:
    params = UpscaleParams(scale=1, tile=32, options={"wait_ms": 5.0})
    return RoleRequest(pack=PackPin(id=PACK_ID), params=params, plates={"plate": small_shot(frame)})


def right(request: RoleRequest) -> Plate:
    plate = request.plates["plate"]
    return plate.with_pixels(plate.pixels * np.array([2, 2, 2, 1], np.float32))


def half_written() -> None:
    """What a power cut might leave of the file of measured runs."""
    path = default_costs_file()
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"schema": "understudy.costs/1", "ru')


def run_on(client: RemoteEngine, request: RoleRequest) -> None:
    """Until it fails."""
    for _ in range(1000):
        assert_same_plate(client.run(request).plates["plate"], right(request))


@pytest.mark.parametrize("kind", ["tcp", "socket file"])
def test_a_killed_service_is_a_sentence_and_starts_again_where_it_was(kind: str, folder: Path, packs: Path) -> None:
    dice = random.Random(f"service/{kind}")
    listen = f"unix:{folder}/s" if kind == "socket file" else "127.0.0.1:0"
    for number in range(max(1, KILLS // 2)):
        half_written()
        served = Served(["--listen", listen, "--packs", str(packs)], folder / "log")
        if kind == "tcp":
            listen = served.address  # the next one takes the same port
        hasty = RemoteEngine(served.address, timeout_s=DEADLINE_S, retries=NO_RETRIES)
        try:
            request = slow_request(number)
            assert_same_plate(hasty.run(request).plates["plate"], right(request))
            killer = threading.Timer(dice.uniform(0.0, 0.3), served.kill)
            killer.start()
            with pytest.raises(UnavailableError) as caught:
                run_on(hasty, request)
            assert served.address in str(caught.value)
            assert "no answer within" not in str(caught.value)
            killer.join()
        finally:
            served.close()
            hasty.close()
    if kind == "socket file":
        assert (folder / "s").exists()  # what the killed service left; the next one needed nobody to remove it


def test_a_client_in_the_middle_goes_on_with_the_service_that_comes_back(folder: Path, packs: Path) -> None:
    dice = random.Random("back")
    arguments = ["--listen", f"unix:{folder}/s", "--packs", str(packs)]
    served = Served(arguments, folder / "log")
    client = RemoteEngine(served.address, timeout_s=60, retries=Retries(lost=100, longest_wait_s=0.3))
    try:
        client.info()
        with ThreadPoolExecutor(1) as pool:
            for number in range(max(1, KILLS // 3)):
                request = slow_request(number)
                running = pool.submit(client.run, request)
                time.sleep(dice.uniform(0.0, 0.15))
                served.kill()
                served.close()
                served = Served(arguments, folder / "log")
                assert_same_plate(running.result(60).plates["plate"], right(request))
    finally:
        client.close()
        served.close()


_CLIENT = """
import sys
from e2e.test_service_kills import slow_request
from understudy.client.engine import RemoteEngine
client = RemoteEngine(sys.argv[1], timeout_s=60, transport=sys.argv[2])
print("ready", flush=True)
for number in range(10_000):
    client.run(slow_request(number % 4))
"""


def test_killed_clients_leave_nothing_in_the_service(folder: Path, packs: Path) -> None:
    dice = random.Random("clients")
    served = Served(["--listen", f"unix:{folder}/s", "--packs", str(packs)], folder / "log")
    client = RemoteEngine(served.address, timeout_s=60)
    try:
        before = None
        for number in range(KILLS):
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
            popen = subprocess.Popen(
                [sys.executable, "-c", _CLIENT, served.address, ("shared-memory", "stream")[number % 2]],
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            assert popen.stdout is not None
            assert popen.stdout.readline() == "ready\n"
            time.sleep(dice.uniform(0.0, 0.25))
            popen.kill()
            popen.wait()
            popen.stdout.close()
            request = slow_request(number)
            assert_same_plate(client.run(request).plates["plate"], right(request))
            wait_idle(served.pid)
            held = served.facts()
            before = before or held
            assert held.descriptors <= before.descriptors + 1
            assert held.regions <= before.regions
            assert held.threads <= before.threads + 4
    finally:
        client.close()
        served.close()


GRAPH = """
schema: understudy.graph/1
frames: 1001-{last}
nodes:
  plate: {{type: read, file: {folder}/in/plate.%04d.exr, colorspace: ACEScg}}
  same: {{type: upscale, input: plate, scale: 1, pack: {pack}, options: {{wait_ms: 60.0}}}}
  out: {{type: write, input: same, file: {out}/out.%04d.exr}}
"""


def render(folder: Path, out: Path, server: str, *more: str) -> "subprocess.Popen[str]":
    graph = folder / f"{out.name}.yaml"
    graph.write_text(GRAPH.format(folder=folder, out=out, pack=PACK_ID, last=1000 + FRAMES))
    return subprocess.Popen(
        [sys.executable, "-m", "understudy", "render", str(graph), "--server", server, "--json", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def whole_or_none(out: Path, want: dict[str, bytes]) -> int:
    """Every file under its name is whole; how many there are."""
    files = list(out.glob("out.*.exr")) if out.is_dir() else []
    for path in files:
        assert path.read_bytes() == want[path.name], path.name
    return len(files)


def test_a_render_leaves_whole_frames_or_none_and_goes_on_where_it_was(folder: Path, packs: Path) -> None:
    dice = random.Random("render")
    (folder / "in").mkdir()
    for frame in range(FRAMES):
        plate = small_shot(frame)
        write_plate(plate, folder / "in" / f"plate.{1001 + frame}.exr")
    arguments = ["--listen", f"unix:{folder}/s", "--packs", str(packs)]
    served = Served(arguments, folder / "log")
    try:
        out = folder / "want"
        done = render(folder, out, served.address)
        started = time.monotonic()
        text, err = done.communicate(timeout=120)
        took = time.monotonic() - started
        assert done.returncode == 0, (text, err)
        want = {path.name: path.read_bytes() for path in out.glob("*.exr")}
        assert len(want) == FRAMES
        beside = {path.name for path in out.iterdir()} - set(want)  # the record and the hash list
        for number in range(KILLS):
            out = folder / f"out{number}"
            rendering = render(folder, out, served.address)
            time.sleep(dice.uniform(0.3 * took, took))
            if number % 2:
                served.kill()
            else:
                rendering.kill()
            text, err = rendering.communicate(timeout=120)
            if number % 2:
                # It was done already, or says in one line that the service is gone.
                assert rendering.returncode in (0, UnavailableError.exit_code), (text, err)
                assert "Traceback" not in err
                if rendering.returncode:
                    assert str(folder / "s") in err
                served.close()
                served = Served(arguments, folder / "log")
            whole_or_none(out, want)
            again = render(folder, out, served.address)
            text, err = again.communicate(timeout=120)
            assert again.returncode == 0, (text, err)
            assert whole_or_none(out, want) == FRAMES
            assert {path.name for path in out.iterdir()} == beside | set(want)  # and nothing else
    finally:
        served.close()
