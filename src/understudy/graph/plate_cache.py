# SPDX-License-Identifier: Apache-2.0
"""Plates on a local disk by key, within a budget: what was computed once need not be computed again.

One file an entry: a mark, a BLAKE3 of all that follows, a JSON header, the float32 samples as they are. Files appear
whole, are checked when they are read, and go least recently used first; what is damaged or gone is simply made again.
Safe from several threads and processes. Nothing ever fails because of it: a full or broken disk keeps nothing more.
"""

import json
import os
import shutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from understudy.contracts.errors import OutputError, UsageError
from understudy.contracts.plate import MetadataValue, Plate, Sanitized, Storage, Window
from understudy.frames.atomic import atomic, sweep
from understudy.graph.ledger import on_network_disk, user_cache

DEFAULT_BYTES = 20_000_000_000
DEFAULT_SHARE = 0.1
"""Unless somebody says otherwise the cache takes 20 GB, or a tenth of the free disk where that is less."""

_MARK = b"USPLATE1"
_DIGEST = 32
_LENGTH = 8
_ALIGN = 64
_SUFFIX = ".plate"
_RESERVE = 1_000_000_000
"""The cache never takes the last gigabyte of a disk."""
_SLACK = 20
"""What others may add unseen before the folder is looked through again: a twentieth of the budget."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is kept under one key.

    Attributes:
        plates: Plates by name.
        facts: JSON values that belong to them.
    """

    plates: Mapping[str, Plate]
    facts: Mapping[str, Any]

    @property
    def nbytes(self) -> int:
        """Bytes of pixels."""
        return sum(plate.nbytes for plate in self.plates.values())


class PlateCache:
    """Entries by key in one folder.

    Args:
        folder: Its folder, on a local disk; made when something is kept.
        budget: The most bytes it takes.
    """

    def __init__(self, folder: Path, budget: int) -> None:
        self.folder = folder
        self.budget = budget
        self._lock = threading.Lock()
        self._used: int | None = None
        self._added = 0
        self._mine: set[str] = set()
        sweep(folder)

    def get(self, key: str) -> Entry | None:
        """The entry of a key; None when there is none, or it is damaged (it is removed then)."""
        path = self._path(key)
        try:
            content = _read(path)
        except OSError:
            return None
        entry = _parsed(content)
        with suppress(OSError):
            if entry is None:
                path.unlink()
            else:
                os.utime(path)  # the time of change tells when it was used last
        with self._lock:
            self._mine.add(path.name)
        return entry

    def put(self, key: str, entry: Entry) -> bool:
        """Keeps an entry.

        Entries that this object kept or gave do not make room for it: of a job that is larger than the budget a part
        stays, where going round would leave nothing that the next render comes to first.

        Returns:
            Whether it is there now.
        """
        path = self._path(key)
        try:
            parts = _parts(entry)
        except (TypeError, ValueError):  # facts that are no JSON
            return False
        size = sum(len(part) for part in parts)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # pictures are nobody else's business
            if not self._has_room(size):
                return False
            with atomic(path, durable=False) as temporary, temporary.open("wb", buffering=0) as file:
                for part in parts:
                    _write(file, part)
        except (OSError, OutputError):
            return False
        with self._lock:
            self._mine.add(path.name)
            self._added += size
        return True

    def used(self) -> tuple[int, int]:
        """How many entries there are, and their bytes."""
        found = self._entries()
        return len(found), sum(size for _, size, _ in found)

    def clear(self) -> tuple[int, int]:
        """Removes every entry; how many there were, and their bytes."""
        count = size = 0
        for name, nbytes, _ in self._entries():
            with suppress(OSError):
                (self.folder / name).unlink()
                count, size = count + 1, size + nbytes
        return count, size

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"

    def _has_room(self, size: int) -> bool:
        """Makes room; False where it can't."""
        with self._lock:
            free = shutil.disk_usage(self.folder).free
            if self._used is None or self._added > self.budget // _SLACK:
                self._used, self._added = self.used()[1], 0
            over = max(self._used + self._added + size - self.budget, size + _RESERVE - free)
            if over <= 0:
                return True
            if size > self.budget:
                return False
            self._used, self._added = self._evicted(over + self.budget // _SLACK), 0
            free = shutil.disk_usage(self.folder).free
            return self._used + size <= self.budget and free - size >= _RESERVE

    def _evicted(self, wanted: int) -> int:
        """Removes what was not used for the longest time; the bytes that are left."""
        left = 0
        for name, size, _ in sorted(self._entries(), key=lambda entry: entry[2]):
            if wanted > 0 and name not in self._mine:
                with suppress(OSError):
                    (self.folder / name).unlink()
                    wanted -= size
                    continue
            left += size
        return left

    def _entries(self) -> list[tuple[str, int, int]]:
        """Name, bytes and time of last use of every entry."""
        found = []
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIX) and not entry.name.startswith("."):
                    with suppress(OSError):
                        status = entry.stat()
                        found.append((entry.name, status.st_size, status.st_mtime_ns))
        return found


