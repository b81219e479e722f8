# SPDX-License-Identifier: Apache-2.0
"""What a service does with memory that is not what a caller says, and with callers that are killed."""

import fcntl
import gc
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from blake3 import blake3
from grpc_status import rpc_status

from contract.service.conftest import Connect, Serving
from contract.service.rig import FakeEngine, assert_same_plate, full_plate, make_request, wait_until
from understudy.client.region import FIRST_BYTE, Region, supported
from understudy.codec.errors import error_from_status
from understudy.codec.jobs import request_to_pb
from understudy.codec.pixels import plate_bytes
from understudy.contracts.errors import PlateError, UnavailableError, UnderstudyError, UnknownPixelsError
from understudy.service.caller import Caller
from understudy.service.limits import Limits
from understudy.service.memfd import NotShareableError, map_shared
from understudy.service.regions import Regions
from understudy.wire.understudy.v1 import understudy_pb2 as pb

pytestmark = pytest.mark.skipif(not supported(), reason="this platform shares no memory")
SIZE = 1 << 16
NONCE = bytes(range(32))
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW if supported() else 0


@contextmanager
def memfd(size: int = SIZE, seals: int = SEALS, flags: int = 0) -> Iterator[int]:
    fd = os.memfd_create("test", os.MFD_ALLOW_SEALING | flags)
    try:
        os.ftruncate(fd, size)
        if size:
            os.pwrite(fd, NONCE, 0)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        yield fd
    finally:
        os.close(fd)


def why_not(fd: int, *, pid: int | None = None, size: int = SIZE, nonce: bytes = NONCE) -> str:
    with pytest.raises(NotShareableError) as caught:
        map_shared(os.getpid() if pid is None else pid, fd, size, nonce)
    return str(caught.value)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_honest_memory_is_mapped_and_its_descriptor_let_go() -> None:
    with memfd() as fd:
        before = descriptors()
        mapping = map_shared(os.getpid(), fd, SIZE, NONCE)
        mapping[100:103] = b"abc"
        assert os.pread(fd, 3, 100) == b"abc"
        del mapping
        assert descriptors() == before


def test_each_lie_about_memory_is_refused_and_leaves_no_descriptor(tmp_path: Path) -> None:
    before = descriptors()
    with ExitStack() as stack:
        reading, writing = os.pipe()
        stack.callback(os.close, reading)
        stack.callback(os.close, writing)
        file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
        stack.callback(os.close, file)
        os.truncate(tmp_path / "file", SIZE)
        folder = os.open(tmp_path, os.O_RDONLY)
        stack.callback(os.close, folder)
        null = os.open("/dev/zero", os.O_RDWR)
        stack.callback(os.close, null)
        for fd in (reading, writing, file, folder, null):
            assert why_not(fd) == "the descriptor is no memory file"
        good = stack.enter_context(memfd())
        assert why_not(good, nonce=bytes(32)) == "the process of that number is another one here"
        assert why_not(good, nonce=NONCE[:31]) == "the process of that number is another one here"
        assert why_not(good, nonce=b"") == "the process of that number is another one here"
        for size in (0, 1, SIZE - 1, SIZE + 1, SIZE * 2, (1 << 64) - 1):
            assert why_not(good, size=size) == "the memory is of another size"
        assert why_not(987_654) == "there is no such process or descriptor here"
        for pid in (0, (1 << 32) - 1):
            assert why_not(good, pid=pid) == "there is no such process or descriptor here"
        for seals in (0, fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_GROW):
            assert why_not(stack.enter_context(memfd(seals=seals))) == "the memory's size is not sealed"
        read_only = stack.enter_context(memfd(seals=SEALS | fcntl.F_SEAL_WRITE))
        assert why_not(read_only) == "the memory can't be mapped"
        assert why_not(stack.enter_context(memfd(size=0, seals=0)), size=0) in {
            "the memory's size is not sealed",
            "the memory can't be mapped",
        }
    assert descriptors() == before


