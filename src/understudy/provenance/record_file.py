# SPDX-License-Identifier: Apache-2.0
"""Records as files: their names, reading, writing, and one writer at a time."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from understudy.contracts.errors import MissingFileError, OutputError, UnreadableFileError
from understudy.contracts.fields import field_path
from understudy.frames.atomic import atomic, failure
from understudy.frames.sequence import split_pattern
from understudy.provenance.record import SCHEMA, Record

SUFFIX = ".provenance.json"
MAX_BYTES = 512 * 1024 * 1024
"""More than this is no record."""


def read_record(path: Path) -> Record:
    """Reads and checks a record.

    Raises:
        MissingFileError: It is not there.
        UnreadableFileError: It can't be read, or is no record.
    """
    return parse_record(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """The bytes of a record or of a file beside it.

    Raises:
        MissingFileError: It is not there.
        UnreadableFileError: It can't be read, or is enormous.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFileError("is too large for a record", where=str(path))
        return path.read_bytes()
    except FileNotFoundError:
        raise MissingFileError("there is no such record", where=str(path), fix="check the path") from None
    except OSError as error:
        raise UnreadableFileError(f"can't be read ({error.strerror})", where=str(path)) from None


def parse_record(content: bytes, path: Path) -> Record:
    """A record from its bytes.

    Raises:
        UnreadableFileError: It is no record; the message names the field.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(f"is no JSON: {error}", where=str(path), fix="take it from a backup") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UnreadableFileError(f"is no record of schema {SCHEMA}", where=str(path))
    try:
        return Record.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = field_path(first["loc"])
        raise UnreadableFileError(
            f"is no sound record: {place}: {first['msg'].lower()}", where=str(path), fix="take it from a backup"
        ) from None


def record_bytes(record: Record) -> bytes:
    """The record as its file has it: indented, one frame a line, the same bytes for the same record."""
    document = record.model_dump(mode="json", by_alias=True, exclude={"frames"})
    frames = [json.dumps(entry.model_dump(mode="json", exclude_defaults=True)) for entry in record.frames]
    head = json.dumps(document, indent=1).removesuffix("\n}")
    body = ",\n  ".join(frames)
    text = f'{head},\n "frames": [' + (f"\n  {body}\n ]" if frames else "]") + "\n}\n"
    return text.encode()


def write_record(record: Record, path: Path) -> bytes:
    """Writes a record whole or not at all.

    Returns:
        Its bytes.

    Raises:
        OutputError: It can't be written.
    """
    content = record_bytes(record)
    write_bytes(content, path)
    return content


def write_bytes(content: bytes, path: Path) -> None:
    """Writes a file whole or not at all.

    Raises:
        OutputError: It can't be written.
    """
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def stem_of(pattern: str) -> str:
    """What names of records of a pattern start with: ``sh010`` for ``sh010.%04d.exr``."""
    name = Path(pattern).name
    split = split_pattern(name)
    stem = split[0].head.rstrip("._- ") if split else Path(name).stem
    return stem or "frames"


def record_name(pattern: str, *, alone: bool = True) -> str:
    """The name of the record of the pictures of a pattern; it holds no frame numbers.

    Frames name their record, and a chunk of a render can't know which frames others will add to it.

    Args:
        pattern: Name of the files.
        alone: ``sh010.provenance.json`` for ``sh010.%04d.exr``, ``sh010.png.provenance.json`` for other files than EXR.
            Otherwise the record of other pictures has that name, and this one has four digits more that are made of
            the pattern.
    """
    suffix = Path(pattern).suffix.lower()
    name = stem_of(pattern) + ("" if suffix == ".exr" else suffix)
    return name + ("" if alone else f".{sha256(pattern.encode()).hexdigest()[:4]}") + SUFFIX


def find_records(folder: Path, stem: str = "") -> list[Path]:
    """The records of a folder, by name.

    Args:
        folder: Where.
        stem: Only those whose name starts with it.

    Raises:
        UnreadableFileError: The folder can't be read.
    """
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_file()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UnreadableFileError(f"the folder can't be read ({error.strerror})", where=str(folder)) from None
    return [folder / name for name in sorted(names) if name.endswith(SUFFIX) and name.startswith(stem)]


def record_of(folder: Path, pattern: str) -> tuple[Path, Record] | None:
    """The record of the pictures of a pattern; None when there is none.

    Args:
        folder: Where the pictures lie.
        pattern: Name of the files, as ``Sequence.pattern``.

    Raises:
        UnreadableFileError: A record whose name fits is damaged.
    """
    for path in find_records(folder, stem_of(pattern)):
        record = read_record(path)
        if record.sequence.pattern == pattern:
            return path, record
    return None


def signature_path(record: Path) -> Path:
    """Where the C2PA manifest over a record lies."""
    return record.with_name(record.name.removesuffix(".json") + ".c2pa")


def definition_path(record: Path) -> Path:
    """Where the manifest's definition lies when nobody could sign it."""
    return record.with_name(record.name.removesuffix(".json") + ".c2pa.json")


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Only one process at a time, on any machine whose file system locks, changes what ``name`` stands for.

    Raises:
        OutputError: The folder can't be written.
    """
    path = folder / f".understudy-{sha256(name.encode()).hexdigest()[:16]}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _acquired(path)
    except OSError as error:
        raise failure(path, error) from None
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # while it is held: who waits for it finds out and takes the new one
        os.close(handle)


def _acquired(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            with suppress(OSError):  # a file system without locks: as good as it gets
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def relative_name(path: Path, folder: Path) -> str:
    """A file's name as a record has it.

    Raises:
        OutputError: It does not lie in the record's folder.
    """
    if path.parent != folder:
        raise OutputError("lies outside the folder of its record", where=str(path))
    return path.name


def as_json(record: Record) -> dict[str, Any]:
    """The record as JSON types."""
    return json.loads(record_bytes(record))
