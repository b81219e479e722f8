# SPDX-License-Identifier: Apache-2.0
"""Renders by reference: the service reads and writes the files, and only events travel."""

import json
import os
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
from blake3 import blake3

from understudy.client.channel import open_channel
from understudy.client.run_call import Watch
from understudy.client.sender import sender_from_environment
from understudy.client.status import error_from_call
from understudy.codec.address import Replicas
from understudy.codec.jobs import priority_to_pb
from understudy.codec.messages import Malformed, decoder
from understudy.codec.protocol import (
    MAX_MESSAGE_BYTES,
    MAX_PROBES,
    PROBE_HEAD_BYTES,
    REACH_METHOD,
    RENDER_METHOD,
    SERVICE,
)
from understudy.contracts.engine import NO_CONTROL, Control
from understudy.contracts.errors import UnderstudyError, UsageError
from understudy.wire.understudy.v1 import understudy_pb2 as pb

RENDER_TIMEOUT_S = 6 * 3600.0
REACH_TIMEOUT_S = 30.0
_PROBE_BYTES = 32


def render_by_reference(
    address: str,
    document: str,
    *,
    inputs: Sequence[Path],
    outputs: Sequence[Path],
    on_event: Callable[[dict[str, Any]], None],
    frames: str = "",
    draft: bool = False,
    redo: bool = False,
    ocio_config: str = "",
    policy: bytes = b"",
    control: Control = NO_CONTROL,
    timeout_s: float = RENDER_TIMEOUT_S,
) -> None:
    """Has a service render a graph document on files that both ends see under the same names.

    First it is proven that they do: with a small file beside the inputs and outputs where this side may write, else
    with size and hash of an input.

    Args:
        address: Of the service.
        document: The graph document as JSON; its paths are absolute.
        inputs: A file of each input; the first of a sequence.
        outputs: Files that will be written; one of each sequence.
        on_event: Hears the events of the render, as `understudy.graph.render.render_graph` tells them.
        frames: Output frames; empty takes the document's.
        draft: Packs' draft stand-ins.
        redo: Outputs that are there and right are made again all the same.
        ocio_config: OCIO config where the document names none.
        policy: The caller's show policy, the bytes of its file; empty for none.
        control: Cancels.
        timeout_s: Longest time for the render.

    Raises:
        UsageError: The service does not see the same files.
        ForbiddenError: A file is not in the folders that the service may use.
        UnderstudyError: Any of the tree, as a render in this process raises it.
    """
    control.check()
    sender = sender_from_environment()
    request = pb.RenderRequest(
        request_id=uuid.uuid4().hex,
        graph=document,
        frames=frames,
        draft=draft,
        resume=not redo,
        ocio_config=ocio_config,
        policy_toml=policy.decode("utf-8", "replace"),
        priority=priority_to_pb(sender.priority),
        user=sender.user,
    )
    if request.ByteSize() > MAX_MESSAGE_BYTES:
        raise UsageError(f"the graph document takes {request.ByteSize() / 1e6:.1f} MB, too much for one call")
    channel = open_channel(Replicas.parse(address))
    try:
        _require_reach(channel, address, inputs, outputs)
        method = channel.unary_stream(
            f"/{SERVICE}/{RENDER_METHOD}",
            request_serializer=pb.RenderRequest.SerializeToString,
            response_deserializer=decoder(pb.RenderEvent),
        )
        call = method(request, timeout=timeout_s)
        with Watch(call, control.cancelled) as watch, _errors(address, timeout_s, watch):
            for event in _events(call):
                on_event(event)
    finally:
        channel.close()


def _events(call: Any) -> Iterator[dict[str, Any]]:
    for message in call:
        event = None
        if not isinstance(message, Malformed):
            with suppress(ValueError, RecursionError):
                event = json.loads(message.event_json)
        if not isinstance(event, dict):
            raise UnderstudyError("the service's answer can't be used", fix="is it of the same version?")
        yield event


def _require_reach(channel: Any, address: str, inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    ask = channel.unary_unary(
        f"/{SERVICE}/{REACH_METHOD}",
        request_serializer=pb.ReachRequest.SerializeToString,
        response_deserializer=decoder(pb.ReachResponse),
    )
    with _probes(inputs, outputs) as probes, _errors(address, REACH_TIMEOUT_S):
        answer = ask(pb.ReachRequest(probes=probes.values()), timeout=REACH_TIMEOUT_S)
    reached = [] if isinstance(answer, Malformed) else list(answer.reached)
    reached += [False] * (len(probes) - len(reached))
    unseen = [str(folder) for folder, seen in zip(probes, reached, strict=False) if not seen]
    if unseen:
        shown = ", ".join(unseen[:4]) + (" and more" if len(unseen) > 4 else "")
        raise UsageError(
            f"the service does not see the files here as this machine does: {shown}",
            where=address,
            fix="use --transport stream; or mount the folders there under the same names, and have its admin open them",
        )


@contextmanager
def _probes(inputs: Sequence[Path], outputs: Sequence[Path]) -> Iterator[dict[Path, pb.FileProbe]]:
    """A question for each folder, by folder; the files written for it are gone afterwards."""
    written: list[Path] = []
    probes: dict[Path, pb.FileProbe] = {}
    files = {path.parent: path for path in inputs if path.is_file()}
    folders = dict.fromkeys([*files, *(_existing(path.parent) for path in outputs)])
    try:
        for folder in list(folders)[:MAX_PROBES]:
            content = secrets.token_bytes(_PROBE_BYTES)
            path = folder / f".understudy-{secrets.token_hex(8)}.probe"
            if _write(path, content):
                written.append(path)
                probes[folder] = pb.FileProbe(path=str(path), content=content)
            elif folder in files and (probe := _hashed(files[folder])) is not None:
                probes[folder] = probe
        yield probes
    finally:
        for path in written:
            with suppress(OSError):
                path.unlink()


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next((above for above in (folder, *folder.parents) if above.is_dir()), folder)


def _write(path: Path, content: bytes) -> bool:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except OSError:
        return False
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - a handle, not a path
            file.write(content)
    except OSError:
        with suppress(OSError):
            path.unlink()
        return False
    return True


def _hashed(path: Path) -> pb.FileProbe | None:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return pb.FileProbe(path=str(path), size=size, blake3=blake3(file.read(PROBE_HEAD_BYTES)).digest())
    except OSError:
        return None


@contextmanager
def _errors(address: str, timeout_s: float, watch: Watch | None = None) -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        if watch is not None and watch.failure is not None:
            raise watch.failure from None
        gone = watch is not None and watch.cancelled
        raise error_from_call(error, address, cancelled=gone, timeout_s=timeout_s) from None
