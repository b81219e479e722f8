# SPDX-License-Identifier: Apache-2.0
"""``OfxMemorySuiteV1`` (``ofxMemory.h``), and the memory behind the image effect suite's."""

import ctypes
import threading
from ctypes import c_size_t, c_void_p

from understudy.ofx_host.abi import Refused, Slot, Status, write_pointer
from understudy.ofx_host.handles import HANDLES

_libc = ctypes.CDLL(None)
_libc.malloc.argtypes, _libc.malloc.restype = [c_size_t], c_void_p
_libc.free.argtypes, _libc.free.restype = [c_void_p], None

_blocks: dict[int, int] = {}
_lock = threading.Lock()


class ImageBlock:
    """Memory for an image of the plug-in's own.

    Args:
        address: Of the memory; it never moves, so locks need not be counted.

    Attributes:
        address: As given.
        handle: The plug-in's (``OfxImageMemoryHandle``).
    """

    def __init__(self, address: int) -> None:
        self.address = address
        self.handle = HANDLES.add(self)


def allocate(count: int) -> int:
    """Memory of a number of bytes, aligned to 16.

    Raises:
        Refused: There is not enough.
    """
    address = _libc.malloc(max(count, 1))
    if not address:
        raise Refused(Status.MEMORY)
    with _lock:
        _blocks[address] = count
    return int(address)


def release(address: int | None) -> None:
    """Frees it.

    Raises:
        Refused: It is not `allocate`'s, or free already.
    """
    with _lock:
        if _blocks.pop(address or 0, None) is None:
            raise Refused(Status.BAD_HANDLE)
    _libc.free(address)


def bytes_held() -> int:
    """What plug-ins have allocated and not freed, bytes."""
    with _lock:
        return sum(_blocks.values())


def _alloc(_effect: int | None, count: int, address: int | None) -> None:
    write_pointer(address, allocate(count))


def _free(address: int | None) -> None:
    release(address)


SLOTS = [
    Slot("memoryAlloc", (c_void_p, c_size_t, c_void_p), _alloc),
    Slot("memoryFree", (c_void_p,), _free),
]
