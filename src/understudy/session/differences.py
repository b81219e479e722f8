# SPDX-License-Identifier: Apache-2.0
"""What differs between a session and this machine, or another session."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from understudy import __version__
from understudy.color.config import ColorConfig
from understudy.contracts.engine import EngineInfo
from understudy.contracts.errors import ColorspaceError
from understudy.frames.sequence import format_frames
from understudy.graph.document import Graph
from understudy.graph.ledger import Ledger, default_ledger
from understudy.graph.paths import NamedFile, with_files
from understudy.graph.prepare import device_class
from understudy.packs.pins import parse_pin
from understudy.session.arrival import Arrival
from understudy.session.container import SessionFile
from understudy.session.document import Input, Pack
from understudy.session.inventory import contents_here, files_here, full_pin
from understudy.session.variables import expanded

About = Literal["version", "device", "frames", "ocio", "pack", "input", "parameter"]

_UNCOMPARED = ("lock", "ocio", "frames", "schema")
"""Fields of a document that are told apart from its parameters, or not at all."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was.

    Attributes:
        about: What kind of thing.
        where: Which one: a pack's id, an input, a field such as ``nodes.slow.speed``.
        saved: How it is in the session; empty where it is not in it.
        here: How it is here, or in the other session; empty where it is not there.
        nodes: The nodes that it concerns.
        frames: The frames that it concerns; empty for all.
    """

    about: About
    where: str
    saved: str
    here: str
    nodes: tuple[str, ...] = ()
    frames: str = ""

    def __str__(self) -> str:
        users = f" ({', '.join(self.nodes)})" if self.nodes else ""
        frames = f" {self.frames}" if self.frames else ""
        return f"{self.about} {self.where}{frames}{users}: {self.saved or 'not there'} -> {self.here or 'missing'}"


def from_machine(arrival: Arrival, info: EngineInfo) -> tuple[Difference, ...]:
    """What differs between a session and this machine; nothing for nothing.

    Parameters are compared where the document that was saved is here too.

    Args:
        arrival: The session, brought here.
        info: What the engine has.

    Raises:
        UnderstudyError: A file that is there can't be read.
    """
    session = arrival.session
    found = [*_plain("version", session.version, __version__), *_plain("device", session.device, device_class(info))]
    found += _config_here(arrival)
    installed = tuple(full_pin(pack) for pack in info.packs)
    found += _packs(session.packs, installed)
    found += _inputs_here(arrival)
    document = arrival.document_here()
    if document is not None:
        was = with_files(arrival.file.graph, lambda named: _here(arrival, named))
        found += _plain("frames", session.frames, document.frames) if document.frames else []
        found += _parameters(was, document)
    return tuple(found)


def from_session(one: SessionFile, other: SessionFile) -> tuple[Difference, ...]:
    """What differs between two sessions; nothing for nothing.

    Args:
        one: A session.
        other: The other, which is told as ``here``.
    """
    a, b = one.session, other.session
    found = [
        *_plain("version", a.version, b.version),
        *_plain("device", a.device, b.device),
        *_plain("frames", a.frames, b.frames),
    ]
    if a.ocio.cache_id != b.ocio.cache_id:
        found.append(Difference("ocio", "config", f"{a.ocio.name} ({a.ocio.cache_id})", _config_of(other)))
    found += _packs(a.packs, tuple(pack.pin for pack in b.packs))
    mine = {pack.pin.partition("@")[0] for pack in a.packs}
    for pack in b.packs:
        if pack.pin.partition("@")[0] not in mine:
            found.append(Difference("pack", parse_pin(pack.pin).id, "", _short(pack.pin), _users(pack)))
    theirs = {entry.place: entry for entry in b.inputs if entry.place != "lights"}
    theirs |= {entry.file: entry for entry in b.inputs if entry.place == "lights"}
    for entry in a.inputs:
        with_same = theirs.pop(entry.file if entry.place == "lights" else entry.place, None)
        there = _digests(with_same) if with_same else {}
        found += _input(entry, there)
    found += [Difference("input", f"{entry.place} {entry.file}", "", "added") for entry in theirs.values()]
    return (*found, *_parameters(one.graph, other.graph))


def _plain(about: Literal["version", "device", "frames"], saved: str, here: str) -> list[Difference]:
    return [] if saved == here else [Difference(about, "", saved or "all", here or "all")]


def _config_of(file: SessionFile) -> str:
    return f"{file.session.ocio.name} ({file.session.ocio.cache_id})"


def _config_here(arrival: Arrival) -> list[Difference]:
    """The config that a render would take here, and where the graph's own file has changed, that too."""
    saved = arrival.session.ocio
    try:
        color = ColorConfig.load(arrival.config())
        here = "" if color.cache_id == saved.cache_id else f"{color.name} ({color.cache_id})"
    except ColorspaceError as error:
        here = str(error)
    return [Difference("ocio", "config", f"{saved.name} ({saved.cache_id})", here)] if here else []


def _packs(packs: tuple[Pack, ...], there: tuple[str, ...]) -> Iterator[Difference]:
    for pack in packs:
        if pack.pin not in there:
            others = [_short(pin) for pin in there if pin.partition("@")[0] == pack.pin.partition("@")[0]]
            yield Difference("pack", parse_pin(pack.pin).id, _short(pack.pin), ", ".join(others), _users(pack))


def _users(pack: Pack) -> tuple[str, ...]:
    drafts = [f"{node} in drafts" for node in pack.draft if node not in pack.final]
    return (*pack.final, *drafts)


def _short(pin: str) -> str:
    return pin[: pin.index("#") + 13]


def _inputs_here(arrival: Arrival) -> Iterator[Difference]:
    files = {
        index: files_here(entry, path)
        for index, entry in enumerate(arrival.session.inputs)
        if (path := expanded(entry.file, arrival.places))
    }
    with closing(Ledger(default_ledger())) as ledger:
        contents = contents_here([path for some in files.values() for path in some.values()], ledger)
    for index, entry in enumerate(arrival.session.inputs):
        there = {frame: contents[path] for frame, path in files.get(index, {}).items() if path in contents}
        yield from _input(entry, there, arrival.path(entry.file))


def _digests(entry: Input) -> Mapping[int | None, str]:
    digests: dict[int | None, str] = dict(entry.frames.items())
    return digests or {None: entry.content}


def _input(entry: Input, there: Mapping[int | None, str], path: str = "") -> Iterator[Difference]:
    was = _digests(entry)
    missing = [frame for frame in was if frame not in there]
    changed = [frame for frame in was if frame in there and there[frame] != was[frame]]
    for frames, text in ((missing, ""), (changed, "changed")):
        if frames:
            numbers = format_frames(frame for frame in frames if frame is not None)
            yield Difference("input", f"{entry.place} {path or entry.file}", "read", text, frames=numbers)


def _here(arrival: Arrival, named: NamedFile) -> str:
    return str(Path(arrival.path(named.path)))


def _parameters(saved: Graph, here: Graph) -> Iterator[Difference]:
    was, now = _fields(saved), _fields(here)
    for place in [*was, *(place for place in now if place not in was)]:
        a, b = was.get(place), now.get(place)
        if a != b:
            yield Difference("parameter", place, _said(a), _said(b))


def _fields(graph: Graph) -> dict[str, Any]:
    """What a document says, field by field."""
    found: dict[str, Any] = {}

    def note(place: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                note(f"{place}.{name}" if place else name, inner)
        else:
            found[place] = value

    note("", {name: value for name, value in graph.document.items() if name not in _UNCOMPARED})
    return found


def _said(value: Any) -> str:
    return "" if value is None else str(value)
