# SPDX-License-Identifier: Apache-2.0
"""A session on this machine: its folders found, its graph with paths of here, its packs and its config."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from understudy.color.config import ColorConfig
from understudy.contracts.engine import PackInfo
from understudy.contracts.errors import (
    ColorspaceError,
    InputError,
    MissingFileError,
    PackNotFoundError,
    PinMismatchError,
)
from understudy.frames.atomic import atomic
from understudy.graph.document import Graph, Lock
from understudy.graph.graph_text import graph_text
from understudy.graph.ledger import user_cache
from understudy.graph.parsing import load_graph
from understudy.graph.paths import NamedFile, with_absolute_files, with_files
from understudy.packs.pins import parse_pin
from understudy.session.container import SessionFile
from understudy.session.document import Pack, Quality, Session
from understudy.session.inventory import files_here, full_pin
from understudy.session.variables import Place, expanded, find_places, start_of

_HEAD = "# Written by understudy session. Packs are locked: this machine takes these or refuses.\n"


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A session that was brought to this machine.

    Attributes:
        file: The session.
        places: Where its variables' folders are.
        to: Where outputs go instead; None: where the graph says.
    """

    file: SessionFile
    places: Mapping[str, Place]
    to: Path | None = None

    @property
    def session(self) -> Session:
        """What the session says."""
        return self.file.session

    def path(self, path: str) -> str:
        """A path of the session on this machine; as it was where its folder is not known."""
        return expanded(path, self.places) or path

    def graph(self) -> Graph:
        """The graph with paths of this machine, and no lock yet.

        Raises:
            MissingFileError: Nothing tells where a folder is.
            ColorspaceError: The session's OCIO config can't be loaded.
            OutputError: It can't be written.
        """

        def change(named: NamedFile) -> str:
            start = start_of(named.path)
            assert start is not None  # sessions whose paths start elsewhere are refused
            if named.mark.access == "config":
                return self.config()
            if named.mark.access == "write" and self.to is not None:
                return os.path.join(self.to.absolute(), start[1])  # noqa: PTH118 - of a pattern
            if not self.places[start[0]].folder:
                raise MissingFileError(
                    f"nothing tells where ${start[0]} is here; it was {self.session.variables[start[0]].folder}",
                    where=named.place,
                    fix=f"say --set {start[0]}=FOLDER" + self._or_to(named),
                )
            return self.path(named.path)

        return with_files(self.file.graph, change)

    def config(self) -> str:
        """The OCIO config: the file of the same content that is where it was, else the session's own, unpacked.

        Raises:
            ColorspaceError: It can't be loaded.
            OutputError: It can't be written.
        """
        wanted = self.session.ocio
        if not wanted.member:
            return wanted.name
        graph = self.file.graph
        there = self.path(graph.config) if graph.config and start_of(graph.config) else wanted.name
        try:
            if ColorConfig.load(there).cache_id == wanted.cache_id:
                return there
        except ColorspaceError:
            pass
        content = self.file.config()
        name = f"{blake3(content).hexdigest()[:32]}{Path(wanted.member).suffix}"
        file = user_cache() / "configs" / name
        if not file.exists():
            with atomic(file) as temporary:
                temporary.write_bytes(content)
        return str(file)

    def document_here(self) -> Graph | None:
        """The document that was saved, as it is on this machine now; None where it is not there."""
        place = expanded(self.session.graph, self.places)
        if not place or not Path(place).is_file():
            return None
        return with_absolute_files(load_graph(Path(place)))

    def _or_to(self, named: NamedFile) -> str:
        return ", or --to FOLDER" if named.mark.access == "write" else ""


def arrive(file: SessionFile, given: Mapping[str, str], to: Path | None = None) -> Arrival:
    """Finds the folders of a session on this machine.

    Args:
        file: The session.
        given: Variable to folder, as somebody said.
        to: Where outputs go instead.

    Raises:
        UsageError: The session has no such variable.
    """
    session = file.session
    read = [(entry.file, entry) for entry in session.inputs]

    def holds(name: str, folder: str) -> bool:
        there = {name: Place(folder, "")}
        paths = [(path, entry) for path, entry in read if (start_of(path) or ("",))[0] == name]
        if not paths:
            return Path(folder).is_dir()
        found = (files_here(entry, expanded(path, there)) for path, entry in paths)
        return any(path.exists() for files in found for path in files.values())

    places = find_places(session.variables, file.path.absolute().parent, given, holds)
    return Arrival(file=file, places=places, to=to)


def locked(
    graph: Graph,
    packs: tuple[Pack, ...],
    installed: tuple[PackInfo, ...],
    quality: Quality,
    *,
    own: bool = False,
    config: str = "",
) -> Graph:
    """The graph with the session's packs, which this machine has or refuses.

    Args:
        graph: The graph of this machine.
        packs: The session's.
        installed: What is here.
        quality: Which render is to come.
        own: Packs of other digests than the session's may be taken.
        config: The OCIO config where the graph names none.

    Raises:
        PackNotFoundError: A pack is missing.
        PinMismatchError: A pack has another digest or version.
    """
    there = {full_pin(pack) for pack in installed}
    pins: list[str] = []
    for pack in packs:
        nodes = pack.final if quality == "final" else pack.draft
        if not nodes:
            continue
        if pack.pin in there:
            pins.append(pack.pin)
            continue
        wanted = parse_pin(pack.pin)
        others = [full_pin(one) for one in installed if one.pin.id == wanted.id]
        which = f"{wanted.id}@{wanted.version}#{wanted.sha256[:12]}"
        users = ", ".join(nodes)
        if not others:
            raise PackNotFoundError(f"there is no pack {which}, which {users} takes", where="session", fix=_INSTALL)
        if not own:
            here = ", ".join(pin[: pin.index("#") + 13] for pin in others)
            raise PinMismatchError(
                f"{users} takes {which}; here is {here}", where="session", fix=f"{_INSTALL}, or {_OWN}"
            )
        pins += others
    lock = Lock(packs=tuple(dict.fromkeys(pins)), ocio="" if graph.ocio else config)
    return graph.model_copy(update={"lock": lock})


_INSTALL = "put its folder on $UNDERSTUDY_PACK_PATH"
_OWN = "say --use-installed-packs to take that"


def write_document(graph: Graph, file: Path) -> bool:
    """Writes the graph of this machine, to go on with; a file of another content stays.

    Returns:
        Whether it is there now.

    Raises:
        OutputError: It can't be written.
    """
    text = graph_text(graph, _HEAD)
    if file.exists():
        try:
            return file.read_text(encoding="utf-8") == text
        except (OSError, ValueError, InputError):
            return False
    with atomic(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return True
