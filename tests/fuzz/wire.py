# SPDX-License-Identifier: Apache-2.0
"""Bent messages over a real connection, and bytes that are no gRPC at all.

A finding is a status that says that the service failed inside, an answer that does not come, or a connection that ends
without a status. Everything else is a right answer to a wrong question.
"""

import json
import random
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import grpc

from fuzz import inference, seeds
from fuzz.mutation import bent_bytes, bent_json, mutated, shuffled
from fuzz.targets import bent_call
from understudy.codec.protocol import SERVICE
from understudy.inference_protocol.methods import path
from understudy.wire.understudy.v1 import understudy_pb2 as pb

DEADLINE_S = 30.0
_FINDINGS = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Aim:
    """A service to send bent calls to; safe to use from several threads.

    Args:
        address: ``host:port``.
        files: A folder that `seeds.make_files` made and the service may use as it says there; None for no such calls.

    Attributes:
        codes: How many calls ended with each status.
        ends: The same by method.
        messages: Messages sent.
    """

    def __init__(self, address: str, files: Path | None = None) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._channel: Any = grpc.insecure_channel(
            address, options=(("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))
        )
        self._files = files
        self._inference = inference.seeds(self._channel)
        self.codes: Counter[str] = Counter()
        self.ends: Counter[tuple[str, str]] = Counter()
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
        if draw < 0.5:
            return self._stream(f"/{SERVICE}/Run", bent_call(dice.choice(seeds.runs()), dice), dice)
        if draw < 0.58:
            return self._stream(f"/{SERVICE}/ShareMemory", bent_call(dice.choice(seeds.shares()), dice), dice)
        if draw < 0.8:
            return self._infer(dice)
        if draw < 0.9 and self._files is not None:
            return self._by_reference(self._files, dice)
        method = dice.choice(list(seeds.unary()))
        return self._unary(f"/{SERVICE}/{method}", mutated(dice.choice(seeds.unary()[method]), dice), dice)

    def _infer(self, dice: random.Random) -> str:
        name = "ModelInfer" if dice.random() < 0.5 else dice.choice(list(self._inference))
        valid = dice.choice(self._inference[name])
        message = mutated(valid, dice) if dice.random() < 0.85 else valid.SerializeToString()
        if name == inference.STREAMED:
            return self._stream(path(name), shuffled([message] * dice.randint(1, 3), dice), dice)
        return self._unary(path(name), message, dice)

    def _by_reference(self, files: Path, dice: random.Random) -> str:
        message = dice.choice(seeds.by_reference(files))
        paths = seeds.bad_paths(files)
        if isinstance(message, pb.ReachRequest):
            message.probes[0].path = dice.choice(paths)
            return self._unary(f"/{SERVICE}/Reach", mutated(message, dice), dice)
        assert isinstance(message, pb.RenderRequest)
        if dice.random() < 0.6:
            graph = json.loads(message.graph)
            graph["nodes"][dice.choice(("plate", "out"))]["file"] = dice.choice(paths)
            message.graph = json.dumps(graph)
        else:
            message.graph = bent_json(message.graph, dice, paths)
        data = mutated(message, dice) if dice.random() < 0.3 else message.SerializeToString()
        return self._unary(f"/{SERVICE}/Render", data, dice, streamed=True)

    def _stream(self, method: str, messages: list[bytes], dice: random.Random) -> str:
        self.messages += len(messages)
        call = self._channel.stream_stream(method)(
            iter(messages), timeout=DEADLINE_S, metadata=_metadata(dice), compression=_compression(dice)
        )
        return self._end(method, call, streamed=True, abandon=dice.random() < 0.05)

    def _unary(self, method: str, message: bytes, dice: random.Random, *, streamed: bool = False) -> str:
        self.messages += 1
        begin = self._channel.unary_stream(method) if streamed else self._channel.unary_unary(method).future
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
        self.ends[method.rpartition("/")[2], code.name] += 1
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
