# SPDX-License-Identifier: Apache-2.0
"""System shared memory of clients (Triton's extension), attached the careful way.

A client of another user must not make us read or write what only we may, so a region is opened by a plain name in
``/dev/shm``, never through a link, and must be a file of this very user. It is mapped with bare ``mmap``: Python's own
``multiprocessing.shared_memory`` would unlink the client's region when the service ends. The mapping lives as long as
its last view, so a region may be unregistered while a request uses it.

Sizes are checked when a region is registered and before each use. What remains: a client that shrinks its region while
a request runs makes the service's access fault (SIGBUS), which ends it. Only a process of the service's own user can.
"""

import mmap
import os
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
from numpy.typing import NDArray

from understudy.service.caller import Caller
from understudy.service.oip.refusals import RefusedError
from understudy.service.oip.same_user import SameUser
from understudy.service.oip.settings import InferenceSettings

_FOLDER = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory lies on Linux (shm_overview(7))
_LONGEST_NAME = 255
_SWEEP_S = 15.0
_INVALID, _MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
_DENIED = grpc.StatusCode.PERMISSION_DENIED


@dataclass(slots=True, eq=False)
class Region:
    """A registered region.

    Attributes:
        name: As the client calls it.
        key: Its file in ``/dev/shm``.
        offset: Where it begins in the file, bytes.
        size: Bytes.
        memory: The mapped file.
        used: When it was used last, seconds.
        inode: Which file it is.
    """

    name: str
    key: str
    offset: int
    size: int
    memory: mmap.mmap
    used: float
    inode: int

    def require_size(self) -> None:
        """Refuses a region whose file was made smaller.

        Raises:
            RefusedError: It was.
        """
        if self.memory.size() < self.offset + self.size:
            raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, "the shared memory region was made smaller")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a region.

    Attributes:
        region: Whose part it is.
        data: Its bytes, writable.
    """

    region: Region
    data: NDArray[np.uint8]


class SharedMemory:
    """The regions of all callers; each sees and uses its own alone.

    Args:
        settings: What is allowed.
        clock: Seconds.
    """

    def __init__(self, settings: InferenceSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._same_user = SameUser()
        self._lock = threading.Lock()
        self._regions: dict[tuple[str, str], Region] = {}
        self._timer: threading.Timer | None = None
        self._closed = False

    @property
    def count(self) -> int:
        """Regions that are registered."""
        with self._lock:
            return len(self._regions)

    def listening(self, ports: tuple[int, ...]) -> None:
        """Says where the service listens, so that the users at the other ends are found fast."""
        self._same_user.ports = ports

    def owner(self, caller: Caller, peer: str, *, attaching: bool = False) -> str:
        """Whose regions a caller may use.

        Args:
            caller: Who calls.
            peer: Their address, as gRPC names it.
            attaching: They name an object of this machine, which their user must own, whatever their credentials.

        Raises:
            RefusedError: They call from another machine or as another user, or shared memory is switched off.
        """
        if not self._settings.shared_memory:
            raise RefusedError(grpc.StatusCode.UNIMPLEMENTED, "shared memory is switched off in this service")
        if not caller.local:
            raise RefusedError(
                _DENIED, "shared memory is for clients on the service's own machine; send tensors inline"
            )
        if (attaching or not caller.name) and not self._same_user(peer):
            raise RefusedError(_DENIED, "shared memory is for clients of the service's own user; send tensors inline")
        return caller.name

    def register(self, caller: str, name: str, key: str, offset: int, size: int) -> None:
        """Maps a client's region.

        Args:
            caller: Whose it is.
            name: The caller's name for it.
            key: Name of the shared memory object; one leading slash is dropped.
            offset: Where the region begins in it, bytes.
            size: Bytes of the region.

        Raises:
            RefusedError: The name is taken, the key is none that may be used, or there is no room.
        """
        if not 0 < len(name) <= _LONGEST_NAME:
            raise RefusedError(_INVALID, f"a region's name has 1 to {_LONGEST_NAME} characters")
        key = self._checked_key(key)
        if size <= 0 or offset < 0 or offset + size >= 1 << 62:
            raise RefusedError(_INVALID, "a region needs a size over 0")
        with self._lock:
            self._require_room(caller, name, offset + size)
        memory, inode = _attach(key, offset + size)
        region = Region(name, key, offset, size, memory, self._clock(), inode)
        with self._lock:
            self._require_room(caller, name, offset + size)
            self._regions[caller, name] = region
            self._sweep_later()

    def unregister(self, caller: str, name: str) -> None:
        """Forgets a region, or all of a caller; one that is not there is no error, as the extension has it."""
        with self._lock:
            for known in [key for key in self._regions if key[0] == caller and name in {"", key[1]}]:
                del self._regions[known]

    def status(self, caller: str, name: str) -> tuple[Region, ...]:
        """A caller's regions, or the one of that name.

        Raises:
            RefusedError: There is none of that name.
        """
        with self._lock:
            found = [
                region for (owner, known), region in self._regions.items() if owner == caller and name in {"", known}
            ]
        if name and not found:
            raise _no_region()
        return tuple(found)

    def span(self, caller: str, name: str, offset: int, size: int) -> Span:
        """A part of a caller's region.

        Raises:
            RefusedError: There is no such region of this caller, the part is not within it, or it was made smaller.
        """
        with self._lock:
            region = self._regions.get((caller, name))
            if region is None:
                raise _no_region()
            region.used = self._clock()
        if offset < 0 or size < 0 or size > region.size or offset > region.size - size:
            raise RefusedError(_INVALID, "the tensor reaches beyond its shared memory region")
        region.require_size()
        data = np.frombuffer(region.memory, np.uint8, size, region.offset + offset) if size else np.empty(0, np.uint8)
        return Span(region, data)

    def sweep(self) -> None:
        """Forgets regions that were idle for too long."""
        with self._lock:
            now = self._clock()
            for known, region in list(self._regions.items()):
                idle = now - region.used
                allowed = self._settings.region_idle_s
                if idle > self._settings.unlinked_region_idle_s and not _is_there(region):
                    allowed = self._settings.unlinked_region_idle_s
                if idle > allowed:
                    del self._regions[known]

    def close(self) -> None:
        """Forgets all regions."""
        with self._lock:
            self._closed = True
            self._regions.clear()
            if self._timer is not None:
                self._timer.cancel()

    def _checked_key(self, key: str) -> str:
        key = key.removeprefix("/")
        if not 0 < len(os.fsencode(key)) <= _LONGEST_NAME or key in {".", ".."} or "/" in key or "\0" in key:
            raise RefusedError(
                _INVALID, "the key names no shared memory object: give its name, without a further slash"
            )
        if not key.startswith(self._settings.shared_memory_prefix):
            wanted = f'keys of shared memory must begin with "{self._settings.shared_memory_prefix}" here'
            raise RefusedError(_DENIED, wanted)
        return key

    def _require_room(self, caller: str, name: str, size: int) -> None:
        if self._closed:
            raise RefusedError(grpc.StatusCode.UNAVAILABLE, "the service is stopping")
        if (caller, name) in self._regions:
            raise RefusedError(
                grpc.StatusCode.ALREADY_EXISTS, "a region of that name is registered; unregister it first"
            )
        exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
        mine = sum(owner == caller for owner, _ in self._regions)
        if mine >= self._settings.max_regions:
            raise RefusedError(exhausted, f"{mine} regions are registered; register one and slice it by offsets")
        held = sum(region.offset + region.size for region in self._regions.values())
        if held + size > self._settings.max_region_bytes:
            most = self._settings.max_region_bytes / 1e6
            raise RefusedError(exhausted, f"all regions together may take {most:.0f} MB; unregister some")

    def _sweep_later(self) -> None:
        if self._timer is not None or self._closed:
            return
        self._timer = threading.Timer(_SWEEP_S, self._sweep_now)
        self._timer.daemon = True
        self._timer.start()

    def _sweep_now(self) -> None:
        self.sweep()
        with self._lock:
            self._timer = None
            if self._regions:
                self._sweep_later()


def _attach(key: str, size: int) -> tuple[mmap.mmap, int]:
    """Maps the first ``size`` bytes of a shared memory object of this user."""
    if not _FOLDER.is_dir():
        raise RefusedError(grpc.StatusCode.UNIMPLEMENTED, "this service's machine has no system shared memory")
    # One sentence for whatever is wrong, so that nobody learns which names of others exist.
    refused = RefusedError(_INVALID, "there is no shared memory object of that key that this service may use")
    try:
        handle = os.open(_FOLDER / key, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        raise refused from None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            raise refused
        if facts.st_size < size:
            raise RefusedError(_INVALID, f"the shared memory object has {facts.st_size} bytes, fewer than its region")
        return mmap.mmap(handle, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE), facts.st_ino
    except OSError:
        raise RefusedError(grpc.StatusCode.RESOURCE_EXHAUSTED, "the region can't be mapped") from None
    finally:
        os.close(handle)


def _is_there(region: Region) -> bool:
    try:
        return (_FOLDER / region.key).lstat().st_ino == region.inode
    except OSError:
        return False


def _no_region() -> RefusedError:
    return RefusedError(_MISSING, "no shared memory region of that name is registered; register it first")
