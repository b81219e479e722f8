# SPDX-License-Identifier: Apache-2.0
"""By hand and by protobuf: the same bytes, the same messages."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from understudy.inference_protocol.messages import ModelInferRequest, ModelInferResponse, ModelStreamInferResponse
from understudy.inference_protocol.raw_contents import (
    MAX_FIELDS,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    encode_streamed_response,
)

_BUFFERS = st.lists(st.binary(max_size=300), max_size=5)
_NAMES = st.text(max_size=200)


def _request(name: str, raw: list[bytes]) -> ModelInferRequest:
    request = ModelInferRequest(model_name=name, id="7", raw_input_contents=raw)
    request.inputs.add(name=name, datatype="FP32", shape=[1, -3, 1 << 40]).parameters["p"].double_param = 0.5
    request.outputs.add(name=name)
    request.parameters["scale"].string_param = name
    return request


def _arrays(raw: list[bytes]) -> list[NDArray[Any]]:
    return [np.frombuffer(data, np.uint8) for data in raw]


@given(_NAMES, _BUFFERS)
def test_a_request_is_read_as_protobuf_reads_it(name: str, raw: list[bytes]) -> None:
    request = _request(name, raw)
    data = request.SerializeToString()
    read = decode_request(data)
    assert [bytes(view) for view in read.raw] == raw
    request.ClearField("raw_input_contents")
    assert read.message == request
    assert all(view.obj is data for view in read.raw)  # nothing was copied


@given(_NAMES, _BUFFERS)
def test_what_is_written_is_what_protobuf_reads(name: str, raw: list[bytes]) -> None:
    request = _request(name, raw)
    bare = _request(name, [])
    assert ModelInferRequest.FromString(encode_request(bare, _arrays(raw))) == request
    response = ModelInferResponse(model_name=name, raw_output_contents=raw)
    bare_response = ModelInferResponse(model_name=name)
    assert ModelInferResponse.FromString(encode_response(bare_response, _arrays(raw))) == response
    streamed = ModelStreamInferResponse.FromString(encode_streamed_response(bare_response, _arrays(raw)))
    assert streamed == ModelStreamInferResponse(infer_response=response)
    assert [bytes(view) for view in decode_response(encode_response(bare_response, _arrays(raw))).raw] == raw


def test_tensors_of_every_shape_and_type_are_written() -> None:
    half = np.arange(6, dtype=np.float16).reshape(1, 2, 3)
    scalar, empty = np.array(2.5, np.float32), np.empty((1, 0, 3), np.float32)
    arrays: list[NDArray[Any]] = [half, scalar, empty, np.array([True, False])]
    for array in arrays:
        data = encode_response(ModelInferResponse(), [array])
        assert ModelInferResponse.FromString(data).raw_output_contents == [array.tobytes()]


@given(st.binary(max_size=60))
def test_other_bytes_are_refused_or_read_as_protobuf_reads_them(data: bytes) -> None:
    try:
        read = decode_request(data)
    except ValueError:
        return
    message = ModelInferRequest.FromString(data)
    assert [bytes(view) for view in read.raw] == list(message.raw_input_contents)


@given(st.data(), _BUFFERS)
def test_a_message_cut_short_is_refused(data: st.DataObject, raw: list[bytes]) -> None:
    whole = _request("m", raw).SerializeToString()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        decode_request(cut)
    except ValueError:
        return
    ModelInferRequest.FromString(cut)  # what we take, protobuf takes


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x", "cut short"),  # raw contents of 2**64 bytes
        (b"\x3a" + b"\xff" * 20, "cut short"),  # a length that does not end
        (b"\x3b\x3c", "wire type 3"),  # a group
        (b"\x08\x00" * (MAX_FIELDS + 1), "fields"),
        (b"\x0a\x02\xff\xff", "no ModelInferRequest"),  # a name that is no UTF-8
    ],
)
def test_hostile_bytes_are_refused(data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decode_request(data)


def test_as_many_fields_as_are_allowed_are_read() -> None:
    raw = [b"x"] * MAX_FIELDS
    assert len(decode_request(ModelInferRequest(raw_input_contents=raw).SerializeToString()).raw) == MAX_FIELDS
