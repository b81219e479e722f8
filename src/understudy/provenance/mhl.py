# SPDX-License-Identifier: Apache-2.0
"""ASC Media Hash Lists, version 2.0: the folder ``ascmhl`` with one generation and its chain file.

The list holds every recorded picture, the records and their signatures, with sizes. Pictures have XXH128, the fastest
of the hashes that the standard knows; the few small files have C4 as the chain has. It guards against damage; against
forgery stand the BLAKE3 in the record and the signature over it.

Source: the schemas ``ASCMHL.xsd`` and ``ASCMHLDirectory.xsd`` of the ASC, namespaces ``urn:ASC:MHL:v2.0`` and
``urn:ASC:MHL:DIRECTORY:v2.0``.
"""

import hashlib
import re
import socket
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from xxhash import xxh3_128

from understudy import __version__
from understudy.contracts.errors import InputError, UnreadableFileError
from understudy.provenance.record_file import read_bytes, write_bytes

FOLDER = "ascmhl"
CHAIN = "ascmhl_chain.xml"
NAMESPACE = "urn:ASC:MHL:v2.0"
CHAIN_NAMESPACE = "urn:ASC:MHL:DIRECTORY:v2.0"
IGNORED = (".*", FOLDER)
TOOL = "understudy"
KINDS = ("xxh128", "c4")
"""The hashes that our lists have, by the names of their elements."""

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_LIST_NAME = re.compile(r"^(\d{4,})_.*\.mhl$")
_UNSAFE = re.compile(r"[^\w.-]")


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of a list.

    Attributes:
        path: Relative to the folder that has the list, ``/`` between its parts.
        size: Bytes.
        kind: One of ``KINDS``.
        value: The hash.
    """

    path: str
    size: int
    kind: str
    value: str


def c4_id(content: bytes) -> str:
    """The C4 ID (SMPTE ST 2114): SHA-512 in base 58, 90 characters."""
    number = int.from_bytes(hashlib.sha512(content).digest(), "big")
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = _BASE58[digit] + digits
    return "c4" + digits.rjust(88, _BASE58[0])


@dataclass(frozen=True, slots=True)
class HashList:
    """A hash list as it was read.

    Attributes:
        path: Where it lies.
        tool: The program that wrote it.
        files: Its files by path.
    """

    path: Path
    tool: str
    files: dict[str, Listed]


def fits(listed: Listed, content: bytes) -> bool:
    """Whether a file is the one that a list names.

    Args:
        listed: The entry.
        content: The file's bytes.
    """
    value = c4_id(content) if listed.kind == "c4" else xxh3_128(content).hexdigest()
    return (len(content), value) == (listed.size, listed.value)


def is_foreign(folder: Path) -> bool:
    """Whether a folder has a hash list that is not ours, which is then left alone."""
    for path in _lists(folder / FOLDER):
        try:
            if _tool(_parsed(read_bytes(path), path)) != TOOL:
                return True
        except InputError:  # damaged, so nobody can use it
            continue
    return False


def _tool(root: ET.Element) -> str:
    return root.findtext(f"{{{NAMESPACE}}}creatorinfo/{{{NAMESPACE}}}tool", "")


def write_list(folder: Path, files: Iterable[Listed], *, now: datetime | None = None, title: str = "") -> Path:
    """Writes the list of a folder, its first generation; one that is there is replaced.

    A history of generations would have to say of each frame that is rendered again that it failed. What changed
    between renders is in the records.

    Args:
        folder: Whose files they are.
        files: The files.
        now: The time it says; None for this moment.
        title: What it is named for; empty for the folder's name.

    Returns:
        The list.

    Raises:
        OutputError: It can't be written.
    """
    now = (now or datetime.now(UTC)).astimezone(UTC)
    where = folder / FOLDER
    path = where / list_name(title or folder.resolve().name, now)
    old = [found for found in _lists(where) if found != path]
    content = list_bytes(files, now)
    write_bytes(content, path)
    write_bytes(_chain_bytes(path.name, content), where / CHAIN)
    for one in old:
        one.unlink(missing_ok=True)
    return path


def list_name(title: str, now: datetime) -> str:
    """The name of a list, its first generation.

    Args:
        title: What it is named for.
        now: Its time, UTC.
    """
    return f"0001_{_UNSAFE.sub('_', title) or 'root'}_{now:%Y-%m-%d_%H%M%S}Z.mhl"


def list_bytes(files: Iterable[Listed], now: datetime) -> bytes:
    """The XML of a list."""
    root = ET.Element("hashlist", {"version": "2.0", "xmlns": NAMESPACE})
    creator = ET.SubElement(root, "creatorinfo")
    stamp = now.isoformat(timespec="seconds")
    ET.SubElement(creator, "creationdate").text = stamp
    ET.SubElement(creator, "hostname").text = socket.gethostname()
    ET.SubElement(creator, "tool", {"version": __version__}).text = TOOL
    process = ET.SubElement(root, "processinfo")
    ET.SubElement(process, "process").text = "in-place"
    ignore = ET.SubElement(process, "ignore")
    for pattern in IGNORED:
        ET.SubElement(ignore, "pattern").text = pattern
    ordered = sorted(files, key=lambda one: one.path)
    if ordered:
        hashes = ET.SubElement(root, "hashes")
        for one in ordered:
            entry = ET.SubElement(hashes, "hash")
            ET.SubElement(entry, "path", {"size": str(one.size)}).text = one.path
            ET.SubElement(entry, one.kind, {"action": "original", "hashdate": stamp}).text = one.value
    return _xml(root)


def _chain_bytes(name: str, content: bytes) -> bytes:
    root = ET.Element("ascmhldirectory", {"xmlns": CHAIN_NAMESPACE})
    entry = ET.SubElement(root, "hashlist", {"sequencenr": "1"})
    ET.SubElement(entry, "path").text = name
    ET.SubElement(entry, "c4").text = c4_id(content)
    return _xml(root)


def _xml(root: ET.Element) -> bytes:
    ET.indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="utf-8") + b"\n"


def _lists(where: Path) -> list[Path]:
    try:
        return sorted(path for path in where.iterdir() if _LIST_NAME.match(path.name))
    except OSError:
        return []


def read_list(folder: Path) -> HashList | None:
    """The newest list of a folder that its chain names; None when there is neither list nor chain.

    Raises:
        UnreadableFileError: The chain or a list is missing, is no ASC MHL file, or is not what the chain says it is.
    """
    where = folder / FOLDER
    chain = where / CHAIN
    lists = _lists(where)
    if not chain.is_file() and not lists:
        return None
    if not chain.is_file():
        raise UnreadableFileError("the chain file of the hash list is missing", where=str(chain))
    named = _chained(chain)
    for path in lists:
        if path.name not in named:
            raise UnreadableFileError("is a hash list that the chain does not name", where=str(path))
    for name, identity in named.items():
        path = where / name
        if not path.is_file():
            raise UnreadableFileError(f"the hash list {name!r} that the chain names is missing", where=str(path))
        content = read_bytes(path)
        if c4_id(content) != identity:
            raise UnreadableFileError("the hash list is not the one that its chain names", where=str(path))
    return parse_list(content, path)


def _chained(chain: Path) -> dict[str, str]:
    """Name to C4 of every list that a chain names, oldest first."""
    root = _parsed(read_bytes(chain), chain, f"{{{CHAIN_NAMESPACE}}}ascmhldirectory")
    entries: list[tuple[int, str, str]] = []
    for entry in root.findall(f"{{{CHAIN_NAMESPACE}}}hashlist"):
        number = entry.get("sequencenr", "")
        name = entry.findtext(f"{{{CHAIN_NAMESPACE}}}path", "")
        if not (number.isascii() and number.isdecimal()) or not _LIST_NAME.match(name) or "/" in name:
            raise UnreadableFileError(f"the chain names no generation {number!r} {name!r}", where=str(chain))
        entries.append((int(number), name, entry.findtext(f"{{{CHAIN_NAMESPACE}}}c4", "")))
    if not entries:
        raise UnreadableFileError("the chain names no hash list", where=str(chain))
    return {name: identity for _, name, identity in sorted(entries)}


def parse_list(content: bytes, path: Path) -> HashList:
    """A list from its bytes; of each file a hash that is one of ``KINDS``, where it has one.

    Raises:
        UnreadableFileError: It is no list, or names files outside its folder.
    """
    root = _parsed(content, path, f"{{{NAMESPACE}}}hashlist")
    found: dict[str, Listed] = {}
    for entry in root.iter(f"{{{NAMESPACE}}}hash"):
        place = entry.find(f"{{{NAMESPACE}}}path")
        for kind in KINDS:
            value = entry.findtext(f"{{{NAMESPACE}}}{kind}")
            if place is not None and place.text and value:
                if place.text.startswith("/") or ".." in place.text.split("/") or "\0" in place.text:
                    raise UnreadableFileError("names a file outside its folder", where=str(path))
                size = place.get("size", "")
                found[place.text] = Listed(place.text, int(size) if size.isdecimal() else -1, kind, value)
    return HashList(path, _tool(root), found)


def _parsed(content: bytes, path: Path, tag: str = "") -> ET.Element:
    """The root element, which must have the tag where one is given."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:  # entities could grow without bound
        raise UnreadableFileError("is no ASC MHL file: it declares entities", where=str(path))
    try:
        root = ET.fromstring(content)  # noqa: S314 - without entities nothing in it can grow or be fetched
    except (ET.ParseError, ValueError) as error:
        raise UnreadableFileError(f"is no ASC MHL file: {error}", where=str(path)) from None
    if tag and root.tag != tag:
        problem = f"is no ASC MHL file: it holds {_shown(root.tag)}, not {_shown(tag)}"
        raise UnreadableFileError(problem, where=str(path))
    return root


def _shown(tag: str) -> str:
    namespace, _, name = tag[1:].partition("}") if tag.startswith("{") else ("no namespace", "", tag)
    return f"<{name[:40]}> of {namespace[:60]}"
