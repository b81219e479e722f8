# SPDX-License-Identifier: Apache-2.0
"""A service in a process of its own, and what the kernel says of it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PAGE = os.sysconf("SC_PAGE_SIZE")
_START_LIMIT_S = 120.0
_STOP_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What a process holds at one moment.

    Attributes:
        rss_bytes: Resident memory.
        descriptors: Open files and sockets.
        threads: Of the process.
        regions: Mappings of memory that other processes made (memfd, /dev/shm).
    """

    rss_bytes: int
    descriptors: int
    threads: int
    regions: int


class Served:
    """A running ``understudy serve``.

    Args:
        arguments: Further words of the command line.
        log: Where its standard error goes.
        environment: Over this process's own.

    Attributes:
        address: Where it listens.
        said: The line in which it told so.
    """

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        with log.open("ab") as stream:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "understudy", "serve", "--json", *arguments],
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                # What it keeps from run to run goes beside its log, not to the user's own.
                env={**os.environ, "XDG_CACHE_HOME": str(log.parent / "cache"), **(environment or {})},
            )
        self.log = log
        assert self._popen.stdout is not None
        timer = time.monotonic()
        line = self._popen.stdout.readline()
        if not line:
            self._popen.wait()
            raise RuntimeError(f"the service did not start: {log.read_text(encoding='utf-8')[-2000:]}")
        self.start_s = time.monotonic() - timer
        self.said: dict[str, Any] = json.loads(line)
        self.address = str(self.said["address"])

    @property
    def pid(self) -> int:
        """Of the service."""
        return self._popen.pid

    def alive(self) -> bool:
        """Whether it runs."""
        return self._popen.poll() is None

    def facts(self) -> Facts:
        """What it holds now."""
        return facts_of(self.pid)

    def gauges(self) -> dict[str, float]:
        """Its metrics without labels, by name; empty when it has no status address."""
        url = str(self.said.get("status", ""))
        if not url:
            return {}
        with urllib.request.urlopen(f"{url.rstrip('/')}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        words = [line.split() for line in lines if line and line[0] != "#" and "{" not in line]
        return {name: float(value) for name, value in words}

    def kill(self) -> None:
        """``kill -9``, and waits until it is gone."""
        self._popen.kill()
        self._popen.wait()

    def stop(self) -> int:
        """Asks it to stop as an operator does; its exit code."""
        if self.alive():
            self._popen.send_signal(signal.SIGTERM)
        try:
            return self._popen.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._popen.returncode

    def close(self) -> None:
        """Ends it, whatever it does."""
        if self.alive():
            self.kill()
        if self._popen.stdout is not None:
            self._popen.stdout.close()

    def log_lines(self) -> list[dict[str, Any]]:
        """Its log so far."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


@contextmanager
def serving(*arguments: str, log: Path, environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    """A service that is gone at the end."""
    served = Served(arguments, log, environment)
    try:
        yield served
    finally:
        served.close()


def leave_on_sigterm() -> None:
    """Has SIGTERM end this program as Ctrl-C does, so that what it started ends too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def facts_of(pid: int) -> Facts:
    """What a process of this user holds now, from ``/proc`` (proc(5))."""
    folder = Path("/proc") / str(pid)
    resident = int((folder / "statm").read_text().split()[1]) * _PAGE
    shared = [line for line in (folder / "maps").read_text().splitlines() if "memfd:" in line or "/dev/shm/" in line]
    return Facts(
        rss_bytes=resident,
        descriptors=len([*(folder / "fd").iterdir()]),
        threads=len([*(folder / "task").iterdir()]),
        regions=len(shared),
    )


def cpu_seconds(pid: int) -> float:
    """CPU time that a process used so far."""
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_at_rest(pid: int, limit_s: float = 20.0) -> None:
    """Waits until a process is idle and has let go of its clients' memory, or the time is over."""
    end = time.monotonic() + limit_s
    wait_idle(pid)
    while facts_of(pid).regions and time.monotonic() < end:
        time.sleep(0.1)


def wait_idle(pid: int, limit_s: float = 15.0) -> None:
    """Waits until a process uses next to no CPU for a quarter of a second."""
    end = time.monotonic() + limit_s
    before = cpu_seconds(pid)
    while time.monotonic() < end:
        time.sleep(0.25)
        now = cpu_seconds(pid)
        if now - before <= 0.01:
            return
        before = now
