# SPDX-License-Identifier: Apache-2.0
"""Bytes through gRPC for Python with nothing around it: what a transport over gRPC can't be faster than.

As a program it serves until its standard input ends, and prints its port.
"""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np

_METHOD, _WHOLE = "Bare", "Whole"
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_CHUNK = 1 << 20


def _as_it_is(data: bytes) -> bytes:
    return data


class BareServer:
    """Copies a stream of bytes into one array and sends it back; or sends one message back. On a port of its own."""

    def __init__(self) -> None:
        self._kept = np.zeros(0, np.uint8)
        self._server = grpc.server(ThreadPoolExecutor(2), options=_OPTIONS)
        method = grpc.stream_stream_rpc_method_handler(self._echo, _as_it_is, _as_it_is)
        whole = grpc.unary_unary_rpc_method_handler(lambda data, _: data, _as_it_is, _as_it_is)
        methods = {_METHOD: method, _WHOLE: whole}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench", methods),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self) -> None:
        """Ends it."""
        self._server.stop(None)

    def _echo(self, requests: Iterator[bytes], _context: Any) -> Iterator[bytes]:
        size = int(next(requests))
        if self._kept.size != size:
            self._kept = np.zeros(size, np.uint8)
        _fill(self._kept, requests)
        yield from _cut(self._kept)


def bare_echo(port: int, data: "np.ndarray[Any, np.dtype[np.uint8]]") -> Callable[[], None]:
    """A call that sends bytes to a `BareServer` and receives them."""
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    method = channel.stream_stream(f"/bench/{_METHOD}", _as_it_is, _as_it_is)
    back = np.zeros_like(data)

    def parts() -> Iterator[bytes]:
        yield str(data.size).encode()
        yield from _cut(data)

    return lambda: _fill(back, method(parts()))


def bare_whole(port: int, data: bytes) -> Callable[[], None]:
    """A call that sends one message to a `BareServer` and receives it."""
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS)
    method = channel.unary_unary(f"/bench/{_WHOLE}", _as_it_is, _as_it_is)

    def call() -> None:
        method(data)

    return call


def _cut(data: "np.ndarray[Any, np.dtype[np.uint8]]") -> Iterator[bytes]:
    return (data[start : start + _CHUNK].tobytes() for start in range(0, data.size, _CHUNK))


def _fill(out: "np.ndarray[Any, np.dtype[np.uint8]]", chunks: Iterator[bytes]) -> None:
    filled = 0
    for chunk in chunks:
        out[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
        filled += len(chunk)


if __name__ == "__main__":
    SERVER = BareServer()
    print(SERVER.port, flush=True)
    sys.stdin.read()
    SERVER.close()
