# SPDX-License-Identifier: Apache-2.0
"""An engine with known behavior, plates to send it, and an exact comparison."""

import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import fields

import numpy as np

from understudy.contracts.engine import NO_CONTROL, Control, EngineInfo, PackFailure, PackInfo, PolicyInfo
from understudy.contracts.errors import UnderstudyError
from understudy.contracts.jobs import PackPin, RoleRequest, RoleResult, UpscaleParams
from understudy.contracts.plate import Plate, Sanitized, Storage, Window
from understudy.contracts.workload import workload_of_request


class FakeEngine:
    """Does what the request's pack id says.

    ``echo`` returns the plates; ``steps`` makes ten steps; ``endless`` steps until it is cancelled; ``hold`` waits for
    `release`; ``fail`` raises `failure`; ``negate`` returns the pixels times minus one.
    """

    def __init__(self) -> None:
        self.digest = "f" * 64
        self.failure: BaseException = RuntimeError("secret internals")
        self.release = threading.Event()
        self.entered = threading.Semaphore(0)
        self.stopped = threading.Event()
        self.seen: list[RoleRequest] = []
        self.running = 0
        self.most_running = 0
        self._lock = threading.Lock()

    def info(self) -> EngineInfo:
        return EngineInfo(
            version="1.2.3",
            device="cuda:0",
            providers=("CPUExecutionProvider",),
            ocio_config="studio",
            ocio_cache_id="abc",
            search_path=(("env", "/packs"), ("shipped", "/share/models")),
            packs=(
                PackInfo(
                    pin=PackPin(id="p", version="1.0.0", sha256="0" * 64),
                    role="upscale",
                    title="P",
                    description="é",
                    draft="q",
                    source="env:/packs/p",
                    manifest={"schema": "understudy.pack/1", "n": [1, 2.5, None, True]},
                    badge="amber",
                    badge_reasons=("it has no rights record (pack.cdx.json)",),
                    rights_record="missing",
                    refused='the policy of show "ABC" refuses p',
                    bom={"bomFormat": "CycloneDX", "name": "é", "version": 1},
                ),
            ),
            failures=(PackFailure(path="/packs/bad", problem="no manifest", fix="add one"),),
            policy=PolicyInfo(show="ABC", sha256="c" * 64, source_types={"upscale": "digitalArt"}),
        )

    def run(self, request: RoleRequest, control: Control = NO_CONTROL, /) -> RoleResult:
        with self._lock:
            self.seen.append(request)
            self.running += 1
            self.most_running = max(self.running, self.most_running)
        self.entered.release()
        try:
            return self._run(request, control)
        finally:
            with self._lock:
                self.running -= 1

    def close(self) -> None:
        return

    def _run(self, request: RoleRequest, control: Control) -> RoleResult:
        plates: Mapping[str, Plate] = request.plates
        match request.pack.id:
            case "fail":
                raise self.failure
            case "steps":
                for step in range(10):
                    control.check()
                    control.progress(step + 1, 10)
            case "endless":
                step = 0
                try:
                    while not self.release.wait(0.005):
                        control.check()
                        control.progress(step := step + 1, 1_000_000)
                finally:
                    self.stopped.set()
            case "hold":
                self.release.wait(30)
            case "negate":
                plates = {name: plate.with_pixels(-plate.pixels) for name, plate in plates.items()}
        report = {"held": True, "seconds": 0.25, "list": [1, None], "scalar": np.float32(0.5)}
        return RoleResult(
            plates=plates,
            pack=PackPin(id=request.pack.id, version="1.0.0", sha256=self.digest),
            confidence=0.75,
            report=report,
        )


def make_request(pack: str, plates: Mapping[str, Plate] | None = None, request_id: str = "") -> RoleRequest:
    """A request for a behavior of `FakeEngine`."""
    if plates is None:
        plates = {"plate": full_plate()}
    return RoleRequest(
        pack=PackPin(id=pack), params=UpscaleParams(options={"a": 1, "b": 1.0}), plates=plates, request_id=request_id
    )


def full_plate(height: int = 5, width: int = 7, seed: int = 0) -> Plate:
    """A plate with every field set to something unlike its default, and awkward numbers in its pixels."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(0, 1000, (height, width, 4)).astype(np.float32)
    pixels[0, 0] = [-0.0, 1e-45, 65504.0, 0.0]
    ids = rng.integers(0, 1 << 32, (height, width), dtype=np.uint32)
    ids[0, 0], ids[-1, -1] = 0x7FA00001, 0xFFFFFFFF  # as floats: a signaling and a quiet NaN
    pixels.view(np.uint32)[..., 3] = ids
    return Plate(
        pixels=pixels,
        channels=("R", "left.G", "depth.Z", "objectId"),
        sample_types=("half", "float", "uint16", "uint"),
        data_window=Window(-3, -1000, width, height),
        display_window=Window(0, -5, 1920, 1080),
        colorspace="ACEScg",
        pixel_aspect=2.0,
        frame=-1001,
        premultiplied=False,
        metadata={
            "owner": "Zoë 日本",
            "latin": b"caf\xe9".decode(errors="surrogateescape"),
            "int": -(1 << 63),
            "unsigned": (1 << 64) - 1,
            "one": 1.0,
            "real": 0.1,
            "minus zero": -0.0,
            "timecode": (1, -2, 3),
            "matrix": (1.0, 0.5, float("inf")),
            "empty": "",
        },
        storage=Storage(container="dpx", compression="dwaa:45", colorspace="lin_rec709", aces_container=True),
        sanitized=Sanitized(nan=3, inf=1 << 40),
    )


HELD = workload_of_request(make_request("hold")).held_bytes
"""Bytes that a request with its usual plate holds, its result's included."""


def assert_same_plate(got: Plate, want: Plate) -> None:
    """Every bit of the pixels and every field, types included."""
    assert got.pixels.dtype == np.float32
    assert got.pixels.shape == want.pixels.shape
    assert got.pixels.tobytes() == want.pixels.tobytes()
    assert not got.pixels.flags.writeable
    for field in fields(Plate):
        if field.name not in {"pixels", "metadata"}:
            assert getattr(got, field.name) == getattr(want, field.name), field.name
    assert list(got.metadata) == list(want.metadata)
    for name, value in want.metadata.items():
        assert _exact(got.metadata[name]) == _exact(value), name


def assert_same_error(got: UnderstudyError, want: UnderstudyError) -> None:
    """Class, sentence, facts and exit code."""
    assert type(got) is type(want)
    assert (str(got), got.problem, got.where, got.fix) == (str(want), want.problem, want.where, want.fix)
    assert got.exit_code == want.exit_code


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def _exact(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_exact(item) for item in value)
    return (type(value), struct.pack("<d", value) if isinstance(value, float) else value)
