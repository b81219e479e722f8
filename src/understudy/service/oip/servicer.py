# SPDX-License-Identifier: Apache-2.0
"""The methods of the Open Inference Protocol."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError, Message

from understudy import __version__
from understudy.contracts.engine import Engine, ManagedEngine
from understudy.contracts.errors import ForbiddenError, UsageError
from understudy.inference_protocol import messages as m
from understudy.inference_protocol.methods import SERVICE
from understudy.inference_protocol.raw_contents import WithRaw, decode_request
from understudy.service.admission import Admission
from understudy.service.caller import caller_of
from understudy.service.limits import Limits
from understudy.service.observer import Observer
from understudy.service.oip.infer_call import InferCalls, encode_answer, encode_streamed
from understudy.service.oip.models import Models
from understudy.service.oip.refusals import RefusedError, refusals
from understudy.service.oip.settings import InferenceSettings
from understudy.service.oip.shared_memory import SharedMemory
from understudy.service.oip.statistics import Statistics
from understudy.service.queue import JobQueue

MAX_SMALL_MESSAGE_BYTES = 4 << 20
"""Largest message of every method but those that carry tensors."""

_NO_CUDA = "CUDA shared memory is not served; use system shared memory, or send tensors inline"
_Request = TypeVar("_Request", bound=Message)


class InferenceServicer:
    """Serves packs as plain tensor models.

    Args:
        queue: Where requests wait for a worker; its engines lease models.
        limits: How much to take on.
        admission: Who may come in.
        settings: Of the protocol.
        observer: Watches.
    """

    def __init__(
        self,
        queue: JobQueue,
        limits: Limits,
        admission: Admission,
        settings: InferenceSettings,
        observer: Observer,
    ) -> None:
        self._observer = observer
        self._admission = admission
        self._settings = settings
        statistics = Statistics(observer.metrics)
        self._memory = SharedMemory(settings)
        self._models = Models([cast("ManagedEngine", engine) for engine in queue.engines], statistics)
        self._infer = InferCalls(queue, limits, admission, settings, self._memory, statistics, observer)

    @property
    def max_message_bytes(self) -> int:
        """Largest message that its methods take and give."""
        return self._settings.max_message_bytes

    def handlers(self) -> tuple[grpc.GenericRpcHandler]:
        """The methods with their serializers, for `grpc.server`."""
        table: dict[str, grpc.RpcMethodHandler] = {
            # Taken as a stream, its one message is received when the method asks for it: once there is room.
            "ModelInfer": grpc.stream_unary_rpc_method_handler(self._infer.infer, _decode_infer, encode_answer),
            "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(
                self._infer.stream, _decode_infer, encode_streamed
            ),
        }
        small: dict[str, tuple[type[Message], Callable[..., Message]]] = {
            "ServerLive": (m.ServerLiveRequest, lambda *_: m.ServerLiveResponse(live=True)),
            "ServerReady": (m.ServerReadyRequest, lambda *_: m.ServerReadyResponse(ready=not self._admission.closed)),
            "ServerMetadata": (m.ServerMetadataRequest, self._server_metadata),
            "ModelReady": (m.ModelReadyRequest, self._model_ready),
            "ModelMetadata": (m.ModelMetadataRequest, lambda r, _: self._models.metadata(r.name, r.version)),
            "ModelConfig": (m.ModelConfigRequest, lambda r, _: self._models.config(r.name, r.version)),
            "ModelStatistics": (m.ModelStatisticsRequest, lambda r, _: self._models.statistics(r.name, r.version)),
            "RepositoryIndex": (m.RepositoryIndexRequest, lambda r, _: self._models.index(ready=r.ready)),
            "RepositoryModelLoad": (m.RepositoryModelLoadRequest, self._load),
            "RepositoryModelUnload": (m.RepositoryModelUnloadRequest, self._unload),
            "SystemSharedMemoryStatus": (m.SystemSharedMemoryStatusRequest, self._memory_status),
            "SystemSharedMemoryRegister": (m.SystemSharedMemoryRegisterRequest, self._memory_register),
            "SystemSharedMemoryUnregister": (m.SystemSharedMemoryUnregisterRequest, self._memory_unregister),
            "CudaSharedMemoryStatus": (m.CudaSharedMemoryStatusRequest, _no_cuda),
            "CudaSharedMemoryRegister": (m.CudaSharedMemoryRegisterRequest, _no_cuda),
            "CudaSharedMemoryUnregister": (m.CudaSharedMemoryUnregisterRequest, _no_cuda),
        }
        for name, (request, method) in small.items():
            table[name] = grpc.unary_unary_rpc_method_handler(self._answering(method), _decoder(request), _encode)
        return (grpc.method_handlers_generic_handler(SERVICE, table),)

    def listening(self, ports: tuple[int, ...]) -> None:
        """Says where the service listens."""
        self._memory.listening(ports)

    def close(self) -> None:
        """Forgets all shared memory."""
        self._memory.close()

    def _server_metadata(self, _request: m.ServerMetadataRequest, _context: Any) -> m.ServerMetadataResponse:
        extensions = ["model_repository", "model_configuration", "statistics", "schedule_policy", "parameters"]
        if self._settings.shared_memory:
            extensions.append("system_shared_memory")
        return m.ServerMetadataResponse(name="understudy", version=__version__, extensions=extensions)

    def _model_ready(self, request: m.ModelReadyRequest, _context: Any) -> m.ModelReadyResponse:
        return m.ModelReadyResponse(ready=self._models.ready(request.name, request.version))

    def _load(self, request: m.RepositoryModelLoadRequest, context: Any) -> m.RepositoryModelLoadResponse:
        _require_admin(context)
        self._models.load(request.model_name, list(request.parameters))
        return m.RepositoryModelLoadResponse()

    def _unload(self, request: m.RepositoryModelUnloadRequest, context: Any) -> m.RepositoryModelUnloadResponse:
        _require_admin(context)
        self._models.unload(request.model_name)
        return m.RepositoryModelUnloadResponse()

    def _memory_status(
        self, request: m.SystemSharedMemoryStatusRequest, context: Any
    ) -> m.SystemSharedMemoryStatusResponse:
        response = m.SystemSharedMemoryStatusResponse()
        for region in self._memory.status(self._owner(context), request.name):
            entry = response.regions[region.name]
            entry.name, entry.key, entry.offset, entry.byte_size = region.name, region.key, region.offset, region.size
        return response

    def _memory_register(
        self, request: m.SystemSharedMemoryRegisterRequest, context: Any
    ) -> m.SystemSharedMemoryRegisterResponse:
        owner = self._owner(context, attaching=True)
        self._memory.register(owner, request.name, request.key, request.offset, request.byte_size)
        return m.SystemSharedMemoryRegisterResponse()

    def _memory_unregister(
        self, request: m.SystemSharedMemoryUnregisterRequest, context: Any
    ) -> m.SystemSharedMemoryUnregisterResponse:
        self._memory.unregister(self._owner(context), request.name)
        return m.SystemSharedMemoryUnregisterResponse()

    def _answering(self, method: Callable[..., Message]) -> Callable[[Any, Any], Message | None]:
        def answer(request: Any, context: Any) -> Message | None:
            with self._observer.call(context) as call, refusals(context, call):
                if isinstance(request, ValueError):
                    raise UsageError(f"the message can't be read: {request}")
                return method(request, context)
            return None

        return answer

    def _owner(self, context: Any, *, attaching: bool = False) -> str:
        return self._memory.owner(caller_of(context), str(context.peer()), attaching=attaching)


def inference_servicer(
    queue: JobQueue, limits: Limits, admission: Admission, settings: InferenceSettings, observer: Observer
) -> InferenceServicer | None:
    """The protocol in front of a queue's engines; None where it is switched off, or an engine can't lease models."""
    if not settings.enabled or not all(map(_leases_models, queue.engines)):
        return None
    return InferenceServicer(queue, limits, admission, settings, observer)


def _leases_models(engine: Engine) -> bool:
    return all(callable(getattr(engine, name, None)) for name in ("lease", "states", "load", "unload"))


def _decoder(message: type[_Request]) -> Callable[[bytes], _Request | ValueError]:
    """A function that parses a message and never raises: gRPC would leave the client waiting."""

    def decode(data: bytes) -> _Request | ValueError:
        if len(data) > MAX_SMALL_MESSAGE_BYTES:
            return ValueError(f"{len(data)} bytes, and at most {MAX_SMALL_MESSAGE_BYTES} are taken")
        try:
            return message.FromString(data)
        except (DecodeError, ValueError, RuntimeError) as error:
            return ValueError(str(error))

    return decode


def _decode_infer(data: bytes) -> WithRaw[m.ModelInferRequest] | ValueError:
    try:
        return decode_request(data)
    except ValueError as error:
        return error


def _encode(message: Message | None) -> bytes:
    return message.SerializeToString() if message is not None else b""


def _require_admin(context: Any) -> None:
    if not caller_of(context).admin:
        raise ForbiddenError("loading and unloading needs the role admin")


def _no_cuda(_request: Message, _context: Any) -> Message:
    raise RefusedError(grpc.StatusCode.UNIMPLEMENTED, _NO_CUDA)
