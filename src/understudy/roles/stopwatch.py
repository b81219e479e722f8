# SPDX-License-Identifier: Apache-2.0
"""Times the work of a render while it runs, for later estimates: each piece without those that it waited for."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from understudy.contracts.engine import NO_CONTROL, Control, Engine, EngineInfo
from understudy.contracts.jobs import RoleRequest, RoleResult
from understudy.contracts.workload import workload_of_request
from understudy.roles.costs import Costs
from understudy.roles.costs_file import CostsFile, default_costs_file
from understudy.roles.engine import LocalEngine

_WORTH_LEARNING_S = 0.02
"""What takes less is no load: the model was there."""


@dataclass(slots=True)
class Span:
    """Some time that passed.

    Attributes:
        inner: Seconds of it that other spans of the same thread took.
        seconds: All but these, once it is over.
    """

    inner: float = 0.0
    seconds: float = 0.0


class Stopwatch:
    """Times work, each thread its own.

    Args:
        costs: Learns from it; None times nothing.
        roles: What roles took is learned too; not where a service computes, which learns itself.
        pictures: They are real ones, and so how small a compression makes them is learned too.
    """

    def __init__(self, costs: Costs | None, *, roles: bool, pictures: bool = True) -> None:
        self._costs = costs
        self.times_roles = roles
        """What roles took is learned."""
        self._pictures = pictures
        self._local = threading.local()

    @contextmanager
    def span(self) -> Iterator[Span]:
        """Open while something is done; within it, more of them may be open, one after the other."""
        outer: Span | None = getattr(self._local, "span", None)
        span = self._local.span = Span()
        began = time.perf_counter()
        try:
            yield span
        finally:
            passed = time.perf_counter() - began
            span.seconds = passed - span.inner
            self._local.span = outer
            if outer is not None:
                outer.inner += passed

    def took(self, kind: str, what: str, size: float, amount: float) -> None:
        """Learns what something took; see ``Costs.observe_other``."""
        if self._costs is not None:
            self._costs.observe_other(kind, what, size, amount)

    def shrank_to(self, label: str, raw_bytes: int, nbytes: int) -> None:
        """Learns how small a compression made a file.

        Args:
            label: As in ``frames.stored.Stored``.
            raw_bytes: Without compression.
            nbytes: The file's.
        """
        if self._pictures:
            self.took("disk", label, raw_bytes / 1e6, nbytes / 1e6)

    def role_took(self, request: RoleRequest, result: RoleResult, seconds: float) -> None:
        """Learns what a request took.

        Args:
            request: What was asked.
            result: The answer.
            seconds: All of it; those to load models do not count for the role.
        """
        if self._costs is None or not self.times_roles:
            return
        device = result.report.get("device", "")
        self._costs.observe(workload_of_request(request), result.pack, str(device), max(0.0, seconds - result.load_s))
        if result.load_s > _WORTH_LEARNING_S:
            self._costs.observe_other("load", result.pack.id, 1.0, result.load_s)


class TimedEngine:
    """An engine whose runs are timed.

    Args:
        engine: The engine; it stays its owner's to close.
        stopwatch: Learns.
    """

    def __init__(self, engine: Engine, stopwatch: Stopwatch) -> None:
        self._engine = engine
        self._stopwatch = stopwatch

    def info(self) -> EngineInfo:
        """What the engine says."""
        return self._engine.info()

    def run(self, request: RoleRequest, control: Control = NO_CONTROL, /) -> RoleResult:
        """Runs one request.

        Raises:
            UnderstudyError: Whatever the engine raises.
        """
        with self._stopwatch.span() as span:
            result = self._engine.run(request, control)
        self._stopwatch.role_took(request, result, span.seconds)
        return result

    def close(self) -> None:
        """Nothing: the engine is not ours."""


NO_STOPWATCH = Stopwatch(None, roles=False)
"""Nothing is learned."""


@contextmanager
def timing(engine: Engine, *, pictures: bool = True) -> Iterator[Stopwatch]:
    """A stopwatch for one render on an engine; what it learned is kept, whether that ends well or not.

    Args:
        engine: Who computes.
        pictures: They are real ones.
    """
    path = default_costs_file()
    if path is None:
        yield NO_STOPWATCH
        return
    kept = CostsFile(path)
    try:
        yield Stopwatch(kept.costs, roles=isinstance(engine, LocalEngine), pictures=pictures)
    finally:
        if isinstance(engine, LocalEngine):
            for state in engine.states():
                if state.resident_bytes:
                    what = f"{state.pin.id}@{state.pin.version} {state.device}"
                    kept.costs.observe_other("resident", what, 1.0, state.resident_bytes / 1e6)
        kept.save()
