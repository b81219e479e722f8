# SPDX-License-Identifier: Apache-2.0
"""Valid calls of every kind, which the fuzzer bends."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from google.protobuf.message import Message
from google.rpc import status_pb2

from contract.service.rig import FakeEngine, full_plate
from understudy.codec.errors import error_to_status
from understudy.codec.info import info_to_pb
from understudy.codec.jobs import request_to_pb, result_to_pb
from understudy.contracts.errors import MissingFileError, PlateError, UnavailableError, UsageError
from understudy.contracts.jobs import (
    InterpolateParams,
    MotionParams,
    PackPin,
    RelightParams,
    RoleParams,
    RoleRequest,
    UpscaleParams,
)
from understudy.contracts.lights import AmbientLight, DirectionalLight, LightRig
from understudy.contracts.plate import Plate, Window
from understudy.frames.write import write_plate
from understudy.wire.understudy.v1 import understudy_pb2 as pb

SIDE = 6


def small_plate(frame: int = 1001) -> Plate:
    """A plate of every kind of channel, as `full_plate`, and of usual numbers."""
    plate = full_plate(SIDE, SIDE, seed=frame)
    pixels = np.random.default_rng(frame).uniform(0, 1, (SIDE, SIDE, 4)).astype(np.float32)
    window = Window(0, 0, SIDE, SIDE)
    return replace(
        plate,
        pixels=pixels,
        channels=("R", "G", "B", "A"),
        sample_types=("half", "float", "half", "half"),
        data_window=window,
        display_window=window,
        frame=frame,
        pixel_aspect=1.0,
        metadata={"owner": "a", "n": 1, "r": 0.5, "t": (1, 2), "m": (1.0, 2.0)},
    )


@cache
def requests() -> tuple[RoleRequest, ...]:
    """One request for each role."""
    a, b = small_plate(), small_plate(1002)
    sun = DirectionalLight(type="directional", direction=(0.3, 0.4, 0.8))
    rig = LightRig(lights=(sun, AmbientLight(type="ambient", intensity=0.2)))
    cases: tuple[tuple[str, RoleParams, Mapping[str, Plate]], ...] = (
        ("identity-upscale", UpscaleParams(scale=Fraction(1), tile=4), {"plate": a}),
        (
            "lanczos",
            UpscaleParams(scale=Fraction(3, 2), confidence=True, options={"antiringing": "soft"}),
            {"plate": a},
        ),
        ("identity-motion", MotionParams(), {"a": a, "b": b}),
        ("identity-interpolate", InterpolateParams(outputs=((Fraction(1, 3),), (Fraction(0),))), {"a": a, "b": b}),
        ("identity-relight", RelightParams(lights=rig), {"plate": a}),
    )
    return tuple(RoleRequest(pack=PackPin(id=p), params=q, plates=plates) for p, q, plates in cases)


@cache
def runs() -> tuple[tuple[Message, ...], ...]:
    """Whole Run calls from the client's side: a header, chunks, an end."""
    calls = []
    for number, request in enumerate(requests()):
        header = request_to_pb(request, f"id-{number}")
        data = b"".join(plate.pixels.tobytes() for plate in request.plates.values())
        middle = len(data) // 2 + 1
        chunks = [pb.RunRequest(chunk=part) for part in (data[:middle], data[middle:])]
        calls.append((pb.RunRequest(header=header), *chunks, pb.RunRequest(end=pb.End(size=len(data)))))
        as_half = pb.RunHeader()
        as_half.CopyFrom(header)
        as_half.encodings.append(pb.PIXEL_ENCODING_FLOAT32_OR_HALF_LE)
        for message in as_half.plates:
            message.encoding = pb.PIXEL_ENCODING_FLOAT32_OR_HALF_LE
        halves = np.frombuffer(data, np.float32).astype(np.float16).tobytes()
        cut = middle // 4 * 2
        parts = [pb.RunRequest(half_chunk=part) for part in (halves[:cut], halves[cut:])]
        calls.append((pb.RunRequest(header=as_half), *parts, pb.RunRequest(end=pb.End(size=len(data)))))
    return tuple(calls)


@cache
def answers() -> tuple[tuple[Message, ...], ...]:
    """Whole Run calls from the service's side."""
    result = FakeEngine().run(replace(requests()[0], pack=PackPin(id="echo")))
    data = b"".join(plate.pixels.tobytes() for plate in result.plates.values())
    header = result_to_pb(result, "id")
    return (
        (
            pb.RunResponse(wanted=pb.Wanted(plates=[0])),
            pb.RunResponse(progress=pb.Progress(done=1, total=2)),
            pb.RunResponse(header=header),
            pb.RunResponse(chunk=data[:100]),
            pb.RunResponse(chunk=data[100:]),
            pb.RunResponse(end=pb.End(size=len(data))),
        ),
    )


