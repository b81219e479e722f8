# SPDX-License-Identifier: Apache-2.0
"""Everything by which a running service is watched, put together: health, metrics, spans, the status page."""

import re
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import PurePath
from typing import Any, Literal

from understudy import __version__
from understudy.contracts.engine import Engine, EngineInfo, PackState
from understudy.contracts.jobs import PackPin
from understudy.roles.memory import resident_bytes
from understudy.service.admission import Admission
from understudy.service.metrics import CONTENT_TYPE, QueueFacts
from understudy.service.observer import Observer
from understudy.service.pack_health import PackHealth
from understudy.service.queue import JobQueue
from understudy.service.status_page.page import asset, page_html
from understudy.service.status_page.server import Answer, StatusServer
from understudy.service.status_page.status import DeviceRow, PackRow, Status
from understudy.service.tracing import NoTracing, tracing_from_environment

_LOOK_S = 5.0  # an engine does not tell of packs that were added or removed
_FOLDERS = re.compile(r"(?:[A-Za-z]:)?[/\\][^\s;:,'\"]*[/\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How the service may be watched.

    Attributes:
        status: ``host:port`` of the status page and of Prometheus' ``/metrics``; empty: none.
        insecure_status_anywhere: Allow a status address that other machines reach, though nobody is asked who they are.
        tracing: Send a span per request by OpenTelemetry, as its ``OTEL_*`` environment says.
    """

    status: str = ""
    insecure_status_anywhere: bool = False
    tracing: bool = False


class Watching:
    """Watches one service.

    Args:
        settings: What of it is on.
        engines: What computes.
        health: The ``HealthServicer`` that answers.

    Raises:
        UsageError: The address of the status page, or the tracing's environment, is wrong.
    """

    def __init__(self, settings: Watch, engines: Sequence[Engine], health: Any) -> None:
        self.observer = Observer(tracing=tracing_from_environment() if settings.tracing else NoTracing())
        self._engines = tuple(engines)
        self._health = PackHealth(health)
        self._began = time.monotonic()
        self._state: Literal["serving", "stopping", "stopped"] = "serving"
        self._addresses: tuple[str, ...] = ()
        self._queue: JobQueue | None = None
        self._admission: Admission | None = None
        self._ended = threading.Event()
        self._looker: threading.Thread | None = None
        self._door: StatusServer | None = None
        if settings.status:
            answers = {
                "/": self._page,
                "/metrics": lambda: Answer(self.observer.metrics.text(), CONTENT_TYPE),
                "/healthz": self._healthz,
                "/status.css": lambda: Answer(asset("status.css"), "text/css; charset=utf-8"),
                "/status.js": lambda: Answer(asset("status.js"), "text/javascript; charset=utf-8"),
            }
            self._door = StatusServer(settings.status, answers, anywhere=settings.insecure_status_anywhere)

    @property
    def url(self) -> str:
        """Where the status page is; empty without one."""
        return self._door.url if self._door else ""

    def start(self, addresses: tuple[str, ...], queue: JobQueue, admission: Admission) -> None:
        """The service answers from now on.

        Args:
            addresses: Where it listens.
            queue: Where its jobs wait.
            admission: Who is in.

        Raises:
            UsageError: The address of the status page is taken or not this machine's.
        """
        self._addresses, self._queue, self._admission = addresses, queue, admission
        self.observer.metrics.watch(self.queue_facts, self.pack_states)
        if self._door is not None:
            self._door.start()
        for engine in self._engines:
            if hasattr(engine, "observe"):
                engine.observe(self._pack_changed)
        self._health.serve(self.look())
        self._looker = threading.Thread(target=self._keep_looking, name="understudy-watch", daemon=True)
        self._looker.start()

    def look(self) -> tuple[PackPin, ...]:
        """Sees which packs there are now."""
        pins = tuple(state.pin for state in self.pack_states())
        self.observer.metrics.knows_packs(pin.id for pin in pins)
        self._health.has(pins)
        return pins

    def drain(self) -> None:
        """The service takes no more requests."""
        self._state = "stopping"
        self._health.drain()

    def stop(self) -> None:
        """The service has ended."""
        self._state = "stopped"
        self._ended.set()
        if self._looker is not None:
            self._looker.join()
        if self._door is not None:
            self._door.stop()
        self.observer.close()

    def queue_facts(self) -> QueueFacts:
        """How the queue stands."""
        if self._queue is None or self._admission is None:
            return QueueFacts()
        jobs = self._queue.snapshot()
        return QueueFacts(
            open_requests=self._admission.open_requests,
            waiting=jobs.length,
            oldest_wait_s=jobs.oldest_wait_s,
            busy_workers=len(jobs.running),
            workers=jobs.workers,
            held_bytes=self._admission.held_bytes,
            allowed_bytes=self._admission.allowed_bytes,
        )

    def pack_states(self) -> tuple[PackState, ...]:
        """Where the packs of all engines are; ``available`` for an engine that does not say."""
        states: list[PackState] = []
        for engine in self._engines:
            if hasattr(engine, "states"):
                states += engine.states()
            else:
                states += [PackState(pin=pack.pin, state="available") for pack in engine.info().packs]
        return tuple(states)

    def status(self) -> Status:
        """What the page shows now."""
        info, states = self._engines[0].info(), self.pack_states()
        waiting: dict[str, int] = {}
        if self._queue is not None:
            for (priority, _user), count in self._queue.snapshot().waiting.items():
                waiting[priority.value] = waiting.get(priority.value, 0) + count
        return Status(
            state=self._state,
            version=__version__,
            host=socket.gethostname(),
            addresses=self._addresses,
            uptime_s=time.monotonic() - self._began,
            rss_bytes=resident_bytes(),
            queue=self.queue_facts(),
            waiting=tuple(waiting.items()),
            requests=self.observer.activity.open_requests(),
            now=time.monotonic(),
            devices=_devices(states, [engine.info().device for engine in self._engines]),
            packs=_packs(states, info),
            broken=tuple((PurePath(f.path).name, without_folders(f.problem)) for f in info.failures),
            errors=self.observer.activity.last_errors(),
            policy=info.policy.show if info.policy else "",
        )

    def _pack_changed(self, state: PackState) -> None:
        if self._state == "stopped":  # the engine is closed after the service
            return
        self.observer.metrics.knows_packs((state.pin.id,))
        self.observer.pack_changed(state)
        self._health.hear(state)

    def _keep_looking(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self.look()

    def _page(self) -> Answer:
        return Answer(page_html(self.status()), "text/html; charset=utf-8")

    def _healthz(self) -> Answer:
        ready = self._state == "serving"
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Answer(f"{self._state}\n".encode(), "text/plain; charset=utf-8", status)


def without_folders(text: str) -> str:
    """A sentence with the folders of its paths left out."""
    return _FOLDERS.sub("", text)


def _devices(states: Sequence[PackState], asked_for: Sequence[str]) -> tuple[DeviceRow, ...]:
    rows: dict[str, DeviceRow] = {}
    for state in states:
        if state.device:
            row = rows.get(state.device, DeviceRow(name=state.device, packs=0, resident_bytes=0))
            held = row.resident_bytes + state.resident_bytes
            rows[state.device] = DeviceRow(name=state.device, packs=row.packs + 1, resident_bytes=held)
    for name in asked_for:
        if name != "auto" or not rows:
            rows.setdefault(name, DeviceRow(name=name, packs=0, resident_bytes=0))
    return tuple(rows[name] for name in sorted(rows))


def _packs(states: Sequence[PackState], info: EngineInfo) -> tuple[PackRow, ...]:
    roles = {pack.pin.sha256: pack.role for pack in info.packs}
    badges = {pack.pin.sha256: "refused" if pack.refused else pack.badge for pack in info.packs}
    states = sorted(states, key=lambda state: state.state == "available")  # what is going on comes first
    return tuple(
        PackRow(
            name=f"{state.pin.id}@{state.pin.version}",
            digest=state.pin.sha256[:8],
            role=roles.get(state.pin.sha256, "replaced"),
            state=state.state,
            device=state.device,
            users=state.users,
            resident_bytes=state.resident_bytes,
            pinned=state.pinned,
            problem=without_folders(state.problem),
            badge=badges.get(state.pin.sha256, ""),
        )
        for state in states
    )