def test_a_pipe_is_not_even_opened() -> None:
    """Opening one end of a FIFO would wait for the other."""
    fifo = Path("/tmp") / f"understudy-{os.getpid()}"
    os.mkfifo(fifo)
    try:
        fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        assert why_not(fd) == "the descriptor is no memory file"
        os.close(fd)
    finally:
        fifo.unlink()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may make another user's memory")
def test_another_user_s_memory_is_refused() -> None:
    with memfd() as fd:
        os.fchown(fd, 12_345, -1)
        assert why_not(fd) == "the memory belongs to another user"


def shared(regions: Regions, caller: Caller = Caller(local=True), size: int = SIZE) -> tuple[Any, str, Region]:  # noqa: B008
    session = regions.open(caller)
    region = Region(size)
    name = regions.add(session, pb.Region(pid=os.getpid(), fd=region.fd, size=region.size, nonce=region.nonce))
    return session, name, region


def test_parts_of_a_region_are_checked() -> None:
    regions = Regions(Limits())
    caller = Caller(local=True)
    _, name, region = shared(regions)
    assert regions.span(caller, name, 0, region.size).memory.size == region.size
    assert regions.span(caller, name, region.size, 0).memory.size == 0
    for offset, size in (
        (region.size, 4),
        (64, region.size),
        (0, region.size + 4),
        ((1 << 64) - 64, 64),
        (64, (1 << 64) - 64),
        ((1 << 64) - 64, (1 << 64) - 64),
        (1, 4),
        (4, 4),
        (65, 4),
        (64, 3),
    ):
        with pytest.raises(PlateError):
            regions.span(caller, name, offset, size)
    for wrong in ("", "x", name[:-1], name.upper() + "0", "../" + name):
        with pytest.raises(UnknownPixelsError):
            regions.span(caller, wrong, 64, 64)


def test_another_caller_s_region_does_not_exist() -> None:
    regions = Regions(Limits())
    ann, bob = Caller(name="ann", local=True), Caller(name="bob", local=True)
    session, name, _ = shared(regions, ann)
    regions.span(ann, name, 64, 64).release()
    with pytest.raises(UnknownPixelsError) as theirs:
        regions.span(bob, name, 64, 64)
    with pytest.raises(UnknownPixelsError) as nobodys:
        regions.span(bob, "0" * 32, 64, 64)
    assert str(theirs.value) == str(nobodys.value)
    with pytest.raises(NotShareableError, match="no such region"):
        regions.drop(regions.open(bob), name)
    regions.drop(session, name)
    with pytest.raises(UnknownPixelsError):
        regions.span(ann, name, 64, 64)


def test_a_region_in_use_is_not_dropped_and_outlives_its_session() -> None:
    regions = Regions(Limits())
    caller = Caller(local=True)
    session, name, region = shared(regions)
    span = regions.span(caller, name, FIRST_BYTE, 4096)
    with pytest.raises(NotShareableError, match="a request uses the region"):
        regions.drop(session, name)
    regions.close(session)
    assert regions.count == 0
    span.memory[:] = 7  # still mapped
    assert (region.samples(FIRST_BYTE, 4096).view(np.uint8) == 7).all()
    span.release()
    span.release()


def test_regions_are_bounded_per_caller_and_in_all() -> None:
    ann, bob = Caller(name="ann", local=True), Caller(name="bob", local=True)

    def refused(limits: Limits, *callers: Caller) -> str:
        regions = Regions(limits)
        *most, last = callers
        for caller in most:
            shared(regions, caller)
        with pytest.raises(NotShareableError) as caught:
            shared(regions, last)
        return str(caught.value)

    assert refused(Limits(max_caller_regions=2), ann, bob, ann, ann) == "2 regions are shared already"
    assert refused(Limits(max_regions=2), ann, bob, ann) == "2 regions are shared already"
    assert "would be shared" in refused(Limits(max_caller_region_bytes=3 * SIZE), ann, bob, ann, ann)
    assert "would be shared" in refused(Limits(max_region_bytes=3 * SIZE), ann, bob, ann)
    regions = Regions(Limits(max_share_sessions=1))
    session = regions.open(ann)
    with pytest.raises(UnavailableError, match="1 clients share memory already"):
        regions.open(bob)
    regions.close(session)
    regions.open(bob)


