# SPDX-License-Identifier: Apache-2.0
"""Tensors in the client's shared memory: where they should be, and nowhere else."""

import os
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from contract.inference.conftest import Serving
from contract.inference.rig import Ask, Shared, noise, output, refused, request_for, share
from understudy.inference_protocol import messages as m
from understudy.service.oip import shared_memory
from understudy.service.oip.refusals import RefusedError
from understudy.service.oip.same_user import SameUser, _asked, user_of
from understudy.service.oip.settings import InferenceSettings
from understudy.service.oip.shared_memory import SharedMemory

Code = grpc.StatusCode
IMAGE = noise(1, 3, 6, 5)


def register(ask: Ask, memory: Shared, name: str = "r", offset: int = 0, size: int = 0) -> None:
    size = size or memory.bytes.size - offset
    ask("SystemSharedMemoryRegister", name=name, key=f"/{memory.key}", offset=offset, byte_size=size)


def shared_request(size: int = IMAGE.nbytes, at: int = 0, to: int = IMAGE.nbytes) -> m.ModelInferRequest:
    """``twice`` from one part of region ``r`` to another."""
    request = request_for("twice", {"x": IMAGE})
    request.ClearField("raw_input_contents")
    share(request.inputs[0], "r", size, at)
    share(request.outputs.add(name="y"), "r", IMAGE.nbytes, to)
    return request


@pytest.mark.parametrize(("offset", "at", "to"), [(0, 0, 400), (4, 8, 600), (3, 1, 411)])
def test_tensors_pass_through_regions(ask: Ask, offset: int, at: int, to: int) -> None:
    with Shared(1200) as memory:
        register(ask, memory, offset=offset)
        memory.bytes[:] = 9
        memory.put(IMAGE, offset + at)
        response = ask.infer(shared_request(at=at, to=to))
        assert np.array_equal(memory.get(np.float32, IMAGE.shape, offset + to), IMAGE * 2)
        assert np.array_equal(memory.get(np.float32, IMAGE.shape, offset + at), IMAGE)
        untouched = np.ones(1200, bool)
        untouched[offset + at : offset + at + IMAGE.nbytes] = False
        untouched[offset + to : offset + to + IMAGE.nbytes] = False
        assert (memory.bytes[untouched] == 9).all()
        assert list(response.raw_output_contents) == [b""]
        assert response.outputs[0].parameters["shared_memory_region"].string_param == "r"


def test_an_input_may_be_overwritten_by_its_output(ask: Ask) -> None:
    with Shared(800) as memory:
        register(ask, memory)
        memory.put(IMAGE)
        ask.infer(shared_request(to=0))
        assert np.array_equal(memory.get(np.float32, IMAGE.shape), IMAGE * 2)
        memory.put(IMAGE)
        ask.infer(shared_request(to=8))
        assert np.array_equal(memory.get(np.float32, IMAGE.shape, 8), IMAGE * 2)


def test_inline_and_shared_mix(ask: Ask) -> None:
    with Shared(800) as memory:
        register(ask, memory)
        request = request_for("twice", {"x": IMAGE})
        share(request.outputs.add(name="y"), "r", 800)
        ask.infer(request)
        assert np.array_equal(memory.get(np.float32, IMAGE.shape), IMAGE * 2)
        request = shared_request(at=0)
        request.ClearField("outputs")
        assert np.array_equal(output(ask.infer(request), "y"), IMAGE * 4)


def test_regions_are_told_and_forgotten(ask: Ask) -> None:
    with Shared(800) as memory, Shared(100) as other:
        register(ask, memory)
        register(ask, other, "s", 10, 50)
        told = ask("SystemSharedMemoryStatus").regions
        assert {name: (r.key, r.offset, r.byte_size) for name, r in told.items()} == {
            "r": (memory.key, 0, 800),
            "s": (other.key, 10, 50),
        }
        assert list(ask("SystemSharedMemoryStatus", name="s").regions) == ["s"]
        ask("SystemSharedMemoryUnregister", name="s")
        ask("SystemSharedMemoryUnregister", name="s")  # no error, as the extension has it
        assert refused(lambda: ask("SystemSharedMemoryStatus", name="s"))[0] is Code.NOT_FOUND
        ask("SystemSharedMemoryUnregister")
        assert not ask("SystemSharedMemoryStatus").regions
        assert refused(lambda: ask.infer(shared_request()))[0] is Code.NOT_FOUND


