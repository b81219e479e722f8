# SPDX-License-Identifier: Apache-2.0
"""``understudy serve`` as a process of its own, with the packs that ship."""

import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from contract.service.rig import assert_same_plate
from understudy.client.engine import RemoteEngine
from understudy.contracts.engine import PackInfo
from understudy.contracts.errors import PackNotFoundError, UnavailableError, UsageError
from understudy.contracts.jobs import InterpolateParams, MotionParams, RelightParams, RoleRequest, UpscaleParams
from understudy.contracts.lights import DirectionalLight, LightRig
from understudy.contracts.plate import Plate, Window
from understudy.roles.engine import LocalEngine

pytestmark = pytest.mark.e2e
SERVING = health_pb2.HealthCheckResponse.SERVING


@dataclass
class Process:
    """A running service."""

    popen: "subprocess.Popen[str]"
    address: str
    event: dict[str, Any]

    def stop(self, signal_number: int = signal.SIGTERM) -> tuple[int, str, list[dict[str, Any]]]:
        """Exit code, the rest of standard output, and the log."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal_number)
        out, err = self.popen.communicate(timeout=60)
        assert "Traceback" not in err
        return self.popen.returncode, out, [json.loads(line) for line in err.splitlines()]


@contextmanager
def started(*arguments: str) -> Iterator[Process]:
    popen = subprocess.Popen(
        [sys.executable, "-m", "understudy", "serve", "--json", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert popen.stdout is not None
        line = popen.stdout.readline()
        assert line, popen.communicate(timeout=60)
        event = json.loads(line)
        assert event["event"] == "serving"
        yield Process(popen, event["address"], event)
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.communicate()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with started("--port", "0") as process:
        yield process.address


@pytest.fixture(scope="module")
def remote(address: str) -> Iterator[RemoteEngine]:
    client = RemoteEngine(address, timeout_s=120)
    yield client
    client.close()


@pytest.fixture(scope="module")
def local() -> Iterator[LocalEngine]:
    engine = LocalEngine()
    yield engine
    engine.close()


def shot(frame: int) -> Plate:
    """A textured HDR plate with alpha, normals and IDs that moves two pixels a frame."""
    rng = np.random.default_rng(7)
    base = np.kron(rng.uniform(-0.1, 1.0, (16, 20, 3)), np.ones((6, 6, 1)))
    base[30:33, 40:43] = 500.0
    color = np.roll(base, 2 * frame, axis=1).astype(np.float32)
    height, width = color.shape[:2]
    alpha = np.ones((height, width, 1), np.float32)
    normal = np.zeros((height, width, 3), np.float32)
    normal[..., 2] = 1.0
    ids = np.arange(height * width, dtype=np.uint32) * np.uint32(2654435761)
    pixels = np.concatenate([color, alpha, normal, ids.view(np.float32).reshape(height, width, 1)], axis=2)
    return Plate(
        pixels=np.ascontiguousarray(pixels, np.float32),
        channels=("R", "G", "B", "A", "normal.X", "normal.Y", "normal.Z", "id"),
        sample_types=("half",) * 4 + ("float",) * 3 + ("uint",),
        data_window=Window(-4, 3, width, height),
        display_window=Window(0, 0, width - 8, height),
        colorspace="ACEScg",
        frame=1001 + frame,
        metadata={"owner": "test", "framesPerSecond": (24000, 1001)},
    )


def request_for(pack: PackInfo) -> RoleRequest:
    params: MotionParams | InterpolateParams | UpscaleParams | RelightParams
    plates = {"a": shot(0), "b": shot(1)}
    identity = pack.pin.id.startswith("identity")
    match pack.role:
        case "motion":
            params = MotionParams()
        case "interpolate":
            params = InterpolateParams(outputs=((Fraction(1, 3),), (Fraction(0),)), motion_pack="dis-draft")
        case "upscale":
            params, plates = UpscaleParams(scale=Fraction(1 if identity else 2), tile=48), {"plate": shot(0)}
        case _:
            sun = DirectionalLight(type="directional", direction=(0.3, 0.4, 0.8))
            params = RelightParams(lights=LightRig(lights=(sun,)), passes=() if identity else ("ratio",))
            plates = {"plate": shot(0)}
    return RoleRequest(pack=pack.pin, params=params, plates=plates)


def test_every_shipped_pack_gives_the_same_bytes_with_and_without_a_service(
    remote: RemoteEngine, local: LocalEngine
) -> None:
    info = remote.info()
    assert info == local.info()
    assert {pack.role for pack in info.packs} == {"motion", "interpolate", "upscale", "relight"}
    for pack in info.packs:
        request = request_for(pack)
        here, there = local.run(request), remote.run(request)
        assert list(there.plates) == list(here.plates), pack.pin
        for name, plate in here.plates.items():
            assert_same_plate(there.plates[name], plate)
        assert (there.pack, there.confidence) == (here.pack, here.confidence)
        assert set(there.report) == set(here.report)


def test_errors_are_the_same_with_and_without_a_service(remote: RemoteEngine, local: LocalEngine) -> None:
    request = request_for(next(pack for pack in local.info().packs if pack.role == "upscale"))
    missing = RoleRequest(pack=type(request.pack)(id="no-such-pack"), params=request.params, plates=request.plates)
    sentences = []
    for engine in (local, remote):
        with pytest.raises(PackNotFoundError) as caught:
            engine.run(missing)
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1]


def test_health_answers_and_reflection_is_off(address: str) -> None:
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "understudy.v1.Understudy"):
            assert stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=20).status == SERVING
        requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        with pytest.raises(grpc.RpcError) as caught:
            list(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(requests, timeout=20))
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(signal_number: int) -> None:
    with tempfile.TemporaryDirectory(prefix="us") as folder:  # socket paths must be short
        path = Path(folder) / "s.sock"
        with started("--listen", f"unix:{path}", "--reflection", "--workers", "1") as process:
            client = RemoteEngine(process.address, timeout_s=60)
            client.info()
            client.close()
            code, out, log = process.stop(signal_number)
        assert (code, out) == (0, "")
        assert [line["event"] for line in log] == ["serving", "stopping", "stopped"]
        assert not path.exists()


def test_a_service_that_is_killed_in_the_middle_is_a_sentence() -> None:
    with started("--port", "0") as process:
        client = RemoteEngine(process.address, timeout_s=60)
        info = client.info()
        request = request_for(info.packs[0])
        process.popen.send_signal(signal.SIGSTOP)  # what is sent now arrives and is never answered
        killer = threading.Timer(1.0, process.popen.kill)
        killer.start()
        with pytest.raises(UnavailableError, match="the service does not answer"):
            client.run(request)
        killer.join()
        client.close()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--listen", "0.0.0.0:0"], UsageError.exit_code, "--insecure-listen-anywhere"),
        (["--listen", "nonsense"], UsageError.exit_code, "host:port"),
        (["--listen", "unix:/nowhere/at/all.sock"], UsageError.exit_code, "folder does not exist"),
        (["--port", "70000"], 2, "65535"),
    ],
)
def test_wrong_options_are_a_sentence(arguments: list[str], code: int, sentence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "serve", *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_taken_port_is_a_sentence(address: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "serve", "--listen", address],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == UsageError.exit_code
    sentence = f"{address}: can't listen here; is the address this machine's, and free?"
    assert done.stderr.splitlines()[-1].endswith(sentence)
    assert len(done.stderr.split()) == len(sentence.split()) + 1  # "understudy:" and nothing of gRPC's own


def test_an_idle_service_ends_though_a_client_stays_connected() -> None:
    with started("--listen", "127.0.0.1:0", "--exit-when-idle", "2") as process:
        engine = RemoteEngine(process.address)
        assert engine.transport.name == "shared-memory"
        process.popen.wait(60)
        code, _, log = process.stop()
        engine.close()
    assert code == 0
    assert log[-1]["event"] == "stopped"