@cache
def statuses() -> tuple[status_pb2.Status, ...]:
    """Statuses of failed calls."""
    errors = (
        PlateError("channel R is nan", where="plate 'a'", fix="replace it"),
        UnavailableError("the service is busy", fix="try again"),
        UsageError("no", where="params.scale"),
        MissingFileError("there is no such file", where="/x"),
    )
    return tuple(error_to_status(error, "id") for error in errors)


@cache
def unary() -> Mapping[str, tuple[Message, ...]]:
    """Requests of the calls that take one message, by method."""
    headers = [part for call in runs() for part in call[:1]]
    estimates = tuple(pb.EstimateRequest(run=part.header) for part in headers if isinstance(part, pb.RunRequest))
    return {"Info": (pb.InfoRequest(),), "Estimate": estimates}


def make_files(root: Path) -> None:
    """Two frames in ``in``, an empty ``out``, and ``closed`` beside them, which nobody may touch.

    What lies in ``closed`` are pipes: whoever opens one waits for ever. Links in ``in`` and ``out`` lead there.
    """
    for name in ("in", "out", "closed"):
        (root / name).mkdir()
    for frame in (1001, 1002):
        write_plate(small_plate(frame), root / "in" / f"plate.{frame}.exr")
        os.mkfifo(root / "closed" / f"plate.{frame}.exr")
    (root / "in" / "link").symlink_to(root / "closed")
    (root / "in" / "linked.1001.exr").symlink_to(root / "closed" / "plate.1001.exr")
    (root / "out" / "link").symlink_to(root / "closed")
    (root / "in" / "probe").write_bytes(b"p" * 16)


def bad_paths(root: Path) -> tuple[str, ...]:
    """Paths that lead where nobody may go, and some that can't be."""
    return (
        f"{root}/closed/plate.%04d.exr",
        f"{root}/in/../closed/plate.%04d.exr",
        f"{root}/in/link/plate.%04d.exr",
        f"{root}/in/linked.%04d.exr",
        f"{root}/out/link/up.%04d.exr",
        f"{root}/out/../closed/up.%04d.exr",
        f"{root}/out/new/../../closed/up.%04d.exr",
        f"{root}/in/plate.%04d.exr",
        f"{root}//in///./plate.####.exr",
        "/proc/self/environ",
        "/proc/self/root/etc/passwd",
        "/proc/self/fd/0",
        "/dev/zero",
        "/dev/shm/x.%04d.exr",
        "/etc/passwd",
        "~/x.%04d.exr",
        "plate.%04d.exr",
        f"{root}/in/plate.%999999999d.exr",
        f"{root}/in/plate.%04d.exr\0.png",
        f"{root}/in/" + "x" * 5000,
        f"{root}/in/" + "../" * 2000,
    )


def by_reference(root: Path) -> tuple[Message, ...]:
    """Requests that name files under a folder made by `make_files`."""
    nodes = {
        "plate": {"type": "read", "file": f"{root}/in/plate.%04d.exr", "colorspace": "ACEScg"},
        "up": {"type": "upscale", "input": "plate", "scale": 2, "pack": "lanczos"},
        "out": {"type": "write", "input": "up", "file": f"{root}/out/up.%04d.exr"},
    }
    graph = json.dumps({"schema": "understudy.graph/1", "frames": "1001-1002", "nodes": nodes})
    probe = pb.FileProbe(path=f"{root}/in/probe", content=b"p" * 16)
    return (
        pb.RenderRequest(request_id="r", graph=graph, frames="1001-1002", user="ann"),
        pb.RenderRequest(request_id="r", graph=graph, resume=True),
        pb.RenderRequest(
            request_id="r", graph=graph, policy_toml='schema = "understudy.policy/1"\n[show]\nname = "A"\n'
        ),
        pb.ReachRequest(probes=[probe, probe]),
    )


@cache
def shares() -> tuple[tuple[Message, ...], ...]:
    """Whole ShareMemory calls."""
    region = pb.Region(pid=1, fd=3, size=4096, nonce=b"n" * 32)
    return ((pb.ShareRequest(add=region), pb.ShareRequest(add=region), pb.ShareRequest(drop="r1")),)


@cache
def told() -> tuple[Message, ...]:
    """What a service says of itself and of costs."""
    info = info_to_pb(FakeEngine().info())
    cost = pb.EstimateResponse(pack=pb.PackPin(id="p"), device="cpu", seconds=1, ram_bytes=5, measured_runs=3)
    event = pb.RenderEvent(event_json=json.dumps({"event": "frame", "frame": 1001, "done": 1, "total": 2}))
    return info, cost, event, pb.ShareResponse(added="r1"), pb.ReachResponse(reached=[True, False])
