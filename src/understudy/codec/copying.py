# SPDX-License-Identifier: Apache-2.0
"""Copies pixels on several cores: one alone does not use what the memory can carry."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from understudy.codec.pixels import Samples
from understudy.contracts.cores import available_cores

_LARGE = 1 << 21
"""Samples from which a copy is split."""

_MOST_THREADS = 4
_lock = threading.Lock()
_pool: tuple[int, ThreadPoolExecutor] | None = None


def copy_samples(target: Samples, source: Samples) -> None:
    """Copies all samples.

    Args:
        target: One axis, writable.
        source: As many samples.
    """
    threads = min(_MOST_THREADS, available_cores())
    if threads == 1 or source.size < _LARGE:
        np.copyto(target, source)
        return
    edges = [source.size * part // threads for part in range(threads + 1)]
    parts = [slice(start, end) for start, end in pairwise(edges)]
    others = [_threads().submit(np.copyto, target[part], source[part]) for part in parts[1:]]
    np.copyto(target[parts[0]], source[parts[0]])
    for other in others:
        other.result()


def _threads() -> ThreadPoolExecutor:
    """Threads of this process: those of a parent do not live on in its fork."""
    global _pool
    with _lock:
        if _pool is None or _pool[0] != os.getpid():
            _pool = os.getpid(), ThreadPoolExecutor(_MOST_THREADS - 1, thread_name_prefix="understudy-copy")
        return _pool[1]
