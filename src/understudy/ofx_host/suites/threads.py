# SPDX-License-Identifier: Apache-2.0
"""``OfxMultiThreadSuiteV1`` (``ofxMultiThread.h``)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_int, c_uint, c_void_p

from understudy.contracts.cores import available_cores
from understudy.ofx_host.abi import Refused, Slot, Status, ThreadFunction, write_int, write_pointer
from understudy.ofx_host.capabilities import Capabilities
from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.scope import adopted, current_scope

_thread = threading.local()


class Mutex:
    """A lock that its thread may take again; any thread may give it back.

    Attributes:
        handle: The plug-in's (``OfxMutexHandle``).
    """

    def __init__(self, count: int) -> None:
        self._condition = threading.Condition()
        self._owner = threading.get_ident()
        self._count = max(count, 0)
        self.handle = HANDLES.add(self)

    def lock(self, *, wait: bool) -> bool:
        """Takes it; False if it is another thread's and this one does not wait."""
        mine = threading.get_ident()
        with self._condition:
            while self._count and self._owner != mine:
                if not wait:
                    return False
                self._condition.wait()
            self._owner = mine
            self._count += 1
            return True

    def unlock(self) -> None:
        """Gives it back once; nothing if nobody has it."""
        with self._condition:
            self._count = max(self._count - 1, 0)
            if not self._count:
                self._condition.notify()


def _cpus() -> int:
    scope = current_scope()
    host = getattr(scope.owner, "host", None) if scope is not None else None
    return host.thread_count if isinstance(host, Capabilities) else available_cores()


def _multi_thread(function: int | None, wanted: int, argument: int | None) -> None:
    if not function:
        raise Refused(Status.VALUE)
    if getattr(_thread, "index", None) is not None:
        raise Refused(Status.EXISTS)
    count = max(1, min(wanted, _cpus()))
    scope = current_scope()
    call = ThreadFunction(function)

    def run(index: int) -> None:
        _thread.index = index
        try:
            with adopted(scope):
                call(index, count, argument)
        finally:
            _thread.index = None

    with ThreadPoolExecutor(count, "ofx") as pool:
        for done in [pool.submit(run, index) for index in range(count)]:
            done.result()


def _num_cpus(address: int | None) -> None:
    write_int(address, _cpus())


def _index(address: int | None) -> None:
    write_int(address, getattr(_thread, "index", None) or 0)


def _is_spawned() -> int:
    return int(getattr(_thread, "index", None) is not None)


def _create(address: int | None, count: int) -> None:
    write_pointer(address, Mutex(count).handle)


def _destroy(handle: int | None) -> None:
    HANDLES.drop(HANDLES.get(handle, Mutex).handle)


def _lock(handle: int | None) -> None:
    HANDLES.get(handle, Mutex).lock(wait=True)


def _unlock(handle: int | None) -> None:
    HANDLES.get(handle, Mutex).unlock()


def _try_lock(handle: int | None) -> None:
    if not HANDLES.get(handle, Mutex).lock(wait=False):
        raise Refused(Status.FAILED)


SLOTS = [
    Slot("multiThread", (c_void_p, c_uint, c_void_p), _multi_thread),
    Slot("multiThreadNumCPUs", (c_void_p,), _num_cpus),
    Slot("multiThreadIndex", (c_void_p,), _index),
    Slot("multiThreadIsSpawnedThread", (), _is_spawned, guarded=False),
    Slot("mutexCreate", (c_void_p, c_int), _create),
    Slot("mutexDestroy", (c_void_p,), _destroy),
    Slot("mutexLock", (c_void_p,), _lock),
    Slot("mutexUnLock", (c_void_p,), _unlock),
    Slot("mutexTryLock", (c_void_p,), _try_lock),
]