class Share:
    """A ``ShareMemory`` call made by hand."""

    def __init__(self, channel: Any) -> None:
        self.requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.call = channel.stream_stream("/understudy.v1.Understudy/ShareMemory")(
            iter(self.requests.get, None), timeout=30
        )

    def ask(self, request: pb.ShareRequest) -> pb.ShareResponse:
        self.requests.put(request.SerializeToString())
        return pb.ShareResponse.FromString(next(self.call))

    def add(self, region: Region) -> str:
        answer = self.ask(
            pb.ShareRequest(add=pb.Region(pid=os.getpid(), fd=region.fd, size=region.size, nonce=region.nonce))
        )
        assert answer.added, answer
        return answer.added


def run_error(channel: Any, header: pb.RunHeader, *more: pb.RunRequest) -> UnderstudyError:
    messages = [pb.RunRequest(header=header), *more, pb.RunRequest(end=pb.End())]
    call = channel.stream_stream("/understudy.v1.Understudy/Run")
    with pytest.raises(grpc.RpcError) as caught:
        list(call(iter([message.SerializeToString() for message in messages]), timeout=30))
    error: Any = caught.value
    status = rpc_status.from_call(error)
    assert status is not None, error
    ours = error_from_status(status)
    assert ours is not None
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    return ours


def test_hostile_calls_end_in_a_sentence_that_names_no_region(serving: Serving, engine: FakeEngine) -> None:
    service = serving()
    with grpc.insecure_channel(service.address) as channel:
        share = Share(channel)
        region = Region(SIZE)
        name = share.add(region)
        for request in (
            pb.ShareRequest(),
            pb.ShareRequest(drop="nobody's"),
            pb.ShareRequest(add=pb.Region()),
            pb.ShareRequest(add=pb.Region(pid=os.getpid(), fd=region.fd, size=region.size, nonce=bytes(32))),
            pb.ShareRequest(add=pb.Region(pid=os.getpid(), fd=0, size=(1 << 64) - 1, nonce=bytes(32))),
        ):
            assert share.ask(request).refused
        good = request_to_pb(make_request("echo"), "id")
        size = good.plates[0].inline.size
        for place in (
            pb.SharedPixels(region=name, offset=region.size, size=size),
            pb.SharedPixels(region=name, offset=(1 << 64) - 64, size=size),
            pb.SharedPixels(region=name, offset=1, size=size),
            pb.SharedPixels(region=name, offset=FIRST_BYTE, size=size - 4),
            pb.SharedPixels(region=name, offset=FIRST_BYTE, size=(1 << 64) - 4),
            pb.SharedPixels(region="0" * 32, offset=FIRST_BYTE, size=size),
            pb.SharedPixels(),
        ):
            header = pb.RunHeader()
            header.CopyFrom(good)
            header.plates[0].shared.CopyFrom(place)
            error = run_error(channel, header)
            assert isinstance(error, PlateError)
            assert name not in str(error)
        for target in (
            pb.Placement(region="0" * 32, offset=0, capacity=64),
            pb.Placement(region=name, offset=0, capacity=(1 << 64) - 1),
            pb.Placement(region=name, offset=(1 << 64) - 64, capacity=1 << 20),
            pb.Placement(region=name, offset=3, capacity=64),
        ):
            header = pb.RunHeader()
            header.CopyFrom(good)
            header.result.CopyFrom(target)
            assert isinstance(run_error(channel, header), PlateError)
        # Chunks for a plate that is shared are too many.
        header = pb.RunHeader()
        header.CopyFrom(good)
        header.plates[0].shared.CopyFrom(pb.SharedPixels(region=name, offset=FIRST_BYTE, size=size))
        assert "more pixels came" in str(run_error(channel, header, pb.RunRequest(chunk=b"1234")))
        assert not engine.seen
        assert all(not held.users for held in service._servicer.regions._regions.values())
        share.requests.put(None)


