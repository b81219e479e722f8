# SPDX-License-Identifier: Apache-2.0
"""What watches a service: its metrics, its spans, its activity. Code that serves tells facts here and nowhere else."""

import logging
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from understudy.codec.protocol import RUN_METHOD, SERVICE
from understudy.contracts.engine import PackState
from understudy.contracts.jobs import PackPin, RoleRequest
from understudy.service.activity import Activity
from understudy.service.log import log_event
from understudy.service.metrics import Metrics
from understudy.service.rpc_errors import CallLog
from understudy.service.tracing import NoTracing, Span, Tracing


class Observer:
    """Everything that watches one service.

    Args:
        metrics: Counts.
        tracing: Begins spans.
        activity: What is told to people.
    """

    def __init__(
        self, metrics: Metrics | None = None, tracing: Tracing | None = None, activity: Activity | None = None
    ) -> None:
        self.metrics = metrics or Metrics()
        self.tracing: Tracing = tracing or NoTracing()
        self.activity = activity or Activity()
        self._lock = threading.Lock()
        self._loading: dict[str, tuple[float, Span]] = {}
        self._resident: set[str] = set()

    def run_began(self, context: Any) -> "RunWatch":
        """A Run call came in.

        Args:
            context: Of the call.
        """
        return RunWatch(self, f"{SERVICE}/{RUN_METHOD}", str(context.peer()), context.invocation_metadata() or ())

    @contextmanager
    def frame(self, request: RoleRequest) -> Iterator["RunWatch"]:
        """Watches a request that a render by reference makes within the service."""
        call = RunWatch(self, "frame", "", ())
        call.request_id = request.request_id or call.request_id
        call.header_read(request.params.role.value, request.pack, len(request.plates))
        call.received({"files": sum(plate.nbytes for plate in request.plates.values())})
        call.enter("queue")
        try:
            yield call
        except BaseException as error:
            call.fields["error"] = type(error).__name__
            raise
        finally:
            call.end()

    @contextmanager
    def call(self, context: Any) -> Iterator[CallLog]:
        """Watches a call of another method.

        Args:
            context: Of the call.
        """
        call = CallLog(uuid.uuid4().hex)
        try:
            yield call
        finally:
            if self.failed(call):
                log_event("call", {"request_id": call.request_id, "peer": context.peer(), **call.fields})

    def failed(self, call: CallLog) -> bool:
        """Whether a call ended with an error, as its log has it; counts and remembers it then."""
        error = str(call.fields.get("error", ""))
        if error:
            self.metrics.failed(error)
            pack = str(call.fields.get("pack", "")).partition("#")[0]
            self.activity.failed(error, pack=pack, request_id=call.request_id)
        return bool(error)

    def pack_changed(self, state: PackState) -> None:
        """A pack entered a state."""
        key = f"{state.pin.id}@{state.pin.version}#{state.pin.sha256}"
        with self._lock:
            begun = self._loading.pop(key, None) if state.state != "loading" else None
            was_resident = key in self._resident
            if state.state in {"ready", "draining"}:
                self._resident.add(key)
            else:
                self._resident.discard(key)
            if state.state == "loading" and key not in self._loading:
                span = self.tracing.part("load")
                span.describe({"understudy.pack": str(state.pin)})
                self._loading[key] = (time.monotonic(), span)
        if begun is not None:
            seconds = time.monotonic() - begun[0]
            begun[1].end("" if state.state == "ready" else "PackError")
            if state.state == "ready":
                self.metrics.pack_loaded(state.pin.id, seconds)
        if was_resident and state.state in {"available", "failed"}:
            self.metrics.pack_left(state.pin.id)
        level = logging.WARNING if state.state == "failed" else logging.INFO
        facts = {"pack": str(state.pin), "state": state.state, "problem": state.problem or None}
        log_event("pack", {name: fact for name, fact in facts.items() if fact}, level=level)

    def close(self) -> None:
        """Sends the last spans."""
        self.tracing.close()


class RunWatch(CallLog):
    """Watches one Run call; its fields are what is logged at its end.

    Args:
        observer: Of the service.
        name: Of its span.
        peer: Where it comes from.
        metadata: Of the call.
    """

    def __init__(self, observer: Observer, name: str, peer: str, metadata: Iterable[tuple[str, str | bytes]]) -> None:
        super().__init__(uuid.uuid4().hex)
        self._observer = observer
        self._peer = peer
        self._began = time.monotonic()
        self._number = observer.activity.begin(self.request_id)
        self._span = observer.tracing.request(name, metadata)
        self._lock = threading.Lock()
        self._stage: tuple[str, float, Span] | None = None
        self._ended = False
        self._pack_id = ""

    def header_read(self, role: str, pin: PackPin, plates: int) -> None:
        """The header is there: what the request is, and how many plates it has."""
        pack = str(pin)
        self.fields.update(role=role, pack=pack, plates=plates)
        self._pack_id = pin.id
        self._span.describe(
            {"understudy.request_id": self.request_id, "understudy.role": role, "understudy.pack": pack}
        )
        shown = pack.partition("#")[0]
        self._observer.activity.change(self._number, role=role, pack=shown, request_id=self.request_id)

    def received(self, by_transport: Mapping[str, int]) -> None:
        """All plates are there; bytes by how they came."""
        for transport, size in by_transport.items():
            if size:
                self._observer.metrics.pixels_received(transport, size)

    def sent(self, by_transport: Mapping[str, int]) -> None:
        """All results are gone; bytes by how they went."""
        for transport, size in by_transport.items():
            if size:
                self._observer.metrics.pixels_sent(transport, size)

    def enter(self, stage: str) -> None:
        """One of the stages begins, and the one before it ends. Nothing happens once the call has ended."""
        with self._lock:
            if not self._ended:
                self._leave()
                self._stage = (stage, time.monotonic(), self._span.child(stage))
        self._observer.activity.change(self._number, stage=stage)

    @contextmanager
    def running(self) -> Iterator[None]:
        """A worker computes, in this thread."""
        self.enter("run")
        with self._lock:
            stage = self._stage
        if stage is None:
            yield
            return
        with stage[2].current():
            yield

    def progress(self, done: int, total: int) -> None:
        """Steps done, and steps in all."""
        self._observer.activity.change(self._number, done=done, total=total)

    def end(self) -> None:
        """The call has ended, well or with the error in its fields."""
        error = str(self.fields.get("error", ""))
        with self._lock:
            self._leave(error)
            self._ended = True
        seconds = time.monotonic() - self._began
        role, pack = str(self.fields.get("role", "")), self._pack_id
        self._observer.activity.end(self._number)
        metrics = self._observer.metrics
        metrics.request_ended(role, pack, error, seconds)
        if error:
            metrics.failed(error)
            shown = str(self.fields.get("pack", "")).partition("#")[0]
            self._observer.activity.failed(error, role=role, pack=shown, request_id=self.request_id)
        self._span.end(error)
        facts = {"request_id": self.request_id, "peer": self._peer, "seconds": round(seconds, 4), **self.fields}
        log_event("run", facts)

    def _leave(self, error: str = "") -> None:
        if self._stage is None:
            return
        name, began, span = self._stage
        self._observer.metrics.stage_seconds(name, str(self.fields.get("role", "")), time.monotonic() - began)
        span.end(error)
        self._stage = None
