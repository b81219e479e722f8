# SPDX-License-Identifier: Apache-2.0
"""How long work takes: learned from the runs of this machine, a rule of thumb before the first one.

Runs are kept by machine, pack, device and variant (`understudy.contracts.workload`), the last 32 of each. Seconds are
taken to be a constant plus a share per megapixel, fitted by the medians of Theil and Sen, so that a few odd runs (the
first one loads the model, another waited for a disk) hardly move it. Where there were runs of about the asked size, the
line is moved to their median: no work is quite a line, from a thumbnail to 8K.
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
_KEYS_KEPT = 1024
_ENOUGH = 4  # runs for a share of them and for a line
_SPREAD = 1.25  # how different sizes must be for a line to mean anything
_TRUSTED = 3  # runs of one kind before anybody is turned away because of them
_BEYOND = 4.0  # how far outside of the sizes that were seen an estimate is still trusted
_NEAR = 1.5  # sizes within this factor are about the same
_NEAR_RUNS = 2

_RULES: dict[str, float] = {
    Role.MOTION: 4.0,
    Role.INTERPOLATE: 5.0,
    Role.UPSCALE: 1.5,
    Role.RELIGHT: 1.0,
    "read": 0.02,
    "write": 0.06,
    "step": 0.01,
}
"""Seconds per megapixel of the bundled packs on two cores, in order of magnitude; of the rest per million samples."""
_RULE_START_S = 0.05


class Key(NamedTuple):
    """Which runs are alike.

    Attributes:
        kind: A role; or ``read``, ``write``, ``step`` and the like.
        id: The pack; of the others what was worked on.
        version: Of the pack.
        sha256: Of the pack.
        device: Where the model ran.
        variant: What else changes the cost.
        machine: On what.
    """

    kind: str
    id: str
    version: str
    sha256: str
    device: str
    variant: str
    machine: str


class Run(NamedTuple):
    """One run."""

    megapixels: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What work is expected to take.

    Attributes:
        seconds: On a worker.
        low: Of the runs, as many took less as the asked share leaves on this side: a quarter, where half are between.
        high: As many took more.
        runs: Measured runs it rests on.
        device: Where these were; empty for none.
        exact: They were of just this kind.
        trusted: Enough runs of just this kind and of about this size to turn somebody away because of them.
    """

    seconds: float
    low: float
    high: float
    runs: int = 0
    device: str = ""
    exact: bool = False
    trusted: bool = False