def test_a_wrong_hash_is_told_and_names_no_other_pixels(serving: Serving, connect: Connect) -> None:
    service = serving()
    plate, other = full_plate(120, 150, seed=1), full_plate(120, 150, seed=2)
    digest = blake3(plate_bytes(plate)).digest()
    with grpc.insecure_channel(service.address) as channel:
        call = channel.stream_stream("/understudy.v1.Understudy/Run")

        def messages(header: pb.RunHeader, sent: bytes, digests: list[bytes]) -> Iterator[bytes]:
            yield pb.RunRequest(header=header).SerializeToString()
            for start in range(0, len(sent), 100_000):
                yield pb.RunRequest(chunk=sent[start : start + 100_000]).SerializeToString()
            yield pb.RunRequest(end=pb.End(size=len(sent), blake3=digests)).SerializeToString()

        header = request_to_pb(make_request("echo", {"plate": other}), "id")
        with pytest.raises(grpc.RpcError, match="another hash"):
            list(call(messages(header, bytes(plate_bytes(other)), [digest]), timeout=30))
        header.plates[0].hashed.CopyFrom(pb.HashedPixels(size=plate.nbytes, blake3=digest))
        with pytest.raises(grpc.RpcError, match="another hash"):
            list(call(messages(header, bytes(plate_bytes(other)), []), timeout=30))
        answer = [
            pb.RunResponse.FromString(data)
            for data in call(messages(header, bytes(plate_bytes(plate)), [b"", b"more than there are"]), timeout=30)
        ]
        assert list(answer[0].wanted.plates) == [0]  # nothing was filed under that hash
        assert b"".join(part.chunk for part in answer) == plate_bytes(plate)
        answer = [pb.RunResponse.FromString(data) for data in call(messages(header, b"", []), timeout=30)]
        assert answer[0].WhichOneof("part") == "wanted"
        assert not answer[0].wanted.plates
        assert b"".join(part.chunk for part in answer) == plate_bytes(plate)


CLIENT = """
import sys
import numpy as np
from contract.service.rig import full_plate, make_request
from understudy.client.engine import RemoteEngine
from understudy.contracts.engine import Control

client = RemoteEngine(sys.argv[1])
assert client.transport.name == "shared-memory", client.transport
kept = client.run(make_request("echo", {"plate": full_plate(400, 400)}))
say = lambda done, total: done == 3 and print("running", flush=True)
client.run(make_request("endless", {"plate": full_plate(400, 400, seed=1)}), Control(progress=say))
"""


def test_a_killed_client_leaves_no_region_descriptor_or_thread(
    serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    service = serving()
    regions = service._servicer.regions
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

    def start_and_kill() -> None:
        engine.stopped.clear()
        command = [sys.executable, "-c", CLIENT, service.address]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line == b"running\n", process.communicate()
            assert regions.count > 0
            assert regions.sessions == 1
            process.kill()
        assert engine.stopped.wait(20)
        wait_until(lambda: regions.count == 0 and regions.sessions == 0, "its memory stayed")
        wait_until(lambda: service._servicer.admission.open_requests == 0, "its request stayed")
        engine.seen.clear()  # the engine of these tests keeps the plates it saw

    start_and_kill()  # gRPC's own threads and descriptors come with the first client
    gc.collect()  # what earlier tests left
    before = descriptors(), threading.active_count(), mapped()
    gc.disable()  # memory must not wait for Python to look for cycles
    try:
        start_and_kill()
        wait_until(lambda: mapped() <= before[2], "its memory stayed mapped")
    finally:
        gc.enable()
    wait_until(lambda: descriptors() <= before[0], "descriptors stayed")
    assert threading.active_count() <= before[1]
    # And the service goes on.
    got = connect(service.address).run(make_request("negate", {"plate": full_plate(400, 400)}))
    plate = full_plate(400, 400)
    assert_same_plate(got.plates["plate"], plate.with_pixels(-plate.pixels))


def mapped() -> int:
    """Memory of clients that this process has mapped."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return sum("/memfd:understudy" in line for line in lines)
