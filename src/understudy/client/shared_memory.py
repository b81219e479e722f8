# SPDX-License-Identifier: Apache-2.0
"""Regions that a service on this host knows, taken and given back call by call."""

import os
import queue
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np

from understudy.client.region import FIRST_BYTE, Region, supported
from understudy.client.status import error_from_call
from understudy.codec.messages import Malformed
from understudy.codec.pixels import Samples
from understudy.wire.understudy.v1 import understudy_pb2 as pb

_ANSWER_S = 10.0
_LEAST = 1 << 20
_sessions: "weakref.WeakSet[SharedMemory]" = weakref.WeakSet()


class NotSharedError(Exception):
    """Memory can't be shared with the service, and why."""


def default_max_bytes() -> int:
    """A quarter of this machine's memory, at most 8 GB."""
    return min(8_000_000_000, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4)


class SharedMemory:
    """A session of ``ShareMemory`` and its pool of regions. Safe to use from several threads.

    A region is lent to one call, or to the arrays of one result, at a time. It comes back when the last view on them
    is gone.

    Args:
        open_call: Begins the call with an iterator of requests.
        max_bytes: Most bytes of regions; beyond it there is None to take.
    """

    def __init__(self, open_call: Callable[[Iterator[pb.ShareRequest]], Any], *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._timeout_s = _ANSWER_S
        self._free: list[Region] = []
        self._bytes = 0
        self._leaving: list[Region] = []
        self._lent: dict[int, tuple[weakref.ref[Samples], Region]] = {}
        self._users: dict[Region, int] = {}
        # Finalizers only append here: they may run in the middle of anything, this class included.
        self._returned: deque[Region] = deque()
        self._requests: queue.SimpleQueue[pb.ShareRequest | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[pb.ShareResponse | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._why = ""
        self._call = open_call(iter(self._requests.get, None))
        threading.Thread(target=self._listen, name="understudy-share", daemon=True).start()
        _sessions.add(self)

    @property
    def alive(self) -> bool:
        """Whether the service still knows the regions."""
        return not self._ended.is_set()

    def take(self, size: int, timeout_s: float) -> Region | None:
        """A region for one call, to be given back by `give`; None when the pool is full.

        Args:
            size: Bytes for pixels.
            timeout_s: Longest wait for the service.

        Raises:
            NotSharedError: The service refuses it or is gone.
        """
        with self._lock:
            self._timeout_s = min(_ANSWER_S, timeout_s)
            self._collect()
            fitting = [region for region in self._free if size <= region.capacity <= 2 * size + _LEAST]
            if fitting:
                region = min(fitting, key=lambda region: region.size)
                self._free.remove(region)
            else:
                wanted = _rounded(size)
                while self._free and self._bytes + wanted > self._max_bytes:
                    self._leave(self._free.pop(0))
                if self._bytes + wanted > self._max_bytes:
                    return None
                region = self._share(wanted)
            self._users[region] = 1
            return region

    def give(self, region: Region) -> None:
        """Gives back what `take` gave; arrays that were lent keep the region until they are gone."""
        self._returned.append(region)

    def lend(self, region: Region, offset: int, size: int) -> Samples:
        """A part of a region as an array that keeps the region until its last view is gone.

        Args:
            region: One that is taken.
            offset: Bytes from the region's start.
            size: Bytes.
        """
        samples = region.samples(offset, size)
        with self._lock:
            self._users[region] += 1
            self._lent[id(samples)] = (weakref.ref(samples), region)
        weakref.finalize(samples, self._returned.append, region).atexit = False
        return samples

    def new_array(self, size: int, timeout_s: float) -> Samples | None:
        """An array of its own region, which comes back when the last view is gone; None when the pool is full.

        Args:
            size: Bytes.
            timeout_s: Longest wait for the service.

        Raises:
            NotSharedError: The service refuses the region or is gone.
        """
        region = self.take(size, timeout_s)
        if region is None:
            return None
        try:
            return self.lend(region, FIRST_BYTE, size)
        finally:
            self.give(region)

    def place_of(self, pixels: "np.ndarray[Any, np.dtype[np.float32]]") -> tuple[Region, int] | None:
        """Region and offset of an array that was lent, or of a view on it; None for any other array."""
        root: Any = pixels
        while isinstance(root.base, np.ndarray):
            root = root.base
        with self._lock:
            found, region = self._lent.get(id(root), (None, None))
        if found is None or region is None or found() is not root or not region.reusable:
            return None
        return region, region.offset_of(pixels)

    def taint(self) -> None:
        """A child process sees all regions from now on: none that is in use may be written again."""
        for region in list(self._users):
            region.reusable = False

    def close(self) -> None:
        """Ends the session; arrays that were lent stay as they are."""
        self._ended.set()
        self._requests.put(None)
        self._call.cancel()

    def _share(self, size: int) -> Region:
        try:
            region = Region(size)
        except OSError as error:
            raise NotSharedError(f"this machine gives no memory to share: {error.strerror}") from error
        try:
            answer = self._ask(
                pb.ShareRequest(add=pb.Region(pid=os.getpid(), fd=region.fd, size=region.size, nonce=region.nonce))
            )
        finally:
            region.close_fd()
        if answer.WhichOneof("part") != "added":
            raise NotSharedError(answer.refused or "the service's answer can't be used")
        region.name = answer.added
        self._bytes += region.capacity
        return region

    def _leave(self, region: Region) -> None:
        """Has the service forget a region; one that a request still uses is left for later."""
        try:
            answer = self._ask(pb.ShareRequest(drop=region.name))
        except NotSharedError:
            return
        if answer.WhichOneof("part") == "refused":
            self._leaving.append(region)
        else:
            self._bytes -= region.capacity

    def _collect(self) -> None:
        leaving, self._leaving = self._leaving, []
        while self._returned:
            region = self._returned.popleft()
            self._users[region] -= 1
            if not self._users[region]:
                del self._users[region]
                (self._free if region.reusable else leaving).append(region)
        self._lent = {key: (array, region) for key, (array, region) in self._lent.items() if array() is not None}
        for region in leaving:
            self._leave(region)

    def _ask(self, request: pb.ShareRequest) -> pb.ShareResponse:
        if not self.alive:
            raise NotSharedError(self._why)
        self._requests.put(request)
        try:
            answer = self._answers.get(timeout=max(0.0, self._timeout_s))
        except queue.Empty:
            answer = None
        if answer is None:
            self.close()
            raise NotSharedError(self._why or "the service does not answer")
        return answer

    def _listen(self) -> None:
        try:
            for answer in self._call:
                if isinstance(answer, Malformed):
                    break
                self._answers.put(answer)
            self._why = "the service ended the session"
        except grpc.RpcError as error:
            error.__traceback__ = None  # the error is the call itself, which would hold this frame and all regions
            self._why = error_from_call(error, "", cancelled=False, timeout_s=0.0).problem
        finally:
            self._ended.set()
            self._answers.put(None)
            self._requests.put(None)


def _rounded(size: int) -> int:
    """Bytes for a new region: a little more than needed, so that the next frame, somewhat larger, fits too."""
    step = max(_LEAST, 1 << max(0, size.bit_length() - 4))
    return -(-size // step) * step


def _taint_all() -> None:
    for session in list(_sessions):
        session.taint()


if supported():
    os.register_at_fork(before=_taint_all)