class Costs:
    """Measured runs of this machine. Safe from several threads.

    Args:
        changed: Called after each run that was added.
        machine: Names it, and how much of it may be used: runs of others do not count.
    """

    def __init__(self, changed: Callable[[], object] = lambda: None, *, machine: str = "") -> None:
        self.machine = machine
        self._changed = changed
        self._lock = threading.Lock()
        self._runs: OrderedDict[Key, deque[Run]] = OrderedDict()
        self._new: list[tuple[Key, Run]] = []

    @property
    def changes(self) -> int:
        """How many runs were added since they were last taken; tells whether there is something to save."""
        return len(self._new)

    def observe(self, workload: Workload, pack: PackPin, device: str, seconds: float) -> None:
        """Remembers a run of a role.

        Args:
            workload: What was asked.
            pack: The pack that played, fully pinned.
            device: Where.
            seconds: How long it took on its worker.
        """
        role, variant = workload.role.value, workload.variant
        key = Key(role, pack.id, pack.version, pack.sha256, device, variant, self.machine)
        self._observe(key, Run(workload.megapixels, seconds))

    def observe_other(self, kind: str, what: str, size: float, amount: float) -> None:
        """Remembers other work: a file that was read, or how large one became.

        Args:
            kind: Such as ``read``.
            what: Alike work has the same text.
            size: What the cost grows with, such as millions of samples.
            amount: What it took: seconds mostly.
        """
        self._observe(Key(kind, what, "", "", "", "", self.machine), Run(size, amount))

    def cost(self, workload: Workload, *, device: str = "", share: float = 0.5) -> Cost:
        """What a request is expected to take: from runs of its kind, else of its pack, else by a rule of thumb.

        Args:
            workload: What is asked.
            device: Where it runs: the beginning of the device's name; empty for wherever the latest run was.
            share: Of the runs that lie between ``low`` and ``high``, 0-1.
        """
        pin, role = workload.pack, workload.role.value
        with self._lock:
            alike = [
                key
                for key in self._runs  # latest last
                if (key.kind, key.id, key.machine) == (role, pin.id, self.machine)
                and pin.version in ("", key.version)
                and key.sha256.startswith(pin.sha256)
                and key.device.startswith(device)
            ]
            exact = [key for key in alike if key.variant == workload.variant][-1:]
            # Versions and devices do not mix: the latest run tells which ones are in use.
            latest = (exact or alike)[-1:]
            pool = exact or [key for key in alike if key[:5] == latest[0][:5]]
            runs = [run for key in pool for run in self._runs[key]]
        if not runs:
            return _rule(role, workload.megapixels)
        return _fit(runs, workload.megapixels, share, device=latest[0].device, exact=bool(exact))

    def cost_of_other(self, kind: str, what: str, size: float, *, share: float = 0.5) -> Cost:
        """What other work is expected to take: from runs on the same, else on anything of its kind, else by a rule.

        Args:
            kind: As for ``observe_other``.
            what: As for ``observe_other``.
            size: As for ``observe_other``.
            share: Of the runs that lie between ``low`` and ``high``, 0-1.
        """
        with self._lock:
            alike = [key for key in self._runs if (key.kind, key.machine) == (kind, self.machine)]
            exact = [key for key in alike if key.id == what]
            runs = [run for key in exact or alike for run in self._runs[key]]
        return _fit(runs, size, share, exact=bool(exact)) if runs else _rule(kind, size)

    def dump(self) -> list[dict[str, Any]]:
        """All runs as JSON types."""
        with self._lock:
            return [{**key._asdict(), "runs": [list(run) for run in runs]} for key, runs in self._runs.items()]

    def take_new(self) -> list[tuple[Key, Run]]:
        """The runs that were added since this was last asked."""
        with self._lock:
            new, self._new = self._new, []
        return new

    def load(self, entries: Iterable[Any], then: Iterable[tuple[Key, Run]] = ()) -> None:
        """Takes what `dump` gave, in place of what is known.

        Args:
            entries: The dump.
            then: Runs on top of it.

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
            self._runs.clear()
            for key, runs in read:
                self._add(key, runs)
            for key, run in (*then, *self._new):
                self._add(key, [run])

    def _observe(self, key: Key, run: Run) -> None:
        with self._lock:
            self._add(key, [run])
            self._new.append((key, run))
        self._changed()

    def _add(self, key: Key, runs: Iterable[Run]) -> None:
        self._runs.setdefault(key, deque(maxlen=_RUNS_KEPT)).extend(runs)
        self._runs.move_to_end(key)
        if len(self._runs) > _KEYS_KEPT:
            self._runs.popitem(last=False)


def _rule(kind: str, size: float) -> Cost:
    seconds = _RULES.get(kind, 0.0) * size + (_RULE_START_S if kind in {role.value for role in Role} else 0.0)
    return Cost(seconds=seconds, low=seconds / 4, high=seconds * 4)


def _fit(runs: list[Run], size: float, share: float, *, device: str = "", exact: bool) -> Cost:
    start, slope = _line(runs)
    near = [run for run in runs if size / _NEAR <= run.megapixels <= size * _NEAR]
    ratios = [run.seconds / max(start + slope * run.megapixels, 1e-9) for run in runs]
    if len(near) >= _NEAR_RUNS:
        ratios = [run.seconds / max(start + slope * run.megapixels, 1e-9) for run in near]
    seconds = (start + slope * size) * (median(ratios) if len(near) >= _NEAR_RUNS else 1.0)
    line = start + slope * size
    low, high = seconds * 0.5, seconds * 2.0
    if len(ratios) >= _ENOUGH:
        low, high = (line * ratio for ratio in _between(ratios, share))
    return Cost(
        seconds=seconds,
        low=min(low, seconds),
        high=max(high, seconds),
        runs=len(runs),
        device=device,
        exact=exact,
        trusted=exact and len(runs) >= _TRUSTED and _within(size, runs),
    )


def _between(ratios: list[float], share: float) -> tuple[float, float]:
    """The bounds between which a share of the values lies, as many beyond the one as beyond the other."""
    cuts = quantiles(ratios, n=40, method="inclusive")
    skipped = round(40 * (1 - share) / 2) - 1
    return cuts[max(0, skipped)], cuts[-1 - max(0, skipped)]


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
