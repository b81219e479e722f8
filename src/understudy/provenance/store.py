# SPDX-License-Identifier: Apache-2.0
"""One record on disk while renders add to it: under a lock, merged with what others wrote, its hash list beside it."""

from collections.abc import Iterable
from pathlib import Path

from understudy.contracts.paths import ANY_FILE, FileRules
from understudy.graph.steps.step import Frame
from understudy.provenance.journal import remove_journals
from understudy.provenance.merge import merged, settled
from understudy.provenance.mhl import CHAIN, FOLDER, Listed, c4_id, is_foreign, write_list
from understudy.provenance.record import FrameEntry, Record
from understudy.provenance.record_file import (
    definition_path,
    find_records,
    locked,
    read_bytes,
    read_record,
    record_name,
    record_of,
    signature_path,
    write_record,
)

LOCK = "records"
"""What the lock of a folder's records and hash list is named for."""


class RecordStore:
    """The record of the pictures of one pattern.

    Args:
        pattern: Path of the pictures, ``%04d`` for the frame number.
        files: Which files may be touched.
    """

    def __init__(self, pattern: Path, files: FileRules = ANY_FILE) -> None:
        self._folder = pattern.parent
        self._pattern = pattern.name
        self._files = files
        self._known: dict[int | None, FrameEntry] = {}
        self.path = self._folder / pattern.name
        self.id = ""

    def begin(self, record: Record) -> bool:
        """Puts a render under way on record, so that others find its id.

        Returns:
            Whether a signature was removed: it would not hold for what is rendered now.

        Raises:
            UnderstudyError: A record can't be written, or the one that is there can't be read.
        """
        with locked(self._folder, LOCK):
            before = record_of(self._folder, self._pattern)
            whole = merged(before[1], record) if before else settled(record)
            self._known = whole.by_frame
            self._replace(before, whole)
            return before is not None and before[1].signed

    def known(self, frame: Frame) -> FrameEntry | None:
        """The entry of a frame when the render began."""
        return self._known.get(frame)

    def add(self, record: Record, ended: Iterable[str]) -> Record | None:
        """Merges frames into the record.

        Args:
            record: What to add.
            ended: Renders that are no longer under way.

        Returns:
            The record; None when nothing is left to record.
        """
        with locked(self._folder, LOCK):
            return self._add(record, set(ended))

    def finish(self, record: Record, token: str) -> bool:
        """Merges the last frames, and writes the hash list of the folder.

        Returns:
            Whether the list was written, where there is something to list.
        """
        with locked(self._folder, LOCK):
            left = self._add(record, {token})
            remove_journals(self._folder, self._pattern, left.pending if left else ())
            return write_folder_list(self._folder, self._files) or left is None

    def _add(self, record: Record, ended: set[str]) -> Record | None:
        before = record_of(self._folder, self._pattern)
        if before:
            path, old = before
            pending = {token: frames for token, frames in old.pending.items() if token not in ended}
            before = path, old.model_copy(update={"pending": pending})
        whole = merged(before[1], record) if before else settled(record)
        if not whole.frames and not whole.pending:
            if before:
                before[0].unlink(missing_ok=True)
            return None
        self._replace(before, whole)
        return whole

    def _replace(self, before: tuple[Path, Record] | None, record: Record) -> None:
        path = self._folder / self._name(before)
        self._files.require(path, "write")
        write_record(record, path)
        if before:
            signature_path(before[0]).unlink(missing_ok=True)
            definition_path(before[0]).unlink(missing_ok=True)
            if before[0] != path:
                before[0].unlink(missing_ok=True)
        self.path, self.id = path, record.id

    def _name(self, before: tuple[Path, Record] | None) -> str:
        """The record's name; the one that it has, where frames name it."""
        names = record_name(self._pattern), record_name(self._pattern, alone=False)
        if before and before[0].name in names:
            return before[0].name
        path = self._folder / names[0]
        return names[path.exists() and read_record(path).sequence.pattern != self._pattern]


def write_folder_list(folder: Path, files: FileRules = ANY_FILE) -> bool:
    """Writes the hash list of a folder from its records, without looking at a picture again.

    Returns:
        False when there is no record, or a list of another program that must not be lost.

    Raises:
        UnderstudyError: A record can't be read, or the list can't be written.
    """
    for name in (FOLDER, f"{FOLDER}/{CHAIN}"):
        files.require(folder / name, "write")
    listed: list[Listed] = []
    for path in find_records(folder):
        record = read_record(path)
        listed += [Listed(file.file, file.size, "xxh128", file.xxh128) for file in record.files]
        listed += [_small(one) for one in (path, signature_path(path), definition_path(path)) if one.is_file()]
    if not listed or is_foreign(folder):
        return False
    write_list(folder, listed)
    return True


def _small(path: Path) -> Listed:
    content = read_bytes(path)
    return Listed(path.name, len(content), "c4", c4_id(content))
