# SPDX-License-Identifier: Apache-2.0
"""A service process that several users share: two devices, priorities, estimates that outlive it; the guide's code."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.service.rig import assert_same_plate
from e2e.test_serve import Process, started
from understudy.client.engine import RemoteEngine
from understudy.client.sender import Sender
from understudy.contracts.estimate import Estimate
from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import blank_plate
from understudy.contracts.priority import Priority
from understudy.contracts.workload import workload_of_request
from understudy.roles.engine import LocalEngine

pytestmark = pytest.mark.e2e
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "share-a-service.md"


def request(seed: int, side: int = 96) -> RoleRequest:
    pixels = np.random.default_rng(seed).normal(0.2, 1.0, (side, side, 4)).astype(np.float32)
    plate = blank_plate(pixels, "RGBA", colorspace="ACEScg", frame=seed)
    return RoleRequest(pack=PackPin(id="lanczos"), params=UpscaleParams(), plates={"plate": plate})


@pytest.fixture
def connect() -> Iterator[Any]:
    with ExitStack() as stack:

        def client(service: Process, user: str, priority: Priority = Priority.NORMAL) -> RemoteEngine:
            engine = RemoteEngine(service.address, timeout_s=60, sender=Sender(user=user, priority=priority))
            stack.callback(engine.close)
            return engine

        yield client


def test_users_of_a_service_with_two_devices_get_their_own_frames_and_estimates_that_last(
    connect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNDERSTUDY_COSTS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    here = LocalEngine(device="cpu")
    with started("--port", "0", "--device", "cpu,auto", "--workers", "1") as service:
        users = [connect(service, name, priority) for name in ("ana", "bo") for priority in Priority]
        before: Estimate = users[0].estimate(request(1))
        assert (before.measured_runs, before.pack.version, before.vram_bytes) == (0, "1.0.0", 0)
        with ThreadPoolExecutor(6) as pool:
            futures = [pool.submit(users[seed % 6].run, request(seed)) for seed in range(24)]
            for seed, future in enumerate(futures):
                got = future.result(60).plates["plate"]
                assert_same_plate(got, here.run(request(seed)).plates["plate"])
        after: Estimate = users[0].estimate(request(1))
        assert after.measured_runs >= 20
        assert 0 < after.seconds_low <= after.seconds <= after.seconds_high
        assert after.ram_bytes >= workload_of_request(request(1)).peak_bytes
        assert after.device == "cpu"
        code, _, log = service.stop()
        assert code == 0
        assert next(line["workers"] for line in log if line["event"] == "serving") == 2
    here.close()
    (file,) = (tmp_path / "understudy").iterdir()
    assert file.name.startswith("costs-")
    with started("--port", "0", "--workers", "1") as service:
        assert connect(service, "cy").estimate(request(1)).measured_runs == after.measured_runs


def test_the_code_of_the_guide_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not GUIDE.is_file():
        pytest.skip("docs/ is not beside these tests")
    monkeypatch.delenv("UNDERSTUDY_COSTS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    text = GUIDE.read_text(encoding="utf-8")
    config = tmp_path / "service.toml"
    config.write_text("".join(re.findall(r"^```toml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)), encoding="utf-8")
    code = "".join(re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    with started("--port", "0", "--config", str(config)) as service:
        known: dict[str, Any] = {"request": request(1)}
        exec(code.replace("127.0.0.1:7433", service.address), known)
        assert re.search(r"^0 s to wait, then \d+ to \d+ s\n\d\.\d GB; from 0 measured runs$", capsys.readouterr().out)
        known["engine"].close()
