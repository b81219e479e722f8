# SPDX-License-Identifier: Apache-2.0
"""What the service counts, for Prometheus. One object is passed around; its methods are named for facts.

No label holds a user, a request or a path, and every label has a bounded number of values: an unknown pack, role or
error counts as ``other``.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from understudy import __version__
from understudy.codec.errors import ERROR_NAMES
from understudy.contracts.engine import PackState
from understudy.contracts.manifest import Role

CONTENT_TYPE = CONTENT_TYPE_LATEST
STAGES = ("receive", "queue", "run", "send")
"""Where the time of a request goes: until its last pixel is there, until a worker is free, on the
worker (its pack is loaded meanwhile, where it has to be), until its last pixel is sent."""

TRANSPORTS = ("stream", "shared-memory", "known", "files")
"""How pixels travel; ``known`` ones were named by their hash and did not, ``files`` the service read itself."""

OUTCOMES = ("done", "cancelled", "refused", "failed")
"""``refused``: the service was full, too slow for the deadline, or about to stop."""

_STATES = ("available", "loading", "ready", "draining", "failed")
_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
_MOST_PACKS = 200
_OTHER = "other"
_ERRORS = frozenset({*ERROR_NAMES, "ClientGone", "Internal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """How the queue stands at one moment.

    Attributes:
        open_requests: Requests that were let in and have not ended.
        waiting: Jobs that wait for a worker.
        oldest_wait_s: How long the job that waits longest has waited.
        busy_workers: Workers that compute.
        workers: Workers in all.
        held_bytes: Pixels of open requests.
        allowed_bytes: Most that they may hold.
    """

    open_requests: int = 0
    waiting: int = 0
    oldest_wait_s: float = 0.0
    busy_workers: int = 0
    workers: int = 0
    held_bytes: int = 0
    allowed_bytes: int = 0


class Metrics:
    """Counters of one service, in a registry of their own.

    Attributes:
        registry: Theirs alone, not the process's.
        described: Name as it is scraped, type, labels and text of each, but for those of the process.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.described: list[tuple[str, str, tuple[str, ...], str]] = []
        self._lock = threading.Lock()
        self._scraping = threading.Lock()
        self._packs: dict[str, None] = {}
        self._queue: Callable[[], QueueFacts] = QueueFacts
        self._states: Callable[[], Iterable[PackState]] = tuple
        self._make_request_metrics()
        self._make_pack_metrics()
        self._make_gauges()
        ProcessCollector(registry=self.registry)

    def watch(self, queue: Callable[[], QueueFacts], states: Callable[[], Iterable[PackState]]) -> None:
        """Asks these for what is so at the moment, at each scrape."""
        self._queue, self._states = queue, states

    def text(self) -> bytes:
        """All metrics in Prometheus' text format (`CONTENT_TYPE`)."""
        with self._scraping:
            self._set_queue(self._queue())
            self._set_packs(self._states())
            return generate_latest(self.registry)

    def knows_packs(self, ids: Iterable[str]) -> None:
        """Packs that the service has: their names may be labels."""
        with self._lock:
            for name in ids:
                if len(self._packs) < _MOST_PACKS:
                    self._packs.setdefault(name)

    def request_ended(self, role: str, pack: str, error: str, seconds: float) -> None:
        """A request ended.

        Args:
            role: Its role.
            pack: Id of its pack.
            error: Class of its error; empty when it was answered.
            seconds: From its first message to its last.
        """
        role, pack = self._role(role), self._pack(pack)
        self._requests.labels(role, pack, outcome_of(error)).inc()
        if not error:
            self._request_seconds.labels(role).observe(seconds)

    def inference_ended(self, pack: str, phases_ns: Mapping[str, int], *, answered: bool) -> None:
        """A request of the Open Inference Protocol ended.

        Args:
            pack: Id of the model's pack.
            phases_ns: Nanoseconds in each phase, as Triton's statistics have them.
            answered: Whether it was.
        """
        pack = self._pack(pack)
        self._inferences.labels(pack, "done" if answered else "failed").inc()
        for phase, ns in phases_ns.items():
            self._inference_seconds.labels(pack, phase).inc(ns / 1e9)

    def failed(self, error: str) -> None:
        """A call of any method failed with an error of this class."""
        self._errors.labels(error if error in _ERRORS else "Internal").inc()

    def stage_seconds(self, stage: str, role: str, seconds: float) -> None:
        """A request has spent this long in one of `STAGES`."""
        self._stages.labels(stage, self._role(role)).observe(max(0.0, seconds))

    def pixels_received(self, transport: str, size: int) -> None:
        """Bytes of plates came by one of `TRANSPORTS`."""
        self._bytes.labels(transport, "in").inc(size)

    def pixels_sent(self, transport: str, size: int) -> None:
        """Bytes of results went by one of `TRANSPORTS`."""
        self._bytes.labels(transport, "out").inc(size)

    def pack_loaded(self, pack: str, seconds: float) -> None:
        """A pack was brought into memory."""
        self._loads.labels(self._pack(pack)).inc()
        self._load_seconds.observe(seconds)

    def pack_left(self, pack: str) -> None:
        """A pack left memory: it was not used, others needed the room, it was replaced, or somebody asked for it."""
        self._unloads.labels(self._pack(pack)).inc()

    def _set_queue(self, facts: QueueFacts) -> None:
        for name, gauge in self._queue_gauges.items():
            gauge.set(getattr(facts, name))
        self._threads.set(threading.active_count())

    def _set_packs(self, states: Iterable[PackState]) -> None:
        for gauge in (self._pack_state, self._pack_bytes, self._pack_users):
            gauge.clear()
        rows: dict[tuple[str, str], int] = {}
        held: dict[str, int] = {}
        users: dict[str, int] = {}
        for state in states:
            pack = self._pack(state.pin.id)
            rows[pack, state.state] = rows.get((pack, state.state), 0) + 1
            held[pack] = held.get(pack, 0) + state.resident_bytes
            users[pack] = users.get(pack, 0) + state.users
        for pack, size in held.items():
            for name in _STATES:
                self._pack_state.labels(pack, name).set(rows.get((pack, name), 0))
            self._pack_bytes.labels(pack).set(size)
            self._pack_users.labels(pack).set(users[pack])

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        self.described.append((f"{name}_total", "counter", labels, text))
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        self.described.append((name, "histogram", labels, text))
        return Histogram(name, text, labels, buckets=_SECONDS, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        self.described.append((name, "gauge", labels, text))
        return Gauge(name, text, labels, registry=self.registry)

    def _make_request_metrics(self) -> None:
        self._requests = self._counter("understudy_requests", "Role requests that ended.", "role", "pack", "outcome")
        self._request_seconds = self._histogram(
            "understudy_request_seconds", "Answered role requests, from first to last message.", "role"
        )
        self._stages = self._histogram(
            "understudy_stage_seconds",
            "Where the time of role requests goes: receive, queue, run, send.",
            "stage",
            "role",
        )
        self._bytes = self._counter(
            "understudy_pixel_bytes",
            "Pixels of plates (in) and results (out). Of known ones, bytes that did not travel.",
            "transport",
            "direction",
        )
        self._inferences = self._counter(
            "understudy_inferences", "Requests of the Open Inference Protocol to known models.", "pack", "outcome"
        )
        self._inference_seconds = self._counter(
            "understudy_inference_seconds",
            "Where their time goes: queue, compute_input, compute_infer, compute_output.",
            "pack",
            "phase",
        )
        self._errors = self._counter("understudy_errors", "Calls that failed.", "error")

    def _make_pack_metrics(self) -> None:
        self._loads = self._counter("understudy_pack_loads", "Packs brought into memory.", "pack")
        self._unloads = self._counter("understudy_pack_unloads", "Packs that left memory.", "pack")
        self._load_seconds = self._histogram("understudy_pack_load_seconds", "Bringing a pack into memory.")
        self._pack_state = self._gauge("understudy_pack_state", "Versions of a pack in each state.", "pack", "state")
        self._pack_bytes = self._gauge("understudy_pack_resident_bytes", "Memory that a pack holds.", "pack")
        self._pack_users = self._gauge("understudy_pack_users", "Requests that use a pack now.", "pack")

    def _make_gauges(self) -> None:
        gauge = self._gauge
        self._queue_gauges = {
            "open_requests": gauge("understudy_open_requests", "Requests let in and not ended."),
            "waiting": gauge("understudy_queue_length", "Jobs that wait for a worker."),
            "oldest_wait_s": gauge("understudy_queue_oldest_wait_seconds", "How long the oldest of them has waited."),
            "busy_workers": gauge("understudy_workers_busy", "Workers that compute."),
            "workers": gauge("understudy_workers", "Workers."),
            "held_bytes": gauge("understudy_held_bytes", "Pixels of open requests."),
            "allowed_bytes": gauge("understudy_allowed_bytes", "Most pixels that open requests may hold."),
        }
        self._threads = gauge("understudy_threads", "Threads of Python.")
        gauge("understudy_build_info", "Always 1.", "version").labels(__version__).set(1)

    def _pack(self, name: str) -> str:
        with self._lock:
            return name if name in self._packs else _OTHER

    @staticmethod
    def _role(name: str) -> str:
        return name if name in Role._value2member_map_ else _OTHER


def outcome_of(error: str) -> str:
    """Which of `OUTCOMES` a request had.

    Args:
        error: Class of its error; empty when it was answered.
    """
    if not error:
        return "done"
    if error in {"JobCancelledError", "ClientGone"}:
        return "cancelled"
    return "refused" if error in {"UnavailableError", "BusyError"} else "failed"
