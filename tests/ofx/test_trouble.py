# SPDX-License-Identifier: Apache-2.0
"""What the plug-in does where things go wrong: it says so on the node, and the next render works."""

import os
import socket
import stat
import struct
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ofx.rig import SLOW, Service, eventually, noise, serving
from understudy.contracts.errors import EffectError, JobCancelledError
from understudy.ofx_host import Effect, Host, Instance, Project

pytestmark = pytest.mark.ofx
Load = Callable[..., Effect]
PROJECT = Project(width=64, height=48, first=1, last=10)


def identity(effect: Effect, address: str, **values: Any) -> Instance:
    values = {"server": address, "pack": "identity-upscale", "scale": 1.0, **values}
    return effect.create("General", PROJECT, values=values)


def test_without_a_service_the_node_says_what_to_do(load: Load, service: Service, tmp_path: Path) -> None:
    picture = noise(48, 64)
    with identity(load("Upscale"), f"unix:{tmp_path}/nobody.sock") as instance:
        for _ in range(2):
            with pytest.raises(EffectError):
                instance.render(1, {"Source": picture})
            message = instance.persistent_message
            assert message is not None
            assert "there is no such socket" in message.text
            assert f"understudy serve --listen unix:{tmp_path}/nobody.sock" in message.text
            assert message.text.startswith("Understudy Upscale: ")
        instance.params["server"] = service.address
        assert np.array_equal(instance.render(1, {"Source": picture}).array, picture)
        assert instance.persistent_message is None


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "nothing listens there"),
        ("10.0.0.1:7433", "to this machine only"),
        ("nonsense", "no address of a service"),
        ("unix:", "empty or too long"),
    ],
)
def test_wrong_addresses_are_told(load: Load, address: str, words: str) -> None:
    with identity(load("Upscale"), address) as instance, pytest.raises(EffectError, match=words):
        instance.render(1, {"Source": noise(8, 8)})


def test_something_else_that_listens_is_told(load: Load) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        def answer() -> None:
            for _ in range(2):  # the menu of packs is asked for first
                peer, _ = other.accept()
                peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                peer.recv(1 << 16)
                peer.close()

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with identity(load("Upscale"), address) as instance, pytest.raises(EffectError, match="broke"):
            instance.render(1, {"Source": noise(8, 8)})
        thread.join()


def test_a_host_with_old_messages_is_told_too(load: Load) -> None:
    host = Host(without_suites=frozenset({("OfxMessageSuite", 2)}))
    with identity(load("Upscale", host), "127.0.0.1:1") as instance:
        with pytest.raises(EffectError, match="nothing listens there"):
            instance.render(1, {"Source": noise(8, 8)})
        assert instance.persistent_message is None


def test_a_pack_other_than_the_stored_one_is_refused_until_accepted(load: Load, service: Service) -> None:
    picture = noise(48, 64)
    effect = load("Upscale")
    with identity(effect, service.address) as instance:
        kept = {name: instance.params[name] for name in ("packVersion", "packDigest")}
        assert kept["packVersion"] == "1.0.0"
        assert len(str(kept["packDigest"])) == 64
    with identity(effect, service.address, **{**kept, "packDigest": "0" * 64}) as instance:
        with pytest.raises(EffectError, match="identity-upscale"):
            instance.render(1, {"Source": picture})
        instance.press("packAccept")
        assert {name: instance.params[name] for name in kept} == kept
        assert np.array_equal(instance.render(1, {"Source": picture}).array, picture)
        instance.params["pack"] = "no-such-pack"
        with pytest.raises(EffectError, match="no-such-pack"):
            instance.render(1, {"Source": picture})


