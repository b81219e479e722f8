# SPDX-License-Identifier: Apache-2.0
"""The file of a session: a zip that any archiver opens. Whatever such a file holds, no name in it becomes a path.

::

    session.json        what the session says (``understudy.session/1``)
    graph.yaml          the graph; its paths start at variables, its packs are locked
    ocio/config.ocioz   the OCIO config with its tables, where it is none of OpenColorIO's own
    results/0.exr       files of drafts, stored as they are; session.json says what each is
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from blake3 import blake3

from understudy.contracts.errors import (
    GraphError,
    InputError,
    MissingFileError,
    UnreadableFileError,
    UsageError,
)
from understudy.frames.atomic import atomic
from understudy.graph.document import Graph
from understudy.graph.parsing import parse_graph
from understudy.graph.paths import files_of
from understudy.graph.yaml_file import parse_yaml
from understudy.session.document import Result, Session, parse_session
from understudy.session.variables import require_sound

SUFFIX = ".session"

_SESSION, _GRAPH = "session.json", "graph.yaml"
_MEMBER = re.compile(r"session\.json|graph\.yaml|ocio/config\.ocioz?|results/[0-9]{1,9}\.[a-z0-9]{1,8}")
_LARGEST = {_SESSION: 64 << 20, _GRAPH: 16 << 20}
_LARGEST_CONFIG = 256 << 20
_BLOCK = 1 << 20
_OLDEST = (1980, 1, 1, 0, 0, 0)
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)
"""What Python's zip reader raises of broken files."""


def write_session(
    path: Path, session: Session, graph: str, config: bytes, results: Iterable[tuple[Result, Path]]
) -> None:
    """Writes the file of a session, whole or not at all.

    Args:
        path: The file.
        session: What it says.
        graph: The text of ``graph.yaml``.
        config: The OCIO config; empty for a built-in one.
        results: Files of drafts.

    Raises:
        UsageError: The file is named for something else.
        OutputError: It can't be written.
        UnreadableFileError: A draft can't be read, or is not what it was a moment ago.
    """
    require_name(path)
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        texts = {_SESSION: session.text.encode(), _GRAPH: graph.encode(), session.ocio.member: config}
        for name, content in texts.items():
            if name:
                archive.writestr(_info(name), content, zipfile.ZIP_DEFLATED)
        for result, file in results:
            with _opened(file) as source, archive.open(_info(result.member), "w", force_zip64=True) as member:
                _copy(source, member, result, str(file))


def require_name(path: Path) -> None:
    """Refuses a name that no session has: a slip of the hand must not cost a picture.

    Raises:
        UsageError: It does not end in ``.session``.
    """
    if path.suffix.lower() != SUFFIX:
        raise UsageError("is no name for a session", where=str(path), fix=f"name it {path.stem or 'shot'}{SUFFIX}")


class SessionFile:
    """A session's file, opened.

    Attributes:
        path: The file.
        session: What it says.
        graph: Its graph; paths start at the session's variables.

    Raises:
        MissingFileError: It is not there.
        UnreadableFileError: It is cut short, damaged, no session, or made to do harm.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if not path.is_file() and path.exists():
                raise UnreadableFileError("is no file", where=str(path))
            self._archive = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise MissingFileError("there is no such session", where=str(path), fix="check the path") from None
        except _BROKEN as error:
            raise self._damaged(error) from None
        try:
            self._members = self._checked()
            self.session = parse_session(self._text(_SESSION), str(path))
            self._check_results()
            self.graph = self._graph()
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._archive.close()

    def config(self) -> bytes:
        """The OCIO config; empty for a built-in one.

        Raises:
            UnreadableFileError: It is damaged.
        """
        return self._text(self.session.ocio.member) if self.session.ocio.member else b""

    def extract(self, result: Result, target: Path) -> None:
        """Brings a file back, whole or not at all.

        Args:
            result: One of the session's.
            target: Where it goes; what is there is replaced.

        Raises:
            OutputError: It can't be written.
            UnreadableFileError: It is damaged.
        """
        with atomic(target) as temporary, temporary.open("wb") as file:
            try:
                member = self._archive.open(self._members[result.member])
            except _BROKEN as error:
                raise self._damaged(error) from None
            with member:
                _copy(member, file, result, f"{self.path}: {result.member}")

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        """The members, of which each is one that a session has."""
        members: dict[str, zipfile.ZipInfo] = {}
        for info in self._archive.infolist():
            if not _MEMBER.fullmatch(info.filename) or info.filename in members:
                raise UnreadableFileError(f"is no session: it holds {info.filename[:80]!r}", where=str(self.path))
            largest = _LARGEST.get(info.filename, _LARGEST_CONFIG)
            if info.filename.startswith("results/"):
                if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                    raise self._damaged(f"{info.filename} is packed")
            elif info.file_size > largest:
                raise self._damaged(f"{info.filename} would be {info.file_size} bytes")
            members[info.filename] = info
        if missing := {_SESSION, _GRAPH} - set(members):
            raise UnreadableFileError(f"is no session: it holds no {min(missing)}", where=str(self.path))
        if sum(info.compress_size for info in members.values()) > self.path.stat().st_size:
            raise self._damaged("its members overlap")
        return members

    def _check_results(self) -> None:
        wanted = {result.member: result.size for result in self.session.results}
        if len(wanted) != len(self.session.results):
            raise self._damaged("results: two have one member")
        if self.session.ocio.member:
            wanted[self.session.ocio.member] = -1
        for member, size in wanted.items():
            if member not in self._members:
                raise self._damaged(f"{member} is missing")
            if size not in (-1, self._members[member].file_size):
                raise self._damaged(f"{member} is not {size} bytes")

    def _graph(self) -> Graph:
        where = f"{self.path}: {_GRAPH}"
        try:
            document = parse_yaml(self._text(_GRAPH).decode(), "graph", where, aliases=False)
            graph = parse_graph(document, source=where)
            for named in files_of(graph):
                require_sound(named.path, self.session.variables, named.place)
        except UnicodeDecodeError:
            raise UnreadableFileError("is not UTF-8 text", where=where) from None
        except (GraphError, ValueError) as error:
            problem = error.problem if isinstance(error, GraphError) else str(error)
            raise UnreadableFileError(f"is no graph of a session: {problem}", where=where) from None
        return graph

    def _text(self, name: str) -> bytes:
        info = self._members[name]
        try:
            with self._archive.open(info) as member:
                return member.read(info.file_size + 1)
        except _BROKEN as error:
            raise self._damaged(error) from None

    def _damaged(self, why: object) -> InputError:
        reason = f": {why}" if str(why) else ""
        return UnreadableFileError(f"is no sound session{reason}", where=str(self.path), fix="take it from a backup")


def _info(name: str) -> zipfile.ZipInfo:
    """A member whose date says nothing, so that equal sessions are equal bytes."""
    info = zipfile.ZipInfo(name, _OLDEST)
    info.external_attr = 0o644 << 16
    return info


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise UnreadableFileError(f"can't be read ({error.strerror})", where=str(path)) from None


def _copy(source: IO[bytes], target: IO[bytes], result: Result, where: str) -> None:
    hasher, left = blake3(), result.size
    try:
        while block := source.read(min(_BLOCK, left + 1)):
            hasher.update(block)
            left -= len(block)
            if left < 0:
                break
            target.write(block)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UnreadableFileError(f"is damaged: {error}", where=where) from None
    if left or hasher.hexdigest()[: len(result.content)] != result.content:
        raise UnreadableFileError("is not the file that was looked at", where=where, fix="save the session again")
