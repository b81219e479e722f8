# SPDX-License-Identifier: Apache-2.0
"""Who watches a render to put it on record: told before, during and after; the graph itself knows no records."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from understudy.color.config import ColorConfig
from understudy.contracts.engine import EngineInfo, PackInfo
from understudy.contracts.paths import FileRules
from understudy.contracts.plate import MetadataValue
from understudy.graph.document import Graph
from understudy.graph.events import Event, Listener
from understudy.graph.plan import Plan
from understudy.graph.steps.step import Frame, Key, Outcome
from understudy.graph.steps.write import Written


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A render that is about to begin.

    Attributes:
        graph: The document.
        job: Digest of everything that decides pixels, as ``understudy:job``.
        packs: The pack of each node; ``<node>.motion`` for an interpolation's motion pack.
        engine: Who computes.
        color: The OCIO config.
        plan: Steps and outputs.
        draft: Packs' draft stand-ins.
        files: Which files may be touched.
        listener: Hears events.
    """

    graph: Graph
    job: str
    packs: Mapping[str, PackInfo]
    engine: EngineInfo
    color: ColorConfig
    plan: Plan
    draft: bool
    files: FileRules
    listener: Listener


@dataclass(frozen=True, slots=True)
class Made:
    """An output before it is written.

    Attributes:
        node: The write node.
        frame: The frame.
        outcome: What will be written.
        made_from: Every outcome it was made from that is still known, by node and frame.
    """

    node: str
    frame: Frame
    outcome: Outcome
    made_from: Mapping[Key, Outcome]


class Witness(Protocol):
    """Watches one render. All but ``lands`` and ``hear`` are called from the rendering thread."""

    hashes_pixels: bool

    def watching(self, scene: Scene) -> AbstractContextManager[None]:
        """Open while frames are made, whether that ends well or not.

        Raises:
            UnderstudyError: Nothing could be put on record; no frame has been made yet.
        """
        ...

    def header(self, made: Made) -> Mapping[str, MetadataValue]:
        """What the file of an output says of its record; an empty text removes an attribute."""
        ...

    def lands(self, node: str, frame: Frame, written: Written) -> None:
        """A frame is whole and about to take its place; called from a thread that writes, and must be quick."""
        ...

    def wrote(self, node: str, frame: Frame, written: Written) -> None:
        """A frame is on disk; told in order, some time after ``lands``."""
        ...

    def skipped(self, node: str, frame: Frame) -> None:
        """A frame with the wanted content key was there already."""
        ...

    def hear(self, event: Event) -> None:
        """An event; called from any thread."""
        ...


class _Nobody:
    hashes_pixels = False

    def watching(self, scene: Scene) -> AbstractContextManager[None]:
        del scene
        return nullcontext()

    def header(self, made: Made) -> Mapping[str, MetadataValue]:
        del made
        return {}

    def lands(self, node: str, frame: Frame, written: Written) -> None:
        del node, frame, written

    def wrote(self, node: str, frame: Frame, written: Written) -> None:
        del node, frame, written

    def skipped(self, node: str, frame: Frame) -> None:
        del node, frame

    def hear(self, event: Event) -> None:
        del event


NOBODY: Witness = _Nobody()
"""Nothing is put on record."""
