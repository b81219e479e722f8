# SPDX-License-Identifier: Apache-2.0
"""A few thousand of the fuzzer's messages. ``cd tests && python -m fuzz`` sends a hundred thousand."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contract.service.rig import assert_same_plate, wait_until
from fuzz import seeds
from fuzz.targets import TARGETS, attempt
from fuzz.wire import Aim
from understudy.client.engine import RemoteEngine
from understudy.roles.engine import LocalEngine
from understudy.service.limits import Limits
from understudy.service.roots import FilesSettings
from understudy.service.server import Service


@pytest.mark.parametrize("name", TARGETS)
def test_no_bent_message_is_more_than_an_error_of_the_tree(name: str) -> None:
    cases = [f"test/{name}/{number}" for number in range(1200)]
    findings = [f"{finding} <- {case}" for case in cases if (finding := attempt(name, case)[1])]
    assert findings == []


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_not_bent_is_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The targets read messages to their ends: unbent ones pass them."""
    monkeypatch.setattr("fuzz.targets.mutated", lambda message, _: message.SerializeToString())
    monkeypatch.setattr("fuzz.targets.bent_call", lambda messages, _: [m.SerializeToString() for m in messages])
    monkeypatch.setattr("fuzz.targets.bent_json", lambda text, _: text)
    monkeypatch.setattr("fuzz.targets.bent_bytes", lambda data, _: data)
    for number in range(20):
        assert attempt(name, str(number))[1] == ""


def test_a_service_answers_every_bent_call_and_keeps_nothing_of_them(tmp_path: Path) -> None:
    engine = LocalEngine(device="cpu")
    seeds.make_files(tmp_path)
    files = FilesSettings(read=(tmp_path / "in",), write=(tmp_path / "out",))
    limits = Limits(drain_s=0.0, max_request_bytes=64_000_000)
    with Service(engine, "127.0.0.1:0", limits=limits, files=files) as service:
        aim, client = Aim(service.address, tmp_path), RemoteEngine(service.address, timeout_s=60)
        admission, queue = service._servicer.admission, service._servicer.queue
        with ThreadPoolExecutor(3) as pool:
            findings = [finding for finding in pool.map(aim.strike, (f"test/{n}" for n in range(1000))) if finding]
        assert findings == []
        assert sorted(path.name for path in (tmp_path / "closed").iterdir()) == ["plate.1001.exr", "plate.1002.exr"]
        assert aim.codes["OK"] > 20
        assert aim.ends["Render", "PERMISSION_DENIED"] > 5
        assert aim.ends["ModelInfer", "OK"] > 5
        assert aim.codes["INVALID_ARGUMENT"] > 100
        wait_until(lambda: admission.open_requests == 0, "a bent call still holds its place")
        wait_until(lambda: admission._bytes == 0, "a bent call still holds its bytes")
        assert queue.snapshot().running == ()
        request = seeds.requests()[0]
        assert_same_plate(client.run(request).plates["plate"], engine.run(request).plates["plate"])
        client.close()
        aim.close()
    engine.close()
