# SPDX-License-Identifier: Apache-2.0
"""What a service does with calls that no client of ours makes: garbage, too much, half a request."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from grpc_status import rpc_status

from contract.service.conftest import Connect, Serving
from contract.service.rig import HELD, FakeEngine, full_plate, make_request, wait_until
from understudy.client.engine import RemoteEngine
from understudy.codec.errors import error_from_status
from understudy.codec.jobs import request_to_pb
from understudy.codec.pixels import chunks
from understudy.contracts.errors import MemoryBudgetError, PlateError, UnavailableError, UnderstudyError, UsageError
from understudy.wire.understudy.v1 import understudy_pb2 as pb

RUN = "/understudy.v1.Understudy/Run"


def raw_run(address: str, messages: list[bytes], timeout: float = 20) -> list[bytes]:
    with grpc.insecure_channel(address) as channel:
        return list(channel.stream_stream(RUN)(iter(messages), timeout=timeout))


def refused(address: str, messages: list[bytes]) -> tuple[Any, UnderstudyError | None]:
    with pytest.raises(grpc.RpcError) as caught:
        raw_run(address, messages)
    error: Any = caught.value
    status = rpc_status.from_call(error)
    return error.code(), error_from_status(status) if status else None


def header(pack: str = "echo") -> pb.RunRequest:
    return pb.RunRequest(header=request_to_pb(make_request(pack), "id"))


def pixels() -> bytes:
    return b"".join(bytes(chunk) for chunk in chunks([full_plate()]))


def part(**fields: Any) -> bytes:
    return pb.RunRequest(**fields).SerializeToString()


END = part(end=pb.End(size=560))


@pytest.mark.parametrize(
    ("messages", "cls", "sentence"),
    [
        ([], UsageError, "does not begin with a header"),
        ([b""], UsageError, "does not begin with a header"),
        ([b"\xff\xff\xff"], UsageError, "does not begin with a header: no RunRequest"),
        ([b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"], UsageError, "does not begin with a header: no RunReq"),
        ([part(chunk=b"abcd")], UsageError, "does not begin with a header"),
        ([header().SerializeToString()], UsageError, "breaks off"),
        (
            [header().SerializeToString(), b"\x07garbage"],
            UsageError,
            "only pixels and an end may follow the header: no",
        ),
        ([header().SerializeToString()] * 2, UsageError, "only pixels and an end"),
        ([header().SerializeToString(), END], PlateError, "0 bytes of pixels came of the 560"),
        ([header().SerializeToString(), part(chunk=pixels()[:-1]), END], PlateError, "559 bytes of pixels came"),
        ([header().SerializeToString(), part(chunk=pixels() + b"x")], PlateError, "more pixels came"),
        ([header().SerializeToString(), part(chunk=pixels()), part(end=pb.End(size=1))], UsageError, "ends after 1 b"),
        ([part(header=pb.RunHeader())], UsageError, "names no pack"),
    ],
)
def test_malformed_calls_end_in_a_sentence(
    messages: list[bytes], cls: type[UnderstudyError], sentence: str, serving: Serving, engine: FakeEngine
) -> None:
    service = serving()
    code, error = refused(service.address, messages)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert type(error) is cls
    assert sentence in str(error)
    assert not engine.seen
    assert len(raw_run(service.address, [header().SerializeToString(), part(chunk=pixels()), END])) >= 3


def test_pixels_may_be_cut_anywhere_and_come_from_plain_protobuf(serving: Serving) -> None:
    data = pixels()
    for size in (1, 3, 7, 559):
        messages = [part(chunk=data[start : start + size]) for start in range(0, 560, size)]
        answer = raw_run(serving().address, [header().SerializeToString(), *messages, END])
        parts = [pb.RunResponse.FromString(message) for message in answer]
        assert parts[-1].end.size == 560
        assert b"".join(p.chunk for p in parts) == data
        assert next(p.header for p in parts if p.WhichOneof("part") == "header").request_id == "id"


def test_garbage_for_info_is_a_sentence(serving: Serving) -> None:
    with grpc.insecure_channel(serving().address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/understudy.v1.Understudy/Info")(b"\xff", timeout=20)
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "can't be read" in error.details()


def test_a_declared_size_over_the_limit_is_refused_before_its_pixels_come(
    serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    service = serving(max_request_bytes=559)
    code, error = refused(service.address, [header().SerializeToString()])
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert isinstance(error, MemoryBudgetError)
    with pytest.raises(MemoryBudgetError, match="--max-request-mb"):
        connect(service.address).run(make_request("echo", {"plate": full_plate(2000, 2000)}))
    assert not engine.seen


def test_a_message_over_the_limit_is_refused(serving: Serving) -> None:
    code, _ = refused(serving().address, [header().SerializeToString(), part(chunk=bytes(5 << 20))])
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_full_service_sends_clients_away_and_answers_info(
    serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    service = serving(workers=1, max_requests=2)
    client = connect(service.address)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(client.run, make_request("hold")) for _ in range(2)]
        assert engine.entered.acquire(timeout=20)
        wait_until(lambda: service._servicer.admission.open_requests == 2, "the second request did not come")
        with pytest.raises(UnavailableError) as busy:
            client.run(make_request("echo"))
        assert str(busy.value) == "the service is busy with 2 requests; try again, or on another service"
        assert client.info() == engine.info()
        engine.release.set()
        for future in waiting:
            future.result(20)
    client.run(make_request("echo"))


def test_pixels_of_all_requests_together_are_bounded_and_nobody_starves(
    serving: Serving, connect: Connect, engine: FakeEngine
) -> None:
    client = connect(serving(workers=4, max_total_bytes=2 * HELD + 100).address)
    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(client.run, make_request("hold")) for _ in range(5)]
        for _ in range(2):  # two requests with their results fit
            assert engine.entered.acquire(timeout=20)
        assert not engine.entered.acquire(timeout=0.2)
        engine.release.set()
        for future in waiting:
            future.result(20)
    assert engine.most_running == 2
    # One that is larger than the sum runs when it is alone.
    client.run(make_request("echo", {"plate": full_plate(100, 100)}))


def test_who_waits_for_memory_gives_up_at_its_deadline(serving: Serving, connect: Connect, engine: FakeEngine) -> None:
    service = serving(workers=4, max_total_bytes=HELD + 40)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(connect(service.address).run, make_request("hold"))
        assert engine.entered.acquire(timeout=20)
        with pytest.raises(UnavailableError, match="no answer within"):
            connect(service.address, timeout_s=0.3).run(make_request("echo"))
        engine.release.set()
        first.result(20)
    connect(service.address).run(make_request("echo"))


def test_the_service_ends_calls_that_set_no_deadline(serving: Serving, engine: FakeEngine) -> None:
    service = serving(max_run_s=0.3)
    with grpc.insecure_channel(service.address) as channel:
        messages = [header("endless").SerializeToString(), part(chunk=pixels()), END]
        with pytest.raises(grpc.RpcError) as caught:
            list(channel.stream_stream(RUN)(iter(messages)))
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.CANCELLED
    assert engine.stopped.wait(20)


def test_a_client_that_goes_away_half_way_leaves_nothing_behind(serving: Serving, connect: Connect) -> None:
    service = serving(max_total_bytes=HELD + 40)

    def half() -> Iterator[bytes]:
        yield header().SerializeToString()
        yield part(chunk=pixels()[:100])
        raise ConnectionAbortedError

    for _ in range(3):
        with grpc.insecure_channel(service.address) as channel, pytest.raises(grpc.RpcError):
            list(channel.stream_stream(RUN)(half(), timeout=20))
    connect(service.address).run(make_request("echo"))


class WrongService(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers every call with the given messages."""

    def __init__(self, answer: list[bytes]) -> None:
        self.answer = answer

    def service(self, details: Any) -> Any:
        if details.method.endswith("Run"):
            return grpc.stream_stream_rpc_method_handler(lambda requests, _: iter(self.answer))
        return grpc.unary_unary_rpc_method_handler(lambda request, _: self.answer[0])


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [b"\xff\xff"],
        [pb.RunResponse(chunk=b"1234").SerializeToString()],
        [pb.RunResponse(header=pb.ResultHeader(report_json="{}")).SerializeToString()],
        [
            pb.RunResponse(header=pb.ResultHeader(report_json="nope")).SerializeToString(),
            pb.RunResponse(end=pb.End()).SerializeToString(),
        ],
        [pb.RunResponse(header=pb.ResultHeader(plates=[pb.Plate(name="a")])).SerializeToString()],
    ],
    ids=["nothing", "garbage", "pixels first", "no end", "report", "plate"],
)
def test_a_client_refuses_wrong_answers(answer: list[bytes], connect: Connect) -> None:
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=(WrongService(answer),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with pytest.raises(UnderstudyError, match="the service's answer can't be used") as caught:
            connect(f"127.0.0.1:{port}").run(make_request("echo", {}))
        assert caught.value.exit_code == 1
        server.stop(0).wait()


def test_a_client_of_another_service_says_so(connect: Connect) -> None:
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        client = connect(f"127.0.0.1:{port}")
        for call in (client.info, lambda: client.run(make_request("echo", {}))):
            with pytest.raises(UsageError, match="no Understudy service"):
                call()
        server.stop(0).wait()


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_limit_is_over_zero(timeout_s: float) -> None:
    with pytest.raises(UsageError, match="time limit"):
        RemoteEngine("127.0.0.1:1", timeout_s=timeout_s)
