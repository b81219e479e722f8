# SPDX-License-Identifier: Apache-2.0
"""How long requests take: learned from the runs of this machine, a rule of thumb before the first one.

Runs are kept by pack, device and variant (`understudy.contracts.workload`), the last 32 of each. Seconds are taken to
be a constant plus a share per megapixel, fitted by the medians of Theil and Sen, so that a few odd runs (the first one
loads the model, another waited for a disk) hardly move it.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from statistics import median, quantiles
from typing import Any, NamedTuple

from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import Role
from understudy.contracts.workload import Workload

_RUNS_KEPT = 32
_KEYS_KEPT = 512
_ENOUGH = 4  # runs for quartiles and for a line
_SPREAD = 1.25  # how different sizes must be for a line to mean anything
_TRUSTED = 3  # runs of one kind before anybody is turned away because of them
_BEYOND = 4.0  # how far outside of the sizes that were seen an estimate is still trusted

_RULE_S: dict[Role, float] = {Role.MOTION: 4.0, Role.INTERPOLATE: 5.0, Role.UPSCALE: 0.5, Role.RELIGHT: 0.4}
"""Seconds per megapixel of the bundled packs on two cores, in order of magnitude."""
_RULE_START_S = 0.05


class Key(NamedTuple):
    """Which runs are alike."""

    role: str
    id: str
    version: str
    sha256: str
    device: str
    variant: str


class Run(NamedTuple):
    """One run."""

    megapixels: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a request is expected to take.

    Attributes:
        seconds: On a worker.
        low: A quarter of the runs took less.
        high: A quarter took more.
        runs: Measured runs it rests on.
        device: Where these were; empty for none.
        trusted: Enough runs of just this kind and of about this size to turn somebody away because of them.
    """

    seconds: float
    low: float
    high: float
    runs: int = 0
    device: str = ""
    trusted: bool = False


class Costs:
    """Measured runs. Safe from several threads.

    Args:
        changed: Called after each run that was added.
    """

    def __init__(self, changed: Callable[[], object] = lambda: None) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._runs: OrderedDict[Key, deque[Run]] = OrderedDict()
        self.changes = 0
        """How many runs were added; tells whether there is something to save."""

    def observe(self, workload: Workload, pack: PackPin, device: str, seconds: float) -> None:
        """Remembers a run.

        Args:
            workload: What was asked.
            pack: The pack that played, fully pinned.
            device: Where.
            seconds: How long it took on its worker.
        """
        key = Key(workload.role.value, pack.id, pack.version, pack.sha256, device, workload.variant)
        with self._lock:
            self._add(key, [Run(workload.megapixels, seconds)])
            self.changes += 1
        self._changed()

    def cost(self, workload: Workload) -> Cost:
        """What a request is expected to take: from runs of its kind, else of its pack, else by a rule of thumb."""
        pin, role = workload.pack, workload.role.value
        with self._lock:
            alike = [
                key
                for key in self._runs  # latest last
                if (key.role, key.id) == (role, pin.id)
                and pin.version in ("", key.version)
                and key.sha256.startswith(pin.sha256)
            ]
            exact = [key for key in alike if key.variant == workload.variant][-1:]
            # Versions and devices do not mix: the latest run tells which ones are in use.
            latest = (exact or alike)[-1:]
            pool = exact or [key for key in alike if key[:5] == latest[0][:5]]
            runs = [run for key in pool for run in self._runs[key]]
        if not runs:
            seconds = _RULE_START_S + _RULE_S[workload.role] * workload.megapixels
            return Cost(seconds=seconds, low=seconds / 4, high=seconds * 4)
        start, slope = _line(runs)
        seconds = start + slope * workload.megapixels
        low, high = 0.5, 2.0
        if len(runs) >= _ENOUGH:
            ratios = [run.seconds / max(start + slope * run.megapixels, 1e-9) for run in runs]
            low, _, high = quantiles(ratios, n=4, method="inclusive")
        return Cost(
            seconds=seconds,
            low=seconds * min(low, 1.0),
            high=seconds * max(high, 1.0),
            runs=len(runs),
            device=latest[0].device,
            trusted=bool(exact) and len(runs) >= _TRUSTED and _within(workload.megapixels, runs),
        )

    def dump(self) -> list[dict[str, Any]]:
        """All runs as JSON types."""
        with self._lock:
            return [{**key._asdict(), "runs": [list(run) for run in runs]} for key, runs in self._runs.items()]

    def load(self, entries: Iterable[Any]) -> None:
        """Takes what `dump` gave.

        Raises:
            ValueError, TypeError, KeyError: It is something else; nothing was taken.
        """
        read: list[tuple[Key, list[Run]]] = []
        for entry in entries:
            key = Key(*(entry[name] for name in Key._fields))
            runs = [Run(float(megapixels), float(seconds)) for megapixels, seconds in entry["runs"]]
            if not all(isinstance(part, str) for part in key):
                raise ValueError("a name is no text")
            if not all(0 <= number < 1e9 for run in runs for number in run):
                raise ValueError("a run is out of any range")
            read.append((key, runs))
        with self._lock:
            for key, runs in read:
                self._add(key, runs)

    def _add(self, key: Key, runs: Iterable[Run]) -> None:
        self._runs.setdefault(key, deque(maxlen=_RUNS_KEPT)).extend(runs)
        self._runs.move_to_end(key)
        if len(self._runs) > _KEYS_KEPT:
            self._runs.popitem(last=False)


def _within(megapixels: float, runs: list[Run]) -> bool:
    sizes = [run.megapixels for run in runs]
    return min(sizes) / _BEYOND <= megapixels <= max(sizes) * _BEYOND


def _line(runs: list[Run]) -> tuple[float, float]:
    """Seconds at no pixels, and per megapixel."""
    sizes = [run.megapixels for run in runs]
    rate = median(run.seconds / max(run.megapixels, 1e-6) for run in runs)
    if len(runs) < _ENOUGH or max(sizes) <= _SPREAD * min(sizes):
        return 0.0, rate
    slopes = [(b.seconds - a.seconds) / (b.megapixels - a.megapixels) for a, b in combinations(runs, 2) if a[0] != b[0]]
    slope = median(slopes)
    if slope <= 0:
        return 0.0, rate
    return max(0.0, median(run.seconds - slope * run.megapixels for run in runs)), slope
