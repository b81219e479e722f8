# SPDX-License-Identifier: Apache-2.0
"""Content keys: what a frame was made from, in one digest. The same key means the same pixels.

A key covers the part of the graph that the frame depends on, the content of the files it reads (not their names), packs
by digest, parameters, the OCIO config, the class of the device and this program's version. It leaves out where files
lie, other frames, and nodes that the frame does not depend on; so a change re-renders what depends on it and no more.

In a header it stands as ``understudy:key``, followed by a short digest of each node: ``3f..90 plate=1d2c3b4a up=..``.
From these a later render tells what has changed.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from understudy.graph.key_header import BESIDE
from understudy.graph.plan import Plan
from understudy.graph.steps.read import ReadStep
from understudy.graph.steps.step import Cause, Frame, Key

_DIGITS = 32
_PART_DIGITS = 8
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_SHARED = "@"
"""Under which name stands what the whole render shares; no node can be called so."""


@dataclass(frozen=True, slots=True)
class ContentKey:
    """The key of one output.

    Attributes:
        digest: Of everything.
        parts: Node to a digest of what it says itself and of the files it reads for this frame.
    """

    digest: str
    parts: Mapping[str, str]

    def __str__(self) -> str:
        return " ".join([self.digest, *(f"{name}={part}" for name, part in self.parts.items())])


def parse_key(text: object) -> ContentKey | None:
    """The key that a header holds; None when it holds none."""
    words = text.split() if isinstance(text, str) else []
    if not words or len(words[0]) != _DIGITS:
        return None
    pairs = (word.partition("=") for word in words[1:])
    return ContentKey(words[0], {name: part for name, _, part in pairs if name != BESIDE})


def difference(made: ContentKey, wanted: ContentKey, reads: Mapping[str, str]) -> str:
    """What has changed between two keys, for people.

    Args:
        made: The key in a file.
        wanted: What it should be now.
        reads: Read nodes, to the pattern of their files.
    """
    changed = [name for name, part in wanted.parts.items() if made.parts.get(name, part) != part]
    fresh = [name for name in wanted.parts if name not in made.parts]
    gone = [name for name in made.parts if name not in wanted.parts]
    said = []
    if _SHARED in changed:
        said.append("the version, the OCIO config or the device changed")
    for name in changed:
        if name in reads:
            said.append(f"{name} reads other pictures than then ({reads[name]})")
        elif name != _SHARED:
            said.append(f"node {name} changed")
    said += [f"node {name} is new" for name in fresh] + [f"node {name} is gone" for name in gone]
    return "; ".join(said) or "nodes were wired anew"


class ContentKeys:
    """Keys of the outputs of a plan.

    Args:
        plan: The plan.
        shared: What holds for the whole render, as JSON values.
        content: Gives the digest of a file's content.
    """

    def __init__(self, plan: Plan, shared: Mapping[str, Any], content: Callable[[Path], str]) -> None:
        self._plan = plan
        self._shared = _digest(dict(shared))
        self._content = content
        self._known: dict[Path, str] = {}
        self._keys: dict[Key, str] = {}
        self._own: dict[Key, str] = {}
        self._causes: dict[Key, Cause] = {}
        self._needs: dict[Key, tuple[Key, ...]] = {}
        self._same: dict[int, str] = {}
        self._short: dict[tuple[str, ...], str] = {}
        self._writes: dict[str, str] = {}

    def know(self, contents: Mapping[Path, str]) -> None:
        """Takes digests of files, so that they need not be asked for one by one."""
        self._known.update(contents)

    def files(self, outputs: tuple[tuple[str, Frame], ...]) -> tuple[Path, ...]:
        """Every file whose content decides one of these outputs."""
        found: dict[Path, None] = {}
        seen: set[Key] = set()
        for name, frame in outputs:
            for key in self._closure((self._plan.writes[name].source.name, frame), seen):
                found |= dict.fromkeys(self._cause(key).files)
        return tuple(found)

    def of(self, name: str, frame: Frame) -> ContentKey:
        """The key of an output.

        Args:
            name: A write node.
            frame: One of its frames.

        Raises:
            InputError: A file can't be read.
        """
        write = self._plan.writes[name]
        source = (write.source.name, frame)
        facts = write.cause(frame).facts
        digest = _digest([self._shared, facts, self.of_plate(source)])
        parts: dict[str, list[str]] = {}
        for key in self._closure(source, set()):
            parts.setdefault(key[0], []).append(self._own_part(key))
            for other, told in self._cause(key).others.items():
                parts.setdefault(other, []).append(_digest(told))
        if name not in self._writes:
            self._writes[name] = _digest({key: fact for key, fact in facts.items() if key != "frame"})[:_PART_DIGITS]
        short = {node: self._shortened(parts[node]) for node in sorted(parts)}
        return ContentKey(digest, {_SHARED: self._shared[:_PART_DIGITS], **short, name: self._writes[name]})

    def _shortened(self, found: list[str]) -> str:
        """One short digest of all that a node contributes."""
        whole = tuple(sorted(set(found)))
        if whole not in self._short:
            self._short[whole] = _digest(whole)[:_PART_DIGITS]
        return self._short[whole]

    def of_plate(self, key: Key) -> str:
        """The key of a node's plate at a frame, before it is written.

        Raises:
            InputError: A file can't be read.
        """
        if key not in self._keys:
            needs = [self.of_plate(need) for need in self._needs_of(key)]
            self._keys[key] = _digest([self._shared, self._own_part(key), self._cause(key).others, needs])
        return self._keys[key]

    def _own_part(self, key: Key) -> str:
        if key not in self._own:
            cause = self._cause(key)
            contents = [self._known.get(path) or self._content(path) for path in cause.files]
            same = None if contents else self._same.get(id(cause.facts))  # many nodes say the same for every frame
            self._own[key] = same or _digest([cause.facts, contents])
            if not contents:
                self._same[id(cause.facts)] = self._own[key]
        return self._own[key]

    def _cause(self, key: Key) -> Cause:
        if key not in self._causes:
            self._causes[key] = self._plan.steps[key[0]].cause(key[1])
        return self._causes[key]

    def _needs_of(self, key: Key) -> tuple[Key, ...]:
        if key not in self._needs:
            self._needs[key] = self._plan.steps[key[0]].needs(key[1])
        return self._needs[key]

    def _closure(self, start: Key, seen: set[Key]) -> list[Key]:
        found, queue = [], [start]
        while queue:
            key = queue.pop()
            if key not in seen:
                seen.add(key)
                found.append(key)
                queue += self._needs_of(key)
        return found


def read_patterns(plan: Plan) -> dict[str, str]:
    """Read nodes, to the pattern of their files."""
    return {name: step.pattern for name, step in plan.steps.items() if isinstance(step, ReadStep)}


def _digest(value: Any) -> str:
    return blake3(_canonical(value).encode()).hexdigest()[:_DIGITS]
