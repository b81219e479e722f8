# SPDX-License-Identifier: Apache-2.0
"""What the fuzzer found, as small cases."""

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from contract.service.rig import make_request
from understudy.client.parcel import Parcel
from understudy.client.run_call import read_result
from understudy.client.sent_plates import SentPlates
from understudy.client.status import error_from_call, send_again
from understudy.codec.errors import error_from_status, retry_delay_s
from understudy.codec.info import info_from_pb
from understudy.codec.jobs import request_from_pb, result_from_pb
from understudy.contracts.engine import NO_CONTROL
from understudy.contracts.errors import GraphError, MemoryBudgetError, UnderstudyError, UsageError
from understudy.contracts.workload import PlateSize, workload_of
from understudy.frames.sequence import split_pattern
from understudy.graph.parsing import parse_graph
from understudy.wire.understudy.v1 import understudy_pb2 as pb


class Failed:
    """A failed call with these bytes as its details."""

    def __init__(self, details: bytes) -> None:
        self._details = details

    def code(self) -> Any:
        return grpc.StatusCode.INTERNAL

    def details(self) -> str:
        return "why"

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return (("grpc-status-details-bin", self._details),)


@pytest.mark.parametrize("details", [b"\xff\xff", b"\x12\x02\xff\xff", b"\x0a\x7f"])
def test_details_of_a_status_that_are_no_message_hide_nothing(details: bytes) -> None:
    failed = Failed(details)
    error = error_from_call(failed, "127.0.0.1:1", cancelled=False, timeout_s=1.0)
    assert type(error) is UnderstudyError
    assert "the call failed with INTERNAL: why" in str(error)
    assert send_again(failed, error) is None


def test_a_detail_that_is_no_message_says_nothing() -> None:
    status = status_pb2.Status(code=13, message="m")
    for kind in (error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo):
        status.details.add(type_url=f"type.googleapis.com/{kind.DESCRIPTOR.full_name}", value=b"\xff\xff")
    assert error_from_status(status) is None
    assert retry_delay_s(status) is None


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "[]", "nope", "9" * 5000])
def test_json_of_a_service_that_is_no_object_is_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="JSON"):
        result_from_pb(pb.ResultHeader(report_json=text), {})
    with pytest.raises(UsageError, match="JSON"):
        info_from_pb(pb.InfoResponse(packs=[pb.PackInfo(manifest_json=text)]))


def test_an_answer_larger_than_memory_is_a_sentence() -> None:
    plate = pb.Plate(name="plate", encoding=pb.PIXEL_ENCODING_FLOAT32_LE)
    for number in range(1024):
        plate.channels.add(name=f"c{number}", sample_type=pb.SAMPLE_TYPE_FLOAT)
    plate.data_window.width = plate.data_window.height = plate.display_window.width = plate.display_window.height = (
        1 << 17
    )
    plate.inline.size = 4 << 44
    answer = [pb.RunResponse(header=pb.ResultHeader(plates=[plate]))]
    with (
        Parcel(pb.RunHeader(), make_request("echo", {}), SentPlates(), None, 0, 1.0) as parcel,
        pytest.raises(MemoryBudgetError, match="this machine's memory"),
    ):
        read_result(iter(answer), NO_CONTROL, parcel)


@pytest.mark.parametrize("node", ["up", "out"])
def test_a_node_without_an_input_is_a_sentence(node: str) -> None:
    nodes: dict[str, dict[str, str]] = {
        "plate": {"type": "read", "file": "/in/plate.%04d.exr"},
        "up": {"type": "color", "input": "plate", "to": "ACEScg"},
        "out": {"type": "write", "input": "up", "file": "/out/up.%04d.exr"},
    }
    nodes[node]["input"] = ""
    with pytest.raises(GraphError, match=f"nodes.{node}"):
        parse_graph({"schema": "understudy.graph/1", "nodes": nodes}, source="graph")


@pytest.mark.parametrize("place", ["%999999999d", "%0999999999d", "$F999999999", "%" + "9" * 5000 + "d", "#" * 200])
def test_frame_numbers_of_very_many_digits_are_a_sentence(place: str) -> None:
    with pytest.raises(UsageError, match="more than 64 digits"):
        split_pattern(f"/in/plate.{place}.exr")


def test_an_output_without_a_time_ends_in_the_role_s_own_sentence() -> None:
    params = '{"role":"interpolate","outputs":[[]]}'
    head = request_from_pb(pb.RunHeader(pack=pb.PackPin(id="a"), role="interpolate", params_json=params))
    sizes = {name: PlateSize(8, 8, 4) for name in "ab"}
    assert workload_of(head.params, head.pack, sizes).output_bytes > 0  # it ended inside, before the role was asked
