# SPDX-License-Identifier: Apache-2.0
"""What every step offers, and what it is given."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from understudy.color.config import ColorConfig
from understudy.contracts.engine import Control, Engine, ServiceTimings
from understudy.contracts.errors import GraphError
from understudy.contracts.jobs import PackPin, RoleParams, RoleRequest, RoleResult
from understudy.contracts.outline import Outline
from understudy.contracts.paths import ANY_FILE, FileRules
from understudy.contracts.plate import Plate
from understudy.graph.document import RoleNode, inputs_of
from understudy.graph.events import Listener
from understudy.graph.kept_results import KeptResults
from understudy.roles.proxy import FULL_SIZE, Proxy
from understudy.roles.stopwatch import NO_STOPWATCH, Stopwatch, TimedEngine

Frame = int | None
"""An absolute frame number; None for a still."""

Key = tuple[str, Frame]
"""A node and a frame."""

Fetch = Callable[[str, Frame], Plate]
"""Gives the plate of a node at a frame that the step said it needs."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What steps share during one render.

    Attributes:
        engine: Runs role requests.
        color: The graph's OCIO config.
        pins: The pack of each node, by node name; ``<node>.motion`` for an interpolation's motion pack.
        listener: Hears events.
        control: Cancels.
        draft: The whole render is a draft: reads give proxies, writes make them large again.
        proxy: How drafts are made smaller, of the whole render or of a node.
        files: Which files may be touched.
        kept: Results of earlier renders; None for none.
        stopwatch: Learns what work took.
    """

    engine: Engine
    color: ColorConfig
    pins: Mapping[str, PackPin]
    listener: Listener
    control: Control
    draft: bool = False
    proxy: Proxy = FULL_SIZE
    files: FileRules = ANY_FILE
    kept: KeptResults | None = None
    stopwatch: Stopwatch = NO_STOPWATCH
    _facts: dict[str, Mapping[str, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def facts(self, node: RoleNode, name: str) -> Mapping[str, Any]:
        """What a role node says that decides pixels, with the packs that play it; its inputs are told apart."""
        if name not in self._facts:  # asked for every frame
            self._facts[name] = self._facts_of(node, name)
        return self._facts[name]

    def _facts_of(self, node: RoleNode, name: str) -> Mapping[str, Any]:
        said = node.model_dump(mode="json", exclude={*inputs_of(node), "pack", "motion_pack"})
        packs = {key: f"{pin.id}@{pin.version}#{pin.sha256}" for key, pin in self.pins.items()}
        played = [packs[key] for key in (name, f"{name}.motion") if key in packs]
        return {**said, "packs": played, "draft": self.draft or node.quality == "draft"}

    def shared_params(self, node: RoleNode) -> dict[str, Any]:
        """The parameters that every role takes, from its node."""
        draft = self.draft or node.quality == "draft"
        return {"kinds": node.kinds, "options": node.options, "draft": draft, "tile": node.tile}

    def ask(self, node: str, frame: Frame, params: RoleParams, plates: Mapping[str, Plate]) -> RoleResult:
        """Runs a role request on the node's pack and passes its progress and warnings on.

        Raises:
            UnderstudyError: Whatever the engine raises, told with the node and frame.
        """
        # Several renders of one frame must not share a name in a service's log.
        request_id = f"{node[:40]}.{'still' if frame is None else frame}.{uuid.uuid4().hex[:8]}"
        place = {"node": node, "frame": frame, "request_id": request_id}

        def progress(done: int, total: int) -> None:
            self.listener({"event": "step", **place, "done": done, "total": total})

        def warn(message: str) -> None:
            self.listener({"event": "warning", **place, "message": message})

        def timed(spent: ServiceTimings) -> None:
            self.listener({"event": "timings", **place, **asdict(spent)})

        request = RoleRequest(
            pack=self.pins[node],
            params=params,
            plates=plates,
            ocio_config=self.color.name,
            request_id=request_id,
        )
        control = Control(progress, self.control.cancelled, warn, timed)
        engine = TimedEngine(self.engine, self.stopwatch)
        if self.kept is None:
            return engine.run(request, control)
        with self.stopwatch.span():  # looking for what is kept is no work of the step's
            return self.kept.run(node, request, engine, control)


class Step(Protocol):
    """A node, ready to compute.

    Attributes:
        name: The node's name.
        kind: What it does; steps of one kind cost the same per sample, beside what they ask of the engine.
    """

    name: str
    kind: str

    @property
    def outline(self) -> Outline:
        """Its plates, as far as they are known before any is read."""
        ...

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Frames it can give; ``(None,)`` for a still."""
        ...

    def needs(self, frame: Frame) -> tuple[Key, ...]:
        """What it reads of other nodes for this frame, without duplicates."""
        ...

    def compute(self, frame: Frame, fetch: Fetch) -> "Outcome":
        """The plate at this frame."""
        ...

    def cause(self, frame: Frame) -> "Cause":
        """What decides the plate at this frame, beside the plates that it needs."""
        ...

    def asks(self, frame: Frame) -> tuple["Ask", ...]:
        """What it will ask of the engine for this frame, as far as that is known before plates are read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What decides a step's plate at a frame, beside the plates it needs and what the whole render shares.

    Attributes:
        facts: JSON values; equal facts, files and needs give equal pixels.
        files: Files whose content it takes.
        others: What other nodes say that it runs itself instead of taking their plates, by node.
    """

    facts: Mapping[str, Any]
    files: tuple[Path, ...] = ()
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A role request before its plates are there.

    Attributes:
        node: Whose pack plays it: a key of ``Setting.pins``.
        name: What two frames ask of a node under one name is the same request, and runs once.
        params: The role's parameters.
        plates: Its plates, by name.
    """

    node: str
    name: tuple[Frame, ...]
    params: RoleParams
    plates: Mapping[str, Outline]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A computed plate and what is known of it.

    Attributes:
        plate: The picture.
        confidence: Mean confidence in 0-1, or None.
        report: Facts by node name.
    """

    plate: Plate
    confidence: float | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


def at(step: Step, frame: Frame) -> Key:
    """The key of another step's plate for this frame: a single picture serves every frame."""
    frames = step.frames
    return (step.name, frames[0]) if len(frames) == 1 else (step.name, frame)


def only_frames(step: Step, node: str) -> tuple[int, ...]:
    """The frame numbers of a step that must be a sequence.

    Raises:
        GraphError: It is a still.
    """
    frames = tuple(frame for frame in step.frames if frame is not None)
    if not frames:
        raise GraphError(f"{step.name!r} is a still, and a sequence is needed", where=f"nodes.{node}.input")
    return frames


def numbered(plate: Plate, frame: Frame) -> Plate:
    """The plate under another frame number."""
    return plate if plate.frame == frame else replace(plate, frame=frame)
