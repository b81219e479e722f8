# SPDX-License-Identifier: Apache-2.0
"""Memory that clients of this host share with the service, by names that only they know."""

import secrets
import threading
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from understudy.codec.pixels import Samples
from understudy.contracts.errors import PlateError, UnavailableError, UnknownPixelsError
from understudy.service.caller import Caller
from understudy.service.limits import Limits
from understudy.service.memfd import NotShareableError, map_shared
from understudy.wire.understudy.v1 import understudy_pb2 as pb

ALIGNMENT = 64
_UNKNOWN = "its pixels lie in memory that the service does not know"


class Session:
    """The regions of one client, as long as its ``ShareMemory`` call lasts.

    Args:
        caller: Whose it is.
    """

    def __init__(self, caller: Caller) -> None:
        self.caller = caller.name
        self.names: set[str] = set()


@dataclass(slots=True, eq=False)
class _Region:
    session: Session
    memory: npt.NDArray[np.uint8]
    users: int = 0


@dataclass(slots=True, eq=False)
class Span:
    """A part of a region that a request uses: the region can't be dropped until `release`.

    Attributes:
        region: Its name.
        offset: Bytes from the region's start.
        memory: The bytes, writable.
    """

    region: str
    offset: int
    memory: npt.NDArray[np.uint8]
    _owner: "Regions"
    _held: _Region
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: bool = False

    @property
    def samples(self) -> Samples:
        """The bytes as pixels, which nobody can write through this view."""
        samples = self.memory.view(np.float32)
        samples.setflags(write=False)
        return samples

    def release(self) -> None:
        """Lets go; further calls do nothing."""
        with self._lock:
            released, self._released = self._released, True
        if not released:
            self._owner.let_go(self._held)


class Regions:
    """All shared memory of a service. The mapping of a region dies with the last view on it, never before.

    Args:
        limits: How much to take on.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._sessions: set[Session] = set()
        self._regions: dict[str, _Region] = {}

    @property
    def count(self) -> int:
        """Regions that are shared now."""
        with self._lock:
            return len(self._regions)

    @property
    def sessions(self) -> int:
        """Clients that share memory now."""
        with self._lock:
            return len(self._sessions)

    def open(self, caller: Caller) -> Session:
        """Begins a session.

        Raises:
            UnavailableError: There are too many.
        """
        with self._lock:
            if len(self._sessions) >= self._limits.max_share_sessions:
                raise UnavailableError(
                    f"{len(self._sessions)} clients share memory already", fix="send the pixels instead"
                )
            session = Session(caller)
            self._sessions.add(session)
            return session

    def close(self, session: Session) -> None:
        """Ends a session: its regions are unknown from now on, and go when nothing uses them."""
        with self._lock:
            self._sessions.discard(session)
            for name in session.names:
                self._regions.pop(name, None)
            session.names.clear()

    def add(self, session: Session, region: pb.Region) -> str:
        """Takes on a region.

        Returns:
            Its name.

        Raises:
            NotShareableError: It can't be shared; the text is for the client.
        """
        with self._lock:
            self._require_room(session, region.size)
        memory = np.frombuffer(map_shared(region.pid, region.fd, region.size, region.nonce), np.uint8)
        name = secrets.token_hex(16)
        with self._lock:
            self._require_room(session, region.size)
            if session not in self._sessions:
                raise NotShareableError("the session has ended")
            self._regions[name] = _Region(session, memory)
            session.names.add(name)
        return name

    def drop(self, session: Session, name: str) -> None:
        """Forgets a region.

        Raises:
            NotShareableError: The session has no such region, or a request uses it.
        """
        with self._lock:
            if name not in session.names:
                raise NotShareableError("there is no such region")
            if self._regions[name].users:
                raise NotShareableError("a request uses the region")
            del self._regions[name]
            session.names.remove(name)

    def span(self, caller: Caller, name: str, offset: int, size: int) -> Span:
        """A part of a region, for a request of its owner.

        Args:
            caller: Who asks; another's region is as unknown as one that does not exist.
            name: The region.
            offset: Bytes from its start.
            size: Bytes.

        Raises:
            UnknownPixelsError: There is no such region of this caller.
            PlateError: The part is not within the region, or not aligned.
        """
        with self._lock:
            held = self._regions.get(name)
            if held is None or held.session.caller != caller.name:
                raise UnknownPixelsError(_UNKNOWN, fix="share the memory again, or send the pixels")
            if offset % ALIGNMENT or size % 4:
                raise PlateError(f"shared pixels at byte {offset}; a multiple of {ALIGNMENT} is needed")
            if offset < 0 or size < 0 or offset > held.memory.size or size > held.memory.size - offset:
                raise PlateError("shared pixels reach beyond their region")
            held.users += 1
            return Span(name, offset, held.memory[offset : offset + size], self, held)

    def let_go(self, held: _Region) -> None:
        """Counts a user of a region out."""
        with self._lock:
            held.users -= 1

    def _require_room(self, session: Session, size: int) -> None:
        mine = [held for held in self._regions.values() if held.session.caller == session.caller]
        limits = self._limits
        for regions, most, most_bytes in (
            (mine, limits.max_caller_regions, limits.max_caller_region_bytes),
            (self._regions.values(), limits.max_regions, limits.max_region_bytes),
        ):
            if len(regions) >= most:
                raise NotShareableError(f"{len(regions)} regions are shared already")
            if sum(held.memory.size for held in regions) + size > most_bytes:
                raise NotShareableError(f"more than {most_bytes / 1e9:.0f} GB would be shared")
