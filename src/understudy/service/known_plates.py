# SPDX-License-Identifier: Apache-2.0
"""Pixels that callers sent before, by their BLAKE3, so that they need not be sent again."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from understudy.codec.pixels import Samples

Key = tuple[str, bytes]


@dataclass(slots=True, eq=False)
class _Entry:
    samples: Samples
    finite: bool
    users: int = 0


@dataclass(slots=True, eq=False)
class Known:
    """Pixels of a known plate in use by a request: they stay known until `release`.

    Attributes:
        samples: The pixels.
        finite: They were found to be finite.
    """

    samples: Samples
    finite: bool
    _owner: "KnownPlates"
    _entry: _Entry

    def release(self) -> None:
        """Lets go; once."""
        self._owner.let_go(self._entry)


class KnownPlates:
    """A budget of bytes in which the plates used last are kept. A caller finds only what it sent itself.

    Args:
        max_bytes: The budget; plates in use count, and are never put out.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes of pixels that are kept."""
        with self._lock:
            return self._bytes

    def find(self, caller: str, digest: bytes, size: int) -> Known | None:
        """Pixels that a caller sent before, or None.

        Args:
            caller: Who asks.
            digest: Their BLAKE3.
            size: Their bytes.
        """
        with self._lock:
            entry = self._entries.get((caller, digest))
            if entry is None or entry.samples.nbytes != size:
                return None
            self._entries.move_to_end((caller, digest))
            return self._use(entry)

    def keep(self, caller: str, digest: bytes, samples: Samples, *, finite: bool) -> Known | None:
        """Keeps pixels, whose bytes then count here and no longer for the request that brought them.

        Args:
            caller: Who sent them.
            digest: Their BLAKE3, computed here.
            samples: The pixels; nobody writes them any more.
            finite: They were found to be finite.

        Returns:
            None when they are kept already, or there is no room beside the plates in use.
        """
        key = (caller, digest)
        with self._lock:
            if key in self._entries or not self._make_room(samples.nbytes):
                return None
            entry = self._entries[key] = _Entry(samples, finite)
            self._bytes += samples.nbytes
            return self._use(entry)

    def let_go(self, entry: _Entry) -> None:
        """Counts a user of an entry out."""
        with self._lock:
            entry.users -= 1

    def _use(self, entry: _Entry) -> Known:
        entry.users += 1
        return Known(entry.samples, entry.finite, self, entry)

    def _make_room(self, size: int) -> bool:
        idle = [(key, entry) for key, entry in self._entries.items() if not entry.users]
        if self._bytes - sum(entry.samples.nbytes for _, entry in idle) + size > self._max_bytes:
            return False
        for key, entry in idle:
            if self._bytes + size <= self._max_bytes:
                break
            del self._entries[key]
            self._bytes -= entry.samples.nbytes
        return True
