# SPDX-License-Identifier: Apache-2.0
"""Requests that mean harm: each ends in a sentence, in bounded time and memory, and takes nobody's place."""

import fcntl
import io
import json
import logging
import mmap
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from blake3 import blake3
from grpc_status import rpc_status

from contract.service.conftest import Connect, Serving
from contract.service.rig import FakeEngine, assert_same_plate, full_plate, make_request, wait_until
from proof.served import serving as serving_process
from understudy.codec.errors import error_from_status
from understudy.codec.jobs import request_to_pb
from understudy.codec.pixels import chunks
from understudy.contracts.errors import UnderstudyError
from understudy.contracts.plate import Plate
from understudy.service.log import JsonLines
from understudy.service.server import Service
from understudy.wire.understudy.v1 import understudy_pb2 as pb

RUN = "/understudy.v1.Understudy/Run"
SHARE = "/understudy.v1.Understudy/ShareMemory"
INFO = "/understudy.v1.Understudy/Info"
Code = grpc.StatusCode


def header(pack: str = "echo", request_id: str = "id", plates: Mapping[str, Plate] | None = None) -> pb.RunHeader:
    return request_to_pb(make_request(pack, plates or {"plate": full_plate()}), request_id)


def pixels(plate: Plate | None = None) -> bytes:
    return b"".join(bytes(chunk) for chunk in chunks([plate or full_plate()]))


def part(**fields: Any) -> bytes:
    return pb.RunRequest(**fields).SerializeToString()


def whole(head: pb.RunHeader | None = None) -> list[bytes]:
    data = pixels()
    return [part(header=head or header()), part(chunk=data), part(end=pb.End(size=len(data)))]


@contextmanager
def channel_to(service: Service, **options: Any) -> Iterator[Any]:
    with grpc.insecure_channel(
        service.address, options=[("grpc.use_local_subchannel_pool", 1), *options.items()]
    ) as channel:
        yield channel


def end_of(service: Service, messages: Any, **how: Any) -> tuple[grpc.StatusCode, UnderstudyError | None, str]:
    """How a raw call ends: its code, our error in it, gRPC's text."""
    how.setdefault("timeout", 30)
    with channel_to(service) as channel:
        try:
            list(channel.stream_stream(RUN)(iter(messages), **how))
        except grpc.RpcError as error:
            failed: Any = error
            status = rpc_status.from_call(failed)
            return failed.code(), error_from_status(status) if status else None, str(failed.details())
    return Code.OK, None, ""


@pytest.fixture
def service(serving: Serving) -> Iterator[Service]:
    """A service that must hold nothing at the end and still do what it is for."""
    service = serving(max_request_bytes=8_000_000, max_total_bytes=16_000_000)
    yield service
    admission = service._servicer.admission
    wait_until(lambda: admission.open_requests == 0, "a request still holds its place")
    wait_until(lambda: admission._bytes == 0, "a request still holds its bytes")
    wait_until(lambda: service._servicer.queue.snapshot().running == (), "a job still runs")
    assert end_of(service, whole())[0] is Code.OK


def changed(change: Callable[[pb.RunHeader], object]) -> pb.RunHeader:
    head = header()
    change(head)
    return head


def window(**sides: int) -> Callable[[pb.RunHeader], object]:
    def change(head: pb.RunHeader) -> None:
        for name, value in sides.items():
            setattr(head.plates[0].data_window, name, value)
        data = head.plates[0].data_window
        head.plates[0].inline.size = data.width * data.height * 16 % (1 << 64)

    return change


def many_plates(head: pb.RunHeader) -> None:
    for number in range(2000):
        head.plates.add().CopyFrom(head.plates[0])
        head.plates[-1].name = f"p{number}"


def same_channels(head: pb.RunHeader) -> None:
    for channel in head.plates[0].channels:
        channel.name = "R"


def twice(head: pb.RunHeader) -> None:
    head.plates.add().CopyFrom(head.plates[0])


