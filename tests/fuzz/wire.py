# SPDX-License-Identifier: Apache-2.0
"""Bent messages over a real connection, and bytes that are no gRPC at all.

A finding is a status that says that the service failed inside, an answer that does not come, or a connection that ends
without a status. Everything else is a right answer to a wrong question.
"""

import random
import socket
from collections import Counter
from typing import Any

import grpc

from fuzz import seeds
from fuzz.mutation import bent_bytes, mutated
from fuzz.targets import bent_call
from understudy.codec.protocol import SERVICE

DEADLINE_S = 30.0
_FINDINGS = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_STREAMED_ANSWERS = {"Render"}


class Aim:
    """A service to send bent calls to; safe to use from several threads.

    Args:
        address: ``host:port``.

    Attributes:
        codes: How many calls ended with each status.
        messages: Messages sent.
    """

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._channel: Any = grpc.insecure_channel(
            address, options=(("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))
        )
        self.codes: Counter[str] = Counter()
        self.messages = 0

    def close(self) -> None:
        """Leaves."""
        self._channel.close()

    def strike(self, seed: str) -> str:
        """Makes one bent call.

        Args:
            seed: Of the die; the same seed is the same case.

        Returns:
            The finding; empty for none.
        """
        dice = random.Random(seed)
        draw = dice.random()
        if draw < 0.03:
            self._garbage(dice)
            return ""
        if draw < 0.7:
            return self._stream("Run", bent_call(dice.choice(seeds.runs()), dice), dice)
        if draw < 0.8:
            return self._stream("ShareMemory", bent_call(dice.choice(seeds.shares()), dice), dice)
        method = dice.choice(list(seeds.unary()))
        return self._unary(method, mutated(dice.choice(seeds.unary()[method]), dice), dice)

    def _stream(self, method: str, messages: list[bytes], dice: random.Random) -> str:
        self.messages += len(messages)
        call = self._channel.stream_stream(f"/{SERVICE}/{method}")(
            iter(messages), timeout=DEADLINE_S, metadata=_metadata(dice), compression=_compression(dice)
        )
        return self._end(method, call, streamed=True, abandon=dice.random() < 0.05)

    def _unary(self, method: str, message: bytes, dice: random.Random) -> str:
        self.messages += 1
        path, streamed = f"/{SERVICE}/{method}", method in _STREAMED_ANSWERS
        begin = self._channel.unary_stream(path) if streamed else self._channel.unary_unary(path).future
        return self._end(method, begin(message, timeout=DEADLINE_S, metadata=_metadata(dice)), streamed=streamed)

    def _end(self, method: str, call: Any, *, streamed: bool, abandon: bool = False) -> str:
        try:
            if abandon:
                call.cancel()
            if streamed:
                for _ in call:
                    pass
            else:
                call.result()
            code, text = grpc.StatusCode.OK, ""
        except grpc.RpcError as error:
            code, text = call.code(), str(call.details() or error)
        except grpc.FutureCancelledError:
            code, text = grpc.StatusCode.CANCELLED, ""
        self.codes[code.name] += 1
        return f"{method}: {code.name}: {text[:300]}" if code in _FINDINGS else ""

    def _garbage(self, dice: random.Random) -> None:
        """Bytes that are no gRPC, some of them after a sound beginning."""
        self.messages += 1
        data = dice.randbytes(dice.randrange(4000))
        if dice.random() < 0.7:
            data = _PREFACE + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)) + bent_bytes(data, dice)
        try:
            with socket.create_connection((self._host, int(self._port)), timeout=2.0) as connection:
                connection.sendall(data)
                connection.settimeout(0.05)
                connection.recv(1 << 12)
        except OSError:
            return  # it hung up, as it may


def _metadata(dice: random.Random) -> tuple[tuple[str, str | bytes], ...]:
    if dice.random() < 0.8:
        return ()
    key, value = dice.choice((("authorization", "Bearer x"), ("x-" + "k" * 200, "v" * 2000), ("x-data-bin", b"\0\xff")))
    return ((key, value),) * dice.choice((1, 1, 3))


def _compression(dice: random.Random) -> Any:
    return grpc.Compression.Gzip if dice.random() < 0.1 else grpc.Compression.NoCompression