def test_the_clients_region_outlives_the_service(serving: Serving) -> None:
    service = serving()
    with Shared(800) as memory:
        with Ask(service.address) as ask:
            register(ask, memory)
        service.stop()
        assert memory.path.exists()


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda r: share(r.inputs[0], "r", IMAGE.nbytes, 441), "beyond"),
        (lambda r: share(r.inputs[0], "r", IMAGE.nbytes, -1), "beyond"),
        (lambda r: share(r.inputs[0], "r", 1 << 62), "beyond"),
        (lambda r: share(r.inputs[0], "r", -1), "beyond"),
        (lambda r: share(r.inputs[0], "r", IMAGE.nbytes - 4), "bytes came"),
        (lambda r: share(r.outputs[0], "r", IMAGE.nbytes - 4), "it takes 360 bytes"),
        (lambda r: r.inputs[0].parameters["shared_memory_byte_size"].Clear(), "needs"),
        (lambda r: setattr(r.inputs[0].parameters["shared_memory_offset"], "string_param", "0"), "needs"),
    ],
)
def test_parts_that_do_not_fit_are_refused(ask: Ask, edit: Callable[[Any], object], sentence: str) -> None:
    with Shared(800) as memory:
        register(ask, memory)
        request = shared_request()
        edit(request)
        code, said = refused(lambda: ask.infer(request))
        assert code is Code.INVALID_ARGUMENT, said
        assert sentence in said


def test_two_outputs_do_not_share_a_place(ask: Ask) -> None:
    image = noise(16, 16, 3)
    request = request_for("identity-motion", {"a": image, "b": image})
    with Shared(2 * 16 * 16 * 8) as memory:
        register(ask, memory)
        for name, offset in (("forward", 0), ("backward", 8)):
            share(request.outputs.add(name=name), "r", 16 * 16 * 8, offset)
        code, said = refused(lambda: ask.infer(request))
        assert (code, "same shared memory" in said) == (Code.INVALID_ARGUMENT, True)


@pytest.mark.parametrize("key", ["", "/", "//x", "a/b", "../x", "..", ".", "/../x", "x" * 256, "nobody-has-this"])
def test_keys_that_name_no_object_are_refused(ask: Ask, key: str) -> None:
    code, said = refused(lambda: ask("SystemSharedMemoryRegister", name="r", key=key, byte_size=8))
    assert code is Code.INVALID_ARGUMENT
    assert "/dev" not in said


def test_what_is_no_object_of_this_user_is_refused(ask: Ask, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(100))
    with Shared(100) as memory:
        link = memory.path.with_name(memory.key + "-link")
        pipe = memory.path.with_name(memory.key + "-pipe")
        folder = memory.path.with_name(memory.key + "-folder")
        link.symlink_to(secret)
        os.mkfifo(pipe)
        folder.mkdir()
        foreign = memory.path.with_name(memory.key + "-foreign")
        foreign.write_bytes(bytes(100))
        try:
            if os.geteuid() == 0:
                os.chown(foreign, 12345, 12345)
            else:
                foreign.unlink()
            for path in (link, pipe, folder, foreign):
                fields = {"name": "r", "key": path.name, "byte_size": 8}
                code, said = refused(lambda fields=fields: ask("SystemSharedMemoryRegister", **fields))
                assert code is Code.INVALID_ARGUMENT
                assert "no shared memory object" in said
        finally:
            for path in (link, pipe, foreign):
                path.unlink(missing_ok=True)
            folder.rmdir()


def test_sizes_and_names_are_checked_when_a_region_is_registered(ask: Ask) -> None:
    with Shared(100) as memory:
        for offset, size in ((0, 101), (1, 100), (100, 1), (0, 0), (1 << 61, 1 << 61), ((1 << 64) - 1, 2)):
            fields = {"name": "r", "key": memory.key, "offset": offset, "byte_size": size}
            code, _ = refused(lambda fields=fields: ask("SystemSharedMemoryRegister", **fields))
            assert code is Code.INVALID_ARGUMENT
        register(ask, memory)
        assert refused(lambda: register(ask, memory))[0] is Code.ALREADY_EXISTS
        for name in ("", "x" * 300):
            assert refused(lambda name=name: register(ask, memory, name))[0] is Code.INVALID_ARGUMENT


def test_a_region_that_was_made_smaller_is_refused_before_it_is_touched(ask: Ask) -> None:
    with Shared(2000) as memory:
        register(ask, memory)
        os.truncate(memory.path, 100)
        code, said = refused(lambda: ask.infer(shared_request()))
        assert (code, "smaller" in said) == (Code.FAILED_PRECONDITION, True)


