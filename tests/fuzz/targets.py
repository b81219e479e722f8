# SPDX-License-Identifier: Apache-2.0
"""What the fuzzer calls in this process: the functions that first touch a stranger's bytes, on both ends.

A target takes a die, makes one case of it and runs it. Errors of the tree are right answers; anything else that is
raised is a finding. The class `UnderstudyError` itself is one too: the service would say "internal".
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from google.rpc import status_pb2

from contract.service.rig import make_request
from fuzz import seeds
from fuzz.mutation import bent_bytes, bent_json, mutated, shuffled
from understudy.client.parcel import Parcel
from understudy.client.run_call import WrongAnswerError, read_result
from understudy.client.sent_plates import SentPlates
from understudy.client.status import error_from_call
from understudy.codec.errors import error_from_status
from understudy.codec.info import info_from_pb
from understudy.codec.jobs import clean_request_id, request_from_pb
from understudy.codec.messages import Malformed, PixelPart, decode_request_part, decode_response_part, decoder
from understudy.codec.pixels import Receiver
from understudy.contracts.engine import NO_CONTROL
from understudy.contracts.errors import UnderstudyError
from understudy.wire.understudy.v1 import understudy_pb2 as pb

MOST_BYTES = 64_000_000
"""Pixels that a fuzzed request may bring, so that an honest allocation is small."""

Target = Callable[[random.Random], int]
"""Runs one case; returns how many messages it read."""


def run_request(dice: random.Random) -> int:
    """A Run call as the service reads it: parts, header, parameters, plates, pixels."""
    messages = bent_call(dice.choice(seeds.runs()), dice)
    parts = [decode_request_part(data) for data in messages]
    header = next((part.header for part in parts if _is(part, "header")), None)
    if header is None:
        return len(messages)
    clean_request_id(header.request_id)
    head = request_from_pb(header)
    receiver = Receiver(header.plates, max_bytes=MOST_BYTES)
    for part in parts:
        if isinstance(part, PixelPart):
            receiver.add(part)
    request = head.with_plates(receiver.finish())
    assert all(plate.pixels.nbytes <= MOST_BYTES for plate in request.plates.values())
    return len(messages)


def run_answer(dice: random.Random) -> int:
    """A Run call as the client reads it, from a service that means harm."""
    messages = bent_call(dice.choice(seeds.answers()), dice)

    def parts() -> Iterator[Any]:
        for data in messages:
            yield decode_response_part(data)

    with Parcel(pb.RunHeader(), make_request("echo", {}), SentPlates(), None, 0, 1.0) as parcel:
        read_result(parts(), NO_CONTROL, parcel)
    return len(messages)


def parameters(dice: random.Random) -> int:
    """Parameters of a role as JSON."""
    header = pb.RunHeader()
    header.CopyFrom(dice.choice(seeds.runs())[0].header)  # type: ignore[attr-defined]  # the first part is the header
    header.params_json = bent_json(header.params_json, dice)
    request_from_pb(header)
    return 1


def status(dice: random.Random) -> int:
    """Details of a failed call."""
    data = mutated(dice.choice(seeds.statuses()), dice)
    parsed = decoder(status_pb2.Status)(data)
    if not isinstance(parsed, Malformed):
        error = error_from_status(parsed)
        assert error is None or str(error) is not None
    error_from_call(_Failed(data, dice), "127.0.0.1:1", cancelled=False, timeout_s=1.0)
    return 1


def told(dice: random.Random) -> int:
    """What a service says of itself."""
    message = dice.choice(seeds.told())
    parsed = decoder(type(message))(mutated(message, dice))
    if isinstance(parsed, pb.InfoResponse):
        info_from_pb(parsed)
    return 1


def infer_bytes(dice: random.Random) -> int:
    """Tensors of the Open Inference Protocol, cut out of a message by hand."""
    from understudy.inference_protocol import raw_contents
    from understudy.inference_protocol.datatypes import tensor_from_buffer, tensor_from_contents
    from understudy.inference_protocol.messages import ModelInferRequest, ModelInferResponse

    answer = dice.random() < 0.4
    message = ModelInferResponse(model_name="lanczos") if answer else ModelInferRequest(model_name="lanczos", id="1")
    tensors = message.outputs if isinstance(message, ModelInferResponse) else message.inputs
    tensors.add(name="image", datatype="FP32", shape=[1, 2, 3]).contents.fp32_contents.extend([0.5] * 6)
    tensors.add(name="mask", datatype="UINT8", shape=[4])
    raw = message.raw_output_contents if isinstance(message, ModelInferResponse) else message.raw_input_contents
    raw.extend([b"\0" * 24, b"\1" * 4])
    data = mutated(message, dice)
    read: Any = raw_contents.decode_response if answer else raw_contents.decode_request
    try:
        taken = read(data)
        for tensor, part in zip(taken.message.outputs if answer else taken.message.inputs, taken.raw, strict=False):
            tensor_from_buffer(part, tensor.datatype, list(tensor.shape))
            tensor_from_contents(tensor.contents, tensor.datatype, list(tensor.shape))
    except ValueError:
        return 1
    whole = type(message).FromString(data)
    kept = whole.raw_output_contents if isinstance(whole, ModelInferResponse) else whole.raw_input_contents
    assert [bytes(part) for part in taken.raw] == list(kept), "the hand-written reader and protobuf disagree"
    return 1


TARGETS: dict[str, Target] = {
    "run request": run_request,
    "run answer": run_answer,
    "parameters": parameters,
    "status": status,
    "told": told,
    "infer": infer_bytes,
}
"""By name."""


def bent_call(messages: Sequence[Any], dice: random.Random) -> list[bytes]:
    """The messages of a call, at least one of them bent, or their order."""
    if dice.random() < 0.1:
        messages = [_resized(message, dice) for message in messages]
    victim = dice.randrange(len(messages)) if dice.random() < 0.5 else 0
    out = [mutated(m, dice) if number == victim else m.SerializeToString() for number, m in enumerate(messages)]
    return shuffled(out, dice) if dice.random() < 0.4 else out


def _resized(message: Any, dice: random.Random) -> Any:
    """A header whose plates have other sizes and say so everywhere: no contradiction gives it away."""
    if not isinstance(message, pb.RunRequest | pb.RunResponse) or message.WhichOneof("part") != "header":
        return message
    out: Any = type(message)()
    out.CopyFrom(message)
    for plate in out.header.plates:
        plate.data_window.width, plate.data_window.height = (dice.choice((1, 7, 4096, 1 << 17)) for _ in range(2))
        while len(plate.channels) < dice.choice((1, 1024)):
            plate.channels.add(name=f"c{len(plate.channels)}", sample_type=pb.SAMPLE_TYPE_FLOAT)
        plate.inline.size = plate.data_window.width * plate.data_window.height * len(plate.channels) * 4
    return out


def attempt(name: str, seed: str) -> tuple[int, str]:
    """Runs one case.

    Args:
        name: Of the target.
        seed: Of the die; the same seed is the same case.

    Returns:
        Messages read, and the finding; empty for none.
    """
    dice = random.Random(seed)
    try:
        return TARGETS[name](dice), ""
    except WrongAnswerError:
        return 1, ""
    except UnderstudyError as error:
        return 1, "" if type(error) is not UnderstudyError else f"an internal error: {error}"
    except Exception as error:
        return 1, f"{type(error).__name__}: {str(error)[:300]}"


def _is(part: Any, kind: str) -> bool:
    return isinstance(part, pb.RunRequest) and part.WhichOneof("part") == kind


class _Failed:
    """A failed call whose trailers hold what a stranger wrote."""

    def __init__(self, data: bytes, dice: random.Random) -> None:
        import grpc

        self._data = bent_bytes(data, dice) if dice.random() < 0.2 else data
        self._code = dice.choice(list(grpc.StatusCode))
        self._text = dice.choice(("", "Connection refused", "x" * 5000, "a\n\0b"))

    def code(self) -> Any:
        return self._code

    def details(self) -> str:
        return self._text

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return (("grpc-status-details-bin", self._data),)

    initial_metadata = trailing_metadata
