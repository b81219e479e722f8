# SPDX-License-Identifier: Apache-2.0
"""Remembers the hashes of pixels that were sent, so that they are named and not sent again."""

import threading
import weakref
from typing import Any

import numpy as np

from understudy.contracts.plate import FloatImage, Plate


class SentPlates:
    """Hashes by array, for arrays that nobody can write any more. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digests: dict[int, tuple[weakref.ref[FloatImage], bytes]] = {}

    def digest(self, plate: Plate) -> bytes | None:
        """The hash of a plate that was sent; None for another one."""
        with self._lock:
            array, digest = self._digests.get(id(plate.pixels), (None, b""))
        return digest if array is not None and array() is plate.pixels else None

    def remember(self, plate: Plate, digest: bytes) -> None:
        """Notes the hash of a plate that was sent."""
        key = id(plate.pixels)

        def forget(gone: "weakref.ref[FloatImage]") -> None:
            # Without the lock: this may run while it is held. Another array may have the number by now.
            if self._digests.get(key, (None, b""))[0] is gone:
                self._digests.pop(key, None)

        with self._lock:
            self._digests[key] = (weakref.ref(plate.pixels, forget), digest)


def is_frozen(pixels: FloatImage) -> bool:
    """Whether nobody can write an array: neither it nor the memory it is a view of."""
    array: Any = pixels
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base
    return array is None or isinstance(array, bytes)