def test_limits_and_prefix(serving: Serving) -> None:
    settings = {"max_regions": 2, "max_region_bytes": 1000, "shared_memory_prefix": "us-"}
    with Ask(serving(inference=settings).address) as ask, Shared(900) as memory, Shared(10, prefix="other-") as other:
        assert refused(lambda: register(ask, other))[0] is Code.PERMISSION_DENIED
        register(ask, memory, "a", size=600)
        assert refused(lambda: register(ask, memory, "b", size=600))[0] is Code.RESOURCE_EXHAUSTED
        register(ask, memory, "b", size=100)
        assert refused(lambda: register(ask, memory, "c", size=100))[0] is Code.RESOURCE_EXHAUSTED
    with Ask(serving(inference={"shared_memory": False}).address) as ask, Shared(100) as memory:
        assert refused(lambda: register(ask, memory))[0] is Code.UNIMPLEMENTED
        assert "system_shared_memory" not in ask("ServerMetadata").extensions


def test_a_unix_socket_does_as_well(serving: Serving, tmp_path: Path) -> None:
    with Ask(serving(listen=f"unix:{tmp_path}/s").address) as ask, Shared(800) as memory:
        register(ask, memory)
        memory.put(IMAGE)
        ask.infer(shared_request())
        assert np.array_equal(memory.get(np.float32, IMAGE.shape, IMAGE.nbytes), IMAGE * 2)


def test_callers_have_regions_of_their_own() -> None:
    memory = SharedMemory(InferenceSettings())
    with Shared(100) as mine:
        memory.register("ann", "r", mine.key, 0, 100)
        for use in (lambda: memory.span("bob", "r", 0, 10), lambda: memory.status("bob", "r")):
            with pytest.raises(RefusedError, match="no shared memory region"):
                use()
        memory.unregister("bob", "")
        assert memory.status("bob", "") == ()
        assert memory.span("ann", "r", 90, 10).data.size == 10
    memory.close()


def test_a_region_that_nobody_uses_is_forgotten() -> None:
    now = [0.0]
    memory = SharedMemory(InferenceSettings(region_idle_s=100, unlinked_region_idle_s=10), clock=lambda: now[0])
    with Shared(100) as kept, Shared(100) as gone:
        memory.register("", "kept", kept.key, 0, 100)
        memory.register("", "gone", gone.key, 0, 100)
        memory.register("", "used", gone.key, 0, 100)
        gone.path.unlink()
        span = memory.span("", "gone", 0, 100)
        now[0] = 11.0
        memory.span("", "used", 0, 1)
        memory.sweep()
        assert [region.name for region in memory.status("", "")] == ["kept", "used"]
        span.data[:] = 1  # a view keeps its memory
        now[0] = 101.0
        memory.sweep()
        assert memory.count == 0
    memory.close()


def test_the_user_at_the_other_end_is_found(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    for family, host, name in ((socket.AF_INET, "127.0.0.1", "ipv4"), (socket.AF_INET6, "::1", "ipv6")):
        with socket.socket(family) as listener:
            try:
                listener.bind((host, 0))
            except OSError:
                continue
            listener.listen()
            with socket.create_connection((host, listener.getsockname()[1])) as client:
                port = client.getsockname()[1]
                shown = f"%5B{host}%5D" if ":" in host else host
                peer, ours = f"{name}:{shown}:{port}", listener.getsockname()[1]
                assert user_of(peer) == user_of(peer, [1, ours]) == os.geteuid()
                assert _asked(ip_address(host), port, ours) == os.geteuid()
                assert _asked(ip_address(host), port, 1) is None
                assert SameUser()(peer)
    assert user_of("ipv4:127.0.0.1:1") is None
    assert user_of("nonsense") is None
    assert user_of("ipv4:999.0.0.1:80") is None
    assert not SameUser()("ipv4:127.0.0.1:1")
    assert SameUser()("unix:")

    monkeypatch.setattr("understudy.service.oip.same_user.user_of", lambda *_: 12345)
    with Ask(serving().address) as ask, Shared(800) as memory:
        code, said = refused(lambda: register(ask, memory))
        assert (code, "own user" in said) == (Code.PERMISSION_DENIED, True)
        assert refused(lambda: ask.infer(shared_request()))[0] is Code.PERMISSION_DENIED


def test_a_machine_without_shared_memory_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shared_memory, "_FOLDER", tmp_path / "none")
    with pytest.raises(RefusedError, match="no system shared memory"):
        SharedMemory(InferenceSettings()).register("", "r", "k", 0, 8)