def default_cache(budget_gb: float | None = None) -> PlateCache | None:
    """The user's cache; None where it is turned off or would lie on a network disk.

    It lies in ``$UNDERSTUDY_CACHE``, else in the user's cache folder.

    Args:
        budget_gb: The most it takes, 10^9 bytes; None asks ``$UNDERSTUDY_CACHE_GB``, else takes the default.

    Raises:
        UsageError: ``$UNDERSTUDY_CACHE_GB`` is no number.
    """
    given = os.environ.get("UNDERSTUDY_CACHE")
    folder = Path(given).expanduser() if given else user_cache() / "plates"
    if not given and on_network_disk(folder):
        return None
    said = os.environ.get("UNDERSTUDY_CACHE_GB", "").strip()
    if budget_gb is None and said:
        try:
            budget_gb = float(said)
        except ValueError:
            fix = "say gigabytes, such as 20; 0 turns the cache off"
            raise UsageError(f"{said!r} is not a number", where="UNDERSTUDY_CACHE_GB", fix=fix) from None
    if budget_gb is not None:
        return PlateCache(folder, int(budget_gb * 1e9)) if budget_gb > 0 else None
    cache = PlateCache(folder, DEFAULT_BYTES)
    with suppress(OSError):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        cache.budget = min(DEFAULT_BYTES, int(DEFAULT_SHARE * (shutil.disk_usage(there).free + cache.used()[1])))
    return cache


def plate_facts(plate: Plate) -> dict[str, Any]:
    """Everything of a plate but its pixels, as JSON values."""
    return {
        "shape": list(plate.pixels.shape),
        "channels": list(plate.channels),
        "sample_types": list(plate.sample_types),
        "data_window": asdict(plate.data_window),
        "display_window": asdict(plate.display_window),
        "pixel_aspect": plate.pixel_aspect,
        "frame": plate.frame,
        "colorspace": plate.colorspace,
        "premultiplied": plate.premultiplied,
        "metadata": dict(plate.metadata),
        "storage": asdict(plate.storage),
        "sanitized": asdict(plate.sanitized),
    }


def _plate(facts: dict[str, Any], pixels: "np.ndarray[Any, np.dtype[np.float32]]") -> Plate:
    metadata: dict[str, MetadataValue] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in facts["metadata"].items()
    }
    return Plate(
        pixels=pixels.reshape(facts["shape"]),
        channels=tuple(facts["channels"]),
        sample_types=tuple(facts["sample_types"]),
        data_window=Window(**facts["data_window"]),
        display_window=Window(**facts["display_window"]),
        pixel_aspect=facts["pixel_aspect"],
        frame=facts["frame"],
        colorspace=facts["colorspace"],
        premultiplied=facts["premultiplied"],
        metadata=metadata,
        storage=Storage(**facts["storage"]),
        sanitized=Sanitized(**facts["sanitized"]),
    )


def _parts(entry: Entry) -> list[memoryview]:
    """The file of an entry, part by part."""
    described = {"plates": {name: plate_facts(plate) for name, plate in entry.plates.items()}, "facts": entry.facts}
    header = json.dumps(described).encode()
    header += b" " * (-(len(_MARK) + _DIGEST + _LENGTH + len(header)) % _ALIGN)
    pixels = [plate.pixels.data.cast("B") for plate in entry.plates.values()]
    rest = [memoryview(len(header).to_bytes(_LENGTH, "little") + header), *pixels]
    hasher = blake3(max_threads=blake3.AUTO)
    for part in rest:
        hasher.update(part)
    return [memoryview(_MARK + hasher.digest()), *rest]


def _parsed(content: bytearray) -> Entry | None:
    """The entry in a file; None when it is not whole."""
    start = len(_MARK) + _DIGEST
    view = memoryview(content)
    if len(view) < start + _LENGTH or view[: len(_MARK)] != _MARK:
        return None
    if blake3(view[start:], max_threads=blake3.AUTO).digest() != view[len(_MARK) : start]:
        return None
    begin = start + _LENGTH
    at = begin + int.from_bytes(view[start:begin], "little")
    described = json.loads(bytes(view[begin:at]))
    plates = {}
    for name, facts in described["plates"].items():
        count = int(np.prod(facts["shape"]))
        plates[name] = _plate(facts, np.frombuffer(content, np.float32, count, at))
        at += 4 * count
    return Entry(plates=plates, facts=described["facts"])


def _read(path: Path) -> bytearray:
    with path.open("rb", buffering=0) as file:
        content = bytearray(os.fstat(file.fileno()).st_size)
        view, at = memoryview(content), 0
        while at < len(content) and (count := file.readinto(view[at:])):
            at += count
        return content


def _write(file: Any, part: memoryview) -> None:
    while len(part):
        part = part[file.write(part) :]
