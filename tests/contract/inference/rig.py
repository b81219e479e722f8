# SPDX-License-Identifier: Apache-2.0
"""Calls of the protocol by protobuf alone, and shared memory as a client makes it."""

import mmap
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from understudy.inference_protocol import messages as m
from understudy.inference_protocol.datatypes import DTYPES, datatype_name
from understudy.inference_protocol.methods import path

SLOW = """\
import pathlib, time


class Slow:
    def __init__(self, folder):
        self.started = folder / "started"

    def run(self, tensors, call, /):
        image, region = tensors["image"], call.region
        if image.shape[0] == 7:  # not the small run that warms it up
            self.started.touch()
            time.sleep(0.6)
        return {"image": image[: region.height, : region.width].repeat(1, 0)}

    def close(self):
        pass


def load(folder):
    return Slow(pathlib.Path(folder))
"""


class Ask:
    """A client."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, (("grpc.max_receive_message_length", -1),))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.channel.close()

    def __call__(self, method: str, **fields: Any) -> Any:
        """Any unary method but inference."""
        request = getattr(m, f"{method}Request")(**fields)
        response = getattr(m, f"{method}Response")
        return response.FromString(self.channel.unary_unary(path(method))(request.SerializeToString(), timeout=20))

    def infer(self, request: m.ModelInferRequest, timeout: float = 20) -> m.ModelInferResponse:
        data = self.channel.unary_unary(path("ModelInfer"))(request.SerializeToString(), timeout=timeout)
        return m.ModelInferResponse.FromString(data)

    def stream(self, *requests: m.ModelInferRequest) -> list[m.ModelStreamInferResponse]:
        sent = iter([request.SerializeToString() for request in requests])
        answers = self.channel.stream_stream(path("ModelStreamInfer"))(sent, timeout=20)
        return [m.ModelStreamInferResponse.FromString(data) for data in answers]


def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """The status of a call that fails."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    return error.code(), error.details()


def request_for(
    name: str, tensors: Mapping[str, NDArray[Any]], version: str = "", **parameters: Any
) -> m.ModelInferRequest:
    """A request with raw contents."""
    request = m.ModelInferRequest(model_name=name, model_version=version)
    for key, tensor in tensors.items():
        request.inputs.add(name=key, datatype=datatype_name(tensor.dtype), shape=tensor.shape)
        request.raw_input_contents.append(tensor.tobytes())
    for key, parameter in parameters.items():
        kinds = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}
        setattr(request.parameters[key], kinds[type(parameter)], parameter)
    return request


def output(response: m.ModelInferResponse, name: str) -> NDArray[Any]:
    """An inline output."""
    index = [one.name for one in response.outputs].index(name)
    found = response.outputs[index]
    return np.frombuffer(response.raw_output_contents[index], DTYPES[found.datatype]).reshape(found.shape)


def noise(*shape: int, dtype: Any = np.float32) -> NDArray[Any]:
    return np.random.default_rng(3).normal(0, 100, shape).astype(dtype)


class Shared:
    """A shared memory object of this process."""

    def __init__(self, size: int, prefix: str = "us-test-") -> None:
        self.key = prefix + secrets.token_hex(8)
        self.path = Path("/dev/shm") / self.key
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.ftruncate(handle, size)
        self.map = mmap.mmap(handle, size)
        os.close(handle)
        self.bytes = np.frombuffer(self.map, np.uint8)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)

    def put(self, tensor: NDArray[Any], offset: int = 0) -> None:
        self.bytes[offset : offset + tensor.nbytes] = tensor.reshape(-1).view(np.uint8)

    def get(self, dtype: Any, shape: tuple[int, ...], offset: int = 0) -> NDArray[Any]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return self.bytes[offset : offset + size].copy().view(dtype).reshape(shape)


def share(entry: Any, region: str, size: int, offset: int = 0) -> None:
    """Names shared memory as the place of an input or output."""
    entry.parameters["shared_memory_region"].string_param = region
    entry.parameters["shared_memory_byte_size"].int64_param = size
    if offset:
        entry.parameters["shared_memory_offset"].int64_param = offset
