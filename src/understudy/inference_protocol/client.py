# SPDX-License-Identifier: Apache-2.0
"""A client of any server that speaks the protocol: Triton, KServe, another Understudy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from understudy.contracts.errors import (
    AccessError,
    InputError,
    JobCancelledError,
    MemoryBudgetError,
    PackError,
    PackNotFoundError,
    UnavailableError,
    UnderstudyError,
)
from understudy.contracts.model import Tensor
from understudy.inference_protocol import messages as m
from understudy.inference_protocol.datatypes import datatype_name, tensor_from_buffer, tensor_from_contents
from understudy.inference_protocol.methods import path
from understudy.inference_protocol.raw_contents import WithRaw, decode_response, encode_request

_M = TypeVar("_M", bound=Message)
_POLL_S = 0.05
_LONGEST_SENTENCE = 400
_Code = grpc.StatusCode
_AWAY = (_Code.UNAVAILABLE, _Code.DEADLINE_EXCEEDED, _Code.CANCELLED, _Code.ABORTED)
_CLASSES: dict[grpc.StatusCode, type[UnderstudyError]] = {
    _Code.INVALID_ARGUMENT: InputError,
    _Code.UNAUTHENTICATED: AccessError,
    _Code.PERMISSION_DENIED: AccessError,
    _Code.NOT_FOUND: PackNotFoundError,
    _Code.RESOURCE_EXHAUSTED: MemoryBudgetError,
}


@dataclass(frozen=True, slots=True)
class Inferred:
    """What a model answered.

    Attributes:
        version: The version that the server says has answered.
        outputs: Tensors by name; views of the message that came.
    """

    version: str
    outputs: Mapping[str, Tensor]


class InferenceClient:
    """A connection to a server; several threads may use it.

    Args:
        address: ``host:port``.
        tls: Encrypt, and require a certificate that an authority vouches for.
        authority: The certificate of that authority, PEM; None takes the system's.
        token: Bearer token that goes with each request; empty for none. Give one only with TLS, or within this machine.
        max_message_bytes: Largest message that is taken.
    """

    def __init__(
        self,
        address: str,
        *,
        tls: bool = False,
        authority: bytes | None = None,
        token: str = "",
        max_message_bytes: int = (1 << 31) - 1,
    ) -> None:
        self.address = address
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        options = (
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.enable_http_proxy", 0),  # pixels go where the address says, and nowhere else
        )
        if tls:
            self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(authority), options)
        else:
            self._channel = grpc.insecure_channel(address, options)
        self._infer = self._channel.unary_unary(path("ModelInfer"), None, _decode_infer)

    def ask(self, method: str, request: Message, response: type[_M], *, timeout_s: float) -> _M:
        """Calls any method but inference.

        Args:
            method: Such as ``ModelMetadata``.
            request: Its message.
            response: What it answers with.
            timeout_s: For how long to wait, seconds.

        Raises:
            UnavailableError: The server does not answer.
            UnderstudyError: It refuses.
        """
        call = self._channel.unary_unary(path(method), None, _decoder(response))
        return self._answer(
            call.future(request.SerializeToString(), timeout=timeout_s, metadata=self._metadata), lambda: False
        )

    def infer(
        self,
        model: str,
        version: str,
        inputs: Mapping[str, Tensor],
        outputs: Sequence[str],
        *,
        parameters: Mapping[str, Any] | None = None,
        timeout_s: float,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Inferred:
        """Runs a model.

        Args:
            model: Its name.
            version: Its version; empty leaves it to the server.
            inputs: C-contiguous tensors by name.
            outputs: Which outputs are wanted; empty for all.
            parameters: Of the request.
            timeout_s: For how long to wait, seconds.
            cancelled: Asked while it waits.

        Raises:
            UnavailableError: The server does not answer in time, or breaks off.
            JobCancelledError: It was cancelled; so is the request.
            PackError: What it answers is not what the protocol says.
            UnderstudyError: It refuses.
        """
        request = m.ModelInferRequest(model_name=model, model_version=version)
        for name, tensor in inputs.items():
            request.inputs.add(name=name, datatype=datatype_name(tensor.dtype), shape=tensor.shape)
        for name in outputs:
            request.outputs.add(name=name)
        for name, value in (parameters or {}).items():
            _set_parameter(request.parameters[name], value)
        data = encode_request(request, list(inputs.values()))
        received = self._answer(self._infer.future(data, timeout=timeout_s, metadata=self._metadata), cancelled)
        return Inferred(received.message.model_version, self._tensors(received))

    def close(self) -> None:
        """Ends the connection, and with it every request under way."""
        self._channel.close()

    def _answer(self, future: Any, cancelled: Callable[[], bool]) -> Any:
        try:
            while True:
                try:
                    answer = future.result(timeout=_POLL_S)
                    break
                except grpc.FutureTimeoutError:
                    if cancelled():
                        future.cancel()
                        raise JobCancelledError("the job was cancelled") from None
        except grpc.FutureCancelledError:
            raise UnavailableError("the connection was closed", where=self.address) from None
        except grpc.RpcError as error:
            raise self._refusal(error) from None
        if isinstance(answer, ValueError):
            raise PackError(f"the server's answer can't be read: {answer}", where=self.address)
        return answer

    def _refusal(self, error: Any) -> UnderstudyError:
        code, said = error.code(), " ".join(str(error.details() or "").split())[:_LONGEST_SENTENCE]
        if code is _Code.DEADLINE_EXCEEDED:
            return UnavailableError("the server did not answer in time", where=self.address, fix="try again")
        if code in _AWAY:
            return UnavailableError(f"the server can't be reached: {said}", where=self.address, fix="is it running?")
        kind = _CLASSES.get(code, PackError)
        return kind(f"the server refuses ({code.name}): {said}", where=self.address)

    def _tensors(self, received: WithRaw[m.ModelInferResponse]) -> dict[str, Tensor]:
        raw = received.raw
        found: dict[str, Tensor] = {}
        for index, output in enumerate(received.message.outputs):
            if output.name in found:
                raise PackError(f'the server\'s output "{output.name[:80]}" is there twice', where=self.address)
            try:
                found[output.name] = _tensor(output, raw[index] if index < len(raw) else b"")
            except ValueError as error:
                problem = f'the server\'s output "{output.name[:80]}" is broken: {error}'
                raise PackError(problem, where=self.address) from None
        return found


def _tensor(output: m.ModelInferResponse.InferOutputTensor, raw: memoryview | bytes) -> Tensor:
    if output.HasField("contents"):
        return tensor_from_contents(output.contents, output.datatype, output.shape)
    return tensor_from_buffer(raw, output.datatype, output.shape)


def _set_parameter(parameter: m.InferParameter, value: Any) -> None:
    if isinstance(value, bool):
        parameter.bool_param = value
    elif isinstance(value, int):
        parameter.int64_param = value
    elif isinstance(value, float):
        parameter.double_param = value
    else:
        parameter.string_param = str(value)


def _decode_infer(data: bytes) -> WithRaw[m.ModelInferResponse] | ValueError:
    """Never raises: gRPC reports that badly."""
    try:
        return decode_response(data)
    except ValueError as error:
        return error


def _decoder(message: type[_M]) -> Callable[[bytes], _M | ValueError]:
    def decode(data: bytes) -> _M | ValueError:
        try:
            return message.FromString(data)
        except Exception as error:  # whatever protobuf raises, it is no such message
            return ValueError(str(error))

    return decode
