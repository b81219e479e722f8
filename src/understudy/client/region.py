# SPDX-License-Identifier: Apache-2.0
"""Memory of this process that a service on the same host may read and write: a sealed memfd."""

import fcntl
import mmap
import os
import secrets
import sys
from typing import Any

import numpy as np

from understudy.codec.pixels import Samples

NONCE_BYTES = 32
FIRST_BYTE = 4096
"""Where pixels begin; before it stands the nonce that proves to the service that both mean the same memory."""

ALIGNMENT = 64


def aligned(size: int) -> int:
    """Bytes up to the next place where pixels may begin."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def supported() -> bool:
    """Whether this platform has what sharing needs."""
    return (
        sys.platform == "linux"
        and sys.byteorder == "little"
        and hasattr(os, "memfd_create")
        and hasattr(fcntl, "F_ADD_SEALS")
    )


class Region:
    """A block of memory. Pages that are never touched take no room.

    Attributes:
        size: Bytes, the first `FIRST_BYTE` included.
        name: What the service calls it; empty before it is shared.
        reusable: May be used for another request; False once a service may still write to it, or another process of
            this program sees it.

    Args:
        size: Bytes for pixels.

    Raises:
        OSError: The system gives none.
    """

    def __init__(self, size: int) -> None:
        self.size = FIRST_BYTE + -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        self.name = ""
        self.reusable = True
        self.nonce = secrets.token_bytes(NONCE_BYTES)
        self._fd = os.memfd_create("understudy", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self._fd, self.size)
            # The service relies on it: memory that shrinks under it would kill it.
            fcntl.fcntl(self._fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
            self._map = mmap.mmap(self._fd, self.size)
        except BaseException:
            os.close(self._fd)
            raise
        self._map[:NONCE_BYTES] = self.nonce
        self._start = _address(np.frombuffer(self._map, np.uint8))

    @property
    def capacity(self) -> int:
        """Bytes for pixels."""
        return self.size - FIRST_BYTE

    @property
    def fd(self) -> int:
        """The descriptor, until `close_fd`."""
        return self._fd

    def close_fd(self) -> None:
        """The mapping keeps the memory; both ends need the descriptor no more."""
        os.close(self._fd)

    def samples(self, offset: int, size: int) -> Samples:
        """A part as samples: an array of its own, which every view on it keeps alive.

        Args:
            offset: Bytes from the region's start.
            size: Bytes.
        """
        return np.frombuffer(self._map, np.float32, size // 4, offset)

    def offset_of(self, array: "np.ndarray[Any, np.dtype[np.float32]]") -> int:
        """Bytes from the region's start at which an array in it begins."""
        return _address(array) - self._start


def _address(array: "np.ndarray[Any, Any]") -> int:
    return int(array.__array_interface__["data"][0])
