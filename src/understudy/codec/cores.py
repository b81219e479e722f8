# SPDX-License-Identifier: Apache-2.0
"""Work on many samples, spread over several cores: one alone does not use what the memory can carry."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from understudy.contracts.cores import available_cores

LARGE = 1 << 21
"""Samples from which spreading pays."""

_MOST_THREADS = 4
_T = TypeVar("_T")
_lock = threading.Lock()
_pool: tuple[int, ThreadPoolExecutor] | None = None


def spread(work: Callable[[slice], _T], size: int) -> list[_T]:
    """Does work on slices that make up ``size`` samples, at once where they are many.

    Args:
        work: Must let other threads run, as numpy's loops do.
        size: Samples in all.

    Returns:
        What ``work`` returned for each slice, in order.
    """
    threads = min(_MOST_THREADS, available_cores())
    if threads == 1 or size < LARGE:
        return [work(slice(0, size))]
    edges = [size * part // threads for part in range(threads + 1)]
    first, *others = (slice(start, end) for start, end in pairwise(edges))
    pending = [_threads().submit(work, part) for part in others]
    return [work(first), *(part.result() for part in pending)]


def copy_samples(target: npt.NDArray[np.float32], source: npt.NDArray[np.float32]) -> None:
    """Copies all samples.

    Args:
        target: One axis, writable.
        source: As many samples.
    """
    spread(lambda part: np.copyto(target[part], source[part]), source.size)


def _threads() -> ThreadPoolExecutor:
    """Threads of this process: those of a parent do not live on in its fork."""
    global _pool
    with _lock:
        if _pool is None or _pool[0] != os.getpid():
            _pool = os.getpid(), ThreadPoolExecutor(_MOST_THREADS - 1, thread_name_prefix="understudy-samples")
        return _pool[1]