def test_packs_and_their_knobs_come_from_the_service(
    load: Load, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_SERVER", service.address)
    picture = noise(48, 64)
    with load("Upscale").create("General", PROJECT, values={"scale": 1.0}) as instance:
        menu = instance.params.parameter("packMenu")
        assert {"lanczos", "leaves-small", SLOW} <= set(menu.options)
        instance.params["packMenu"] = SLOW
        assert instance.params["pack"] == SLOW
        assert instance.params["packVersion"] == "1.0.0"
        instance.params["pack_slow_upscale_seconds"] = 0.0
        began = time.monotonic()
        assert np.array_equal(instance.render(1, {"Source": picture}).array, picture)
        instance.params["packOptions"] = "seconds = 0.4"
        assert np.array_equal(instance.render(1, {"Source": picture}).array, picture)
        assert time.monotonic() - began > 0.4
        instance.params["packOptions"] = "nothing"
        with pytest.raises(EffectError, match="write name=value"):
            instance.render(1, {"Source": picture})


@pytest.mark.parametrize("transport", ["shared-memory", "stream"])
def test_an_abort_returns_at_once_and_stops_the_service(
    load: Load, service: Service, packs: Path, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_OFX_TRANSPORT", transport)
    calls = packs / "calls"
    calls.write_bytes(b"")
    picture = noise(40, 20 * 768)  # twenty tiles
    stop = threading.Event()
    pressed: list[float] = []

    def press() -> None:
        eventually(lambda: calls.stat().st_size >= 2)
        pressed.append(time.monotonic())
        stop.set()

    person = threading.Thread(target=press)
    with identity(load("Upscale"), service.address, pack=SLOW) as instance:
        person.start()
        with pytest.raises(JobCancelledError):
            instance.render(1, {"Source": picture}, abort=stop.is_set)
        took = time.monotonic() - pressed[0]
        person.join()
        assert instance.persistent_message is None
        time.sleep(0.5)  # the tiles that had begun may end
        begun = calls.stat().st_size
        assert begun <= 8
        time.sleep(0.5)
        assert calls.stat().st_size == begun
        small = noise(8, 8)
        assert np.array_equal(instance.render(1, {"Source": small}).array, small)
    print(f"abort returned after {took:.3f} s")  # noqa: T201 - a figure, not a check: machines are busy


def test_a_service_that_dies_is_told_and_the_next_one_is_used(load: Load, packs: Path, tmp_path: Path) -> None:
    calls = packs / "calls"
    calls.write_bytes(b"")
    picture = noise(40, 20 * 768)
    with serving(tmp_path, "--packs", str(packs)) as doomed:
        instance = identity(load("Upscale"), doomed.address, pack=SLOW)
        warm = instance.render(1, {"Source": noise(8, 8)})
        assert np.array_equal(warm.array, noise(8, 8))
        calls.write_bytes(b"")

        def kill() -> None:
            eventually(lambda: calls.stat().st_size >= 2)
            doomed.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(EffectError):
            instance.render(1, {"Source": picture})
        killer.join()
        message = instance.persistent_message
        assert message is not None
        assert "can't be reached" in message.text or "broke" in message.text
    with serving(tmp_path, "--packs", str(packs)):
        small = noise(8, 8, seed=3)
        assert np.array_equal(instance.render(1, {"Source": small}).array, small)
        assert instance.persistent_message is None
    instance.close()


def test_a_service_of_its_own_is_started_once_and_shared(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = tmp_path / "starts"
    program = tmp_path / "program"
    source = os.environ.get("PYTHONPATH", "")
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {starts}\nenv > {tmp_path}/environment\n'
        f'PYTHONPATH="{source}" exec {sys.executable} -m understudy "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(program))
    effect = load("Upscale")
    picture = noise(48, 64)
    instances = [identity(effect, "") for _ in range(4)]
    assert not starts.exists()  # a host that opens a script starts nothing
    path = tmp_path / "understudy" / "ofx.sock"
    try:
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda instance: instance.render(1, {"Source": picture}), instances))
        assert all(np.array_equal(result.array, picture) for result in results)
        said = starts.read_text().splitlines()
        assert said == [f"serve --listen unix:{path} --exit-when-idle 600"]
        assert "PYTHONPATH=" not in (tmp_path / "environment").read_text()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        pid = peer(path)
        assert os.getsid(pid) != os.getsid(0)  # Ctrl-C in the host's terminal is not for it
        os.kill(pid, 9)
        assert eventually(lambda: not alive(pid))
        assert np.array_equal(instances[0].render(1, {"Source": picture}).array, picture)  # and starts it again
        assert len(starts.read_text().splitlines()) == 2
    finally:
        if path.exists():
            pid = peer(path)
            os.kill(pid, 9)
        for instance in instances:
            instance.close()


def test_what_hinders_a_start_is_told(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(tmp_path / "missing"))
    effect = load("Upscale")
    with identity(effect, "") as instance, pytest.raises(EffectError, match="UNDERSTUDY_EXECUTABLE is no program"):
        instance.render(1, {"Source": noise(8, 8)})
    monkeypatch.delenv("UNDERSTUDY_EXECUTABLE")
    monkeypatch.setenv("PATH", str(tmp_path))
    with identity(effect, "") as instance, pytest.raises(EffectError, match="the understudy command was not found"):
        instance.render(1, {"Source": noise(8, 8)})
    (tmp_path / "understudy").chmod(0o755)
    with identity(effect, "") as instance, pytest.raises(EffectError, match="not yours alone"):
        instance.render(1, {"Source": noise(8, 8)})


def test_a_service_that_fails_to_start_is_told_at_once(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "broken"
    program.write_text("#!/bin/sh\necho no licence for this 1>&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(program))
    with identity(load("Upscale"), "") as instance, pytest.raises(EffectError, match="no licence for this"):
        instance.render(1, {"Source": noise(8, 8)})


def peer(path: Path) -> int:
    """The process that listens at a socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
