# SPDX-License-Identifier: Apache-2.0
"""Large blocks are kept where glibc can be told to, and nothing happens elsewhere."""

import ctypes
import platform
import subprocess
import sys

import pytest

from understudy.service import allocator

FAULTS = """
import resource, sys, threading
import numpy as np
from understudy.service.allocator import allocator, keep_memory

if sys.argv[1] == "keep":
    keep_memory()

def touch() -> None:
    for _ in range(4):
        np.empty(20_000_000, np.float32)[::1024] = 1

def count() -> int:
    touch()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    touch()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

found = []
thread = threading.Thread(target=lambda: found.append(count()))
thread.start()
thread.join()
print(allocator(), count() + found[0], sep=";")
"""


def child(how: str) -> tuple[str, int]:
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    state, faults = done.stdout.strip().split(";")
    return state, int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_blocks_that_were_touched_once_are_not_cleared_again_in_any_thread() -> None:
    plain, kept = child("leave"), child("keep")
    assert plain[0] == "default"
    assert kept[0] == "keeps large blocks"
    assert kept[1] < 50
    assert plain[1] > 200


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", None)
    monkeypatch.setattr(allocator, "_state", "default")  # another test in this process may have told glibc
    allocator.keep_memory()
    assert allocator.allocator() == "default"
