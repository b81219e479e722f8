# SPDX-License-Identifier: Apache-2.0
"""A frame in bands of rows: shading is pointwise, so memory is bounded by the band and the bits do not depend on it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from understudy.contracts.cores import available_cores
from understudy.contracts.engine import Control
from understudy.contracts.plate import Window

_PIXELS = 1 << 16
_MOST_THREADS = 8

T = TypeVar("T")


def each_band(window: Window, work: Callable[[int, int], T], control: Control, *, rows: int = 0) -> list[T]:
    """Runs ``work(top, bottom)`` over a frame on a few threads, with progress and cancel per band.

    Args:
        window: The frame.
        work: Gets rows counted from the window's top; must touch only those.
        control: The caller's.
        rows: Rows of a band; 0 takes as many as fit a processor's cache.

    Returns:
        What ``work`` returned, in the order of the bands.

    Raises:
        JobCancelledError: The caller cancelled.
    """
    rows = rows or max(1, _PIXELS // window.width)
    edges = [(top, min(top + rows, window.height)) for top in range(0, window.height, rows)]

    def one(edge: tuple[int, int]) -> T:
        control.check()
        return work(*edge)

    results: list[T] = []
    with ThreadPoolExecutor(max_workers=min(_MOST_THREADS, available_cores())) as pool:
        for result in pool.map(one, edges):
            results.append(result)
            control.progress(len(results), len(edges))
    return results