REFUSED: dict[str, Callable[[pb.RunHeader], object]] = {
    "sides that overflow 32 bits": window(width=(1 << 32) - 1, height=(1 << 32) - 1),
    "sides whose product is 2^64": window(width=1 << 31, height=1 << 29),
    "a row of 2^32 pixels": window(width=(1 << 32) - 1, height=1),
    "no rows": window(height=0),
    "a size of 2^64 - 1": lambda head: setattr(head.plates[0].inline, "size", (1 << 64) - 1),
    "a million channels": lambda head: head.plates[0].channels.extend([pb.Channel()] * 1_000_000),
    "two thousand plates": many_plates,
    "names that repeat": twice,
    "channel names that repeat": same_channels,
    "an encoding of the future": lambda head: setattr(head.plates[0], "encoding", 77),
    "a foreign region": lambda head: head.plates[0].shared.CopyFrom(pb.SharedPixels(region="0" * 32, size=560)),
    "a region by path": lambda head: head.plates[0].shared.CopyFrom(pb.SharedPixels(region="../../shm/x", size=560)),
    "results in a foreign region": lambda head: head.result.CopyFrom(pb.Placement(region="0" * 32, capacity=1 << 63)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_description_that_can_not_be_is_refused_before_a_pixel_is_read(
    what: str, service: Service, engine: FakeEngine
) -> None:
    messages = [part(header=changed(REFUSED[what]))]
    if what == "channel names that repeat":  # told when the plate is whole
        messages = whole(changed(REFUSED[what]))
    code, error, text = end_of(service, messages)
    assert code in (Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED, Code.FAILED_PRECONDITION, Code.NOT_FOUND), text
    assert error is not None, text
    assert not engine.seen


JSON_BOMBS = {
    "deep lists": "[" * 200_000 + "]" * 200_000,
    "deep objects": '{"options": ' + '{"a": ' * 100_000,
    "deep lights": '{"role": "relight", "lights": {"lights": ' + "[" * 50_000 + "]" * 50_000 + "}}",
    "a number of a million digits": '{"role": "upscale", "scale": ' + "9" * 1_000_000 + "}",
    "a fraction of a million digits": '{"role": "upscale", "scale": "' + "9" * 1_000_000 + '/7"}',
    "an exponent": '{"role": "upscale", "scale": "1e999999999"}',
    "a small exponent": '{"role": "upscale", "scale": "1e-999999999"}',
    "not a number": '{"role": "upscale", "tile": NaN}',
    "not a number in options": '{"role": "upscale", "scale": 1, "options": {"a": NaN}}',
    "many keys": '{"role": "upscale", "options": {' + ",".join(f'"k{n}":{{}}' for n in range(200_000)) + "}}",
    "a lone surrogate": '{"role": "upscale", "options": {"\\ud800": 1}}',
}


@pytest.mark.parametrize("what", JSON_BOMBS)
def test_json_that_means_harm_is_a_sentence(what: str, service: Service, engine: FakeEngine) -> None:
    head = header()
    head.params_json = JSON_BOMBS[what]
    code, error, text = end_of(service, [part(header=head)])
    assert code in (Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED), text
    assert error is not None or "larger than max" in text, text
    assert len(text) < 4000
    assert not engine.seen


def test_a_header_after_pixels_and_pixels_after_the_end(service: Service, engine: FakeEngine) -> None:
    head, chunk, end = whole()
    for messages in ([chunk, head, end], [head, chunk, head, end], [head, end, chunk], [end, head, chunk]):
        assert end_of(service, messages)[0] is Code.INVALID_ARGUMENT
    assert not engine.seen


def test_pixels_without_end_are_cut_off_at_the_first_byte_too_many(service: Service) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield part(header=header())
        while True:
            sent += 1
            yield part(chunk=bytes(1 << 20))

    code, error, _ = end_of(service, endless())
    assert code is Code.INVALID_ARGUMENT
    assert "more pixels came" in str(error)
    assert sent < 100


def test_a_client_that_sends_nothing_more_is_let_go_at_its_deadline(serving: Serving) -> None:
    service = serving(max_requests=2, max_run_s=1.0)
    admission = service._servicer.admission
    let_go = threading.Event()

    def drip() -> Iterator[bytes]:
        yield part(header=header())
        for byte in pixels():
            yield part(chunk=bytes([byte]))
            if let_go.wait(0.2):
                return

    def empty() -> Iterator[bytes]:
        yield part(header=header())
        while not let_go.wait(0.01):
            yield part(chunk=b"")

    try:
        for messages, deadline in ((drip, 0.5), (empty, 0.5), (drip, None), (empty, None)):
            code, _, _ = end_of(service, messages(), timeout=deadline)
            assert code in (Code.DEADLINE_EXCEEDED, Code.CANCELLED)
            wait_until(lambda: admission.open_requests == 0, "the slow client still holds its place")
    finally:
        let_go.set()
    assert end_of(service, whole())[0] is Code.OK


def test_a_thousand_calls_that_are_opened_and_left(service: Service) -> None:
    with channel_to(service) as channel:
        method = channel.stream_stream(RUN)
        for number in range(1000):
            messages = whole()[: number % 4]
            call = method(iter(messages), timeout=30)
            if number % 3:
                call.cancel()
    # Leaving the channel ends what was not cancelled.


def memory_of(size: int, seals: int) -> tuple[int, mmap.mmap, bytes]:
    fd = os.memfd_create("hostile", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.ftruncate(fd, size)
    memory = mmap.mmap(fd, size)
    nonce = secrets.token_bytes(32)
    memory[:32] = nonce
    if seals:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd, memory, nonce


FIXED = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


class Sharing:
    """An open ShareMemory call."""

    def __init__(self, channel: Any) -> None:
        self._going: list[pb.ShareRequest] = []
        self._more = threading.Semaphore(0)
        self._call = channel.stream_stream(
            SHARE,
            request_serializer=pb.ShareRequest.SerializeToString,
            response_deserializer=pb.ShareResponse.FromString,
        )(self._requests(), timeout=30)

    def ask(self, request: pb.ShareRequest) -> pb.ShareResponse:
        self._going.append(request)
        self._more.release()
        answer: pb.ShareResponse = next(self._call)
        return answer

    def close(self) -> None:
        self._call.cancel()

    def _requests(self) -> Iterator[pb.ShareRequest]:
        while self._more.acquire(timeout=30):
            yield self._going.pop(0)


def test_memory_that_is_not_what_the_client_says_is_refused(service: Service) -> None:
    size, me = 1 << 16, os.getpid()
    good, memory, nonce = memory_of(size, FIXED)
    loose, loose_memory, loose_nonce = memory_of(size, 0)
    reading, writing = os.pipe()
    with Path(__file__).open("rb") as source, channel_to(service) as channel:
        sharing = Sharing(channel)
        for region in (
            pb.Region(pid=me, fd=good, size=size + 1, nonce=nonce),
            pb.Region(pid=me, fd=good, size=1 << 62, nonce=nonce),
            pb.Region(pid=me, fd=good, size=(1 << 64) - 1, nonce=nonce),
            pb.Region(pid=me, fd=good, size=0, nonce=nonce),
            pb.Region(pid=me, fd=good, size=size, nonce=b"x" * 32),
            pb.Region(pid=me, fd=good, size=size, nonce=b""),
            pb.Region(pid=me, fd=loose, size=size, nonce=loose_nonce),  # could be cut short under the service
            pb.Region(pid=me, fd=reading, size=size, nonce=nonce),
            pb.Region(pid=me, fd=writing, size=size, nonce=nonce),
            pb.Region(pid=me, fd=source.fileno(), size=size, nonce=nonce),
            pb.Region(pid=me, fd=(1 << 32) - 1, size=size, nonce=nonce),
            pb.Region(pid=1, fd=0, size=size, nonce=nonce),
            pb.Region(pid=0, fd=good, size=size, nonce=nonce),
            pb.Region(),
        ):
            answer = sharing.ask(pb.ShareRequest(add=region))
            assert answer.WhichOneof("part") == "refused", region
            assert "/proc" not in answer.refused
        assert service._servicer.regions.count == 0
        sharing.close()
    for fd in (good, loose, reading, writing):
        os.close(fd)
    memory.close()
    loose_memory.close()


def test_only_the_own_region_and_only_within_it(service: Service) -> None:
    size = 1 << 16
    fd, memory, nonce = memory_of(size, FIXED)
    plate = full_plate()
    with channel_to(service) as channel:
        sharing = Sharing(channel)
        region = pb.Region(pid=os.getpid(), fd=fd, size=size, nonce=nonce)
        name = sharing.ask(pb.ShareRequest(add=region)).added
        assert name
        memory[4096 : 4096 + plate.nbytes] = pixels()

        def at(offset: int, length: int | None = None) -> tuple[grpc.StatusCode, UnderstudyError | None, str]:
            head = header()
            shared = pb.SharedPixels(region=name, offset=offset, size=plate.nbytes if length is None else length)
            head.plates[0].shared.CopyFrom(shared)
            return end_of(service, [part(header=head), part(end=pb.End())])

        assert at(4096)[0] is Code.OK
        for offset, length in (
            (4097, None),
            (size, None),
            (size - 64, None),
            ((1 << 64) - 64, None),
            ((1 << 63), None),
            (4096, (1 << 64) - 4),
            (4096, 0),
        ):
            code, error, text = at(offset, length)
            assert code is Code.INVALID_ARGUMENT, (offset, length, text)
            assert name not in str(error)
        for asked in (name.upper(), name + "\0", name[:-1], "", "*"):
            head = header()
            head.plates[0].shared.CopyFrom(pb.SharedPixels(region=asked, offset=4096, size=plate.nbytes))
            code, error, _ = end_of(service, [part(header=head), part(end=pb.End())])
            assert code is not Code.OK
            assert name not in str(error)
        assert sharing.ask(pb.ShareRequest(drop="0" * 32)).WhichOneof("part") == "refused"
        sharing.close()
    wait_until(lambda: service._servicer.regions.count == 0, "the region outlives its client")
    assert at_closed(service, name) is not Code.OK
    os.close(fd)
    memory.close()


def at_closed(service: Service, name: str) -> grpc.StatusCode:
    head = header()
    head.plates[0].shared.CopyFrom(pb.SharedPixels(region=name, offset=4096, size=560))
    return end_of(service, [part(header=head), part(end=pb.End())])[0]


def test_a_wrong_claim_of_a_hash_names_no_pixels(service: Service) -> None:
    mine, other = full_plate(seed=1), full_plate(seed=2)
    theirs = blake3(pixels(other)).digest()
    head = header(plates={"plate": mine})
    head.plates[0].inline.blake3 = theirs
    end_of(service, [part(header=head), part(chunk=pixels(mine)), part(end=pb.End(size=560))])
    end_of(
        service,
        [
            part(header=header(plates={"plate": mine})),
            part(chunk=pixels(mine)),
            part(end=pb.End(size=560, blake3=[theirs])),
        ],
    )
    for digest in (theirs, b"", b"x", theirs + b"x", bytes(32)):
        head = header(plates={"plate": mine})
        head.plates[0].hashed.CopyFrom(pb.HashedPixels(size=560, blake3=digest))
        with channel_to(service) as channel:
            call = channel.stream_stream(RUN, response_deserializer=pb.RunResponse.FromString)(
                iter([part(header=head)]), timeout=30
            )
            try:
                first = next(call)
            except grpc.RpcError:
                continue
            assert list(first.wanted.plates) == [0]  # the service has no such pixels
            call.cancel()


@pytest.mark.e2e
def test_a_message_that_swells_is_refused_before_it_does(tmp_path: Path) -> None:
    bomb = part(chunk=bytes(150_000_000))  # 150 kB on the way
    with serving_process("--port", "0", log=tmp_path / "log") as served:
        with grpc.insecure_channel(served.address) as channel:
            run = channel.stream_stream(RUN)
            for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
                for _ in range(2):
                    with pytest.raises(grpc.RpcError) as caught:
                        list(run(iter([part(header=header()), bomb]), timeout=30, compression=compression))
                    failed: Any = caught.value
                    assert failed.code() is Code.UNIMPLEMENTED  # nothing that is compressed is taken
        assert served.alive()
        assert most_memory(served.pid) < served.facts().rss_bytes + 75_000_000


def most_memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def test_metadata_beyond_measure_is_refused(service: Service) -> None:
    for metadata in ((("x", "v" * 1_000_000),), (("x", "v"),) * 20_000, (("x-bin", bytes(500_000)),)):
        code, _, _ = end_of(service, whole(), metadata=metadata)
        assert code in (Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE, Code.INTERNAL)
    with channel_to(service) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(INFO)(b"", metadata=(("x", "v" * 1_000_000),), timeout=30)
    failed: Any = caught.value
    assert failed.code() is Code.RESOURCE_EXHAUSTED


FORGED = '"}\n{"level": "error", "event": "forged"}'
NAMES = ("\0", "a\0b", "\n\r\t", FORGED, "\x1b[31mred\x1b[0m", "\u202eevil", "\u2028", "é" * 500, "%s%n", "{0}", "😀")


@pytest.mark.parametrize("name", NAMES)
def test_names_neither_forge_the_log_nor_break_the_answer(name: str, service: Service) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("understudy.service")
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        for head in (header(request_id=name), header(pack=name), header(plates={name: full_plate()})):
            head.user = name
            end_of(service, whole(head))
        head = header("fail")
        head.request_id = name
        code, _, text = end_of(service, whole(head))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    assert code is Code.INTERNAL  # the engine's own failure, told by the request's id
    assert "secret" not in text
    wait_until(lambda: service._servicer.admission.open_requests == 0, "a request still holds its place")
    lines = stream.getvalue().split("\n")
    events = [json.loads(line)["event"] for line in lines if line and not line.startswith((" ", "Traceback"))]
    assert "run" in events
    assert "forged" not in events


def test_windows_at_the_edge_of_their_numbers_come_back_as_they_are(serving: Serving, connect: Connect) -> None:
    client = connect(serving().address)
    for x, y in ((-(1 << 31), -(1 << 31)), ((1 << 31) - 1, (1 << 31) - 1)):
        plate = full_plate()
        plate = replace(plate, data_window=replace(plate.data_window, x=x, y=y))
        assert_same_plate(client.run(make_request("echo", {"plate": plate})).plates["plate"], plate)


@pytest.mark.parametrize("bits", [0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001])
def test_pixels_that_are_no_numbers_are_refused(bits: int, service: Service, engine: FakeEngine) -> None:
    data = np.frombuffer(pixels(), np.uint32).copy()
    data[4] = bits
    messages = [part(header=header()), part(chunk=data.tobytes()), part(end=pb.End(size=560))]
    assert end_of(service, messages)[0] is Code.INVALID_ARGUMENT
    assert not engine.seen
