# SPDX-License-Identifier: Apache-2.0
"""What Triton's statistics extension tells of each model: how many requests, and where their time went."""

import threading
import time
from dataclasses import dataclass, field

from understudy.inference_protocol.messages import ModelStatistics, StatisticDuration
from understudy.service.metrics import Metrics

_MOST_MODELS = 4096
_PHASES = ("queue", "compute_input", "compute_infer", "compute_output")


@dataclass(slots=True)
class Times:
    """Where the time of one request went.

    Attributes:
        ns: Nanoseconds in ``queue``, ``compute_input``, ``compute_infer`` and ``compute_output``.
    """

    ns: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_PHASES, 0))
    _since: int = field(default_factory=time.perf_counter_ns)

    def end(self, phase: str) -> None:
        """Ends a phase; what follows belongs to the next."""
        now = time.perf_counter_ns()
        self.ns[phase] += now - self._since
        self._since = now


class _Counter:
    def __init__(self) -> None:
        self.count = 0
        self.ns = 0

    def add(self, ns: int) -> None:
        self.count += 1
        self.ns += ns

    def message(self) -> StatisticDuration:
        return StatisticDuration(count=self.count, ns=self.ns)


class _Model:
    def __init__(self) -> None:
        self.counters = {name: _Counter() for name in ("success", "fail", *_PHASES)}
        self.last_ms = 0


class Statistics:
    """Counts requests, by model and version.

    Args:
        metrics: Counts them too, for all protocols.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._models: dict[tuple[str, str], _Model] = {}

    def success(self, name: str, version: str, times: Times) -> None:
        """A request that was answered."""
        self._metrics.inference_ended(name, times.ns, answered=True)
        with self._lock:
            model = self._model(name, version)
            model.last_ms = time.time_ns() // 1_000_000
            model.counters["success"].add(sum(times.ns.values()))
            for phase, ns in times.ns.items():
                model.counters[phase].add(ns)

    def fail(self, name: str, version: str, times: Times) -> None:
        """A request to a known model that was not."""
        self._metrics.inference_ended(name, times.ns, answered=False)
        with self._lock:
            self._model(name, version).counters["fail"].add(sum(times.ns.values()))

    def message(self, name: str, version: str) -> ModelStatistics:
        """All that is known of a model."""
        with self._lock:
            model = self._models.get((name, version)) or _Model()
            message = ModelStatistics(
                name=name,
                version=version,
                last_inference=model.last_ms,
                inference_count=model.counters["success"].count,
                execution_count=model.counters["success"].count,
            )
            for phase, counter in model.counters.items():
                getattr(message.inference_stats, phase).CopyFrom(counter.message())
            if model.counters["success"].count:
                batch = message.batch_stats.add(batch_size=1)
                for phase in _PHASES[1:]:
                    getattr(batch, phase).CopyFrom(model.counters[phase].message())
            return message

    def _model(self, name: str, version: str) -> _Model:
        if len(self._models) >= _MOST_MODELS and (name, version) not in self._models:
            self._models.clear()
        return self._models.setdefault((name, version), _Model())
