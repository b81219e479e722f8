# SPDX-License-Identifier: Apache-2.0
"""The ``Reach`` and ``Render`` calls: renders by reference, where the service reads and writes the files itself."""

import hmac
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blake3 import blake3

from understudy.codec.jobs import clean_request_id, json_object, priority_from_pb
from understudy.codec.messages import Malformed
from understudy.codec.protocol import MAX_GRAPH_NODES, MAX_PROBE_CONTENT, MAX_PROBES, PROBE_HEAD_BYTES
from understudy.contracts.engine import Control
from understudy.contracts.errors import BusyError, ForbiddenError, GraphError, UsageError
from understudy.contracts.paths import Access
from understudy.graph.document import Graph
from understudy.graph.parsing import parse_graph
from understudy.graph.paths import files_of
from understudy.graph.render import render_graph
from understudy.packs.policy import ShowPolicy, parse_policy
from understudy.provenance.recorder import Recorder
from understudy.service.admission import Admission
from understudy.service.caller import Caller, caller_of
from understudy.service.disclosure import told_to
from understudy.service.fair_order import Ticket
from understudy.service.job import CancelFlag
from understudy.service.limits import Limits
from understudy.service.observer import Observer
from understudy.service.queue import JobQueue
from understudy.service.queued_engine import QueuedEngine
from understudy.service.render_events import RenderEvents
from understudy.service.roots import Roots
from understudy.service.rpc_errors import rpc_errors
from understudy.wire.understudy.v1 import understudy_pb2 as pb

_LONGEST_USER = 64


class RenderCalls:
    """Serves ``Reach`` and ``Render``.

    Args:
        queue: Where each request of a render waits for a worker, like everybody's.
        limits: How much to take on.
        admission: Who may come in.
        roots: Which files may be touched.
        observer: Watches.
        max_renders: Renders at once.
    """

    def __init__(
        self,
        queue: JobQueue,
        limits: Limits,
        admission: Admission,
        roots: Roots,
        observer: Observer,
        max_renders: int,
    ) -> None:
        self._queue = queue
        self._limits = limits
        self._admission = admission
        self._roots = roots
        self._observer = observer
        self._room = threading.BoundedSemaphore(max_renders)
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()

    def reach(self, request: pb.ReachRequest | Malformed, context: Any) -> pb.ReachResponse | None:
        """Answers ``Reach``."""
        with self._observer.call(context) as call, rpc_errors(context, call):
            if isinstance(request, Malformed):
                raise UsageError(f"the message can't be read: {request.reason}")
            if len(request.probes) > MAX_PROBES:
                raise UsageError(f"{len(request.probes)} probes; at most {MAX_PROBES} fit")
            return pb.ReachResponse(reached=[self._reached(probe) for probe in request.probes])
        return None

    def render(self, request: pb.RenderRequest | Malformed, context: Any) -> Iterator[pb.RenderEvent]:
        """Answers ``Render``."""
        with self._observer.call(context) as call, rpc_errors(context, call):
            if isinstance(request, Malformed):
                raise UsageError(f"the message can't be read: {request.reason}")
            call.request_id = clean_request_id(request.request_id) or call.request_id
            caller = caller_of(context)
            graph = self._allowed_graph(request, caller)
            policy = _policy(request)
            call.shared = self._roots.shared
            with _until_deadline(context, self._limits) as (cancelled, deadline):
                cancelled.listen(self._admission.wake)
                ticket = Ticket(
                    caller=caller.name,
                    user="".join(c for c in request.user if c.isprintable())[:_LONGEST_USER],
                    priority=priority_from_pb(request.priority),
                    deadline=deadline,
                )
                with self._admitted(ticket):
                    yield from self._render(
                        graph,
                        request,
                        policy,
                        caller,
                        cancelled,
                        QueuedEngine(self._queue, ticket, self._observer, self._admission, self._limits),
                    )

    def join(self, timeout_s: float) -> bool:
        """Waits for the threads of renders that were told to stop; False when the time is over first."""
        end = time.monotonic() + timeout_s
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _allowed_graph(self, request: pb.RenderRequest, caller: Caller) -> Graph:
        """The document, when every file that it names may be touched."""
        if not self._roots.any:
            fix = "send the pixels: --transport stream; or have its admin open folders (files.read, files.write)"
            raise ForbiddenError("the service reads and writes no files", fix=fix)
        document = json_object(request.graph, "the graph")
        nodes = document.get("nodes")
        if isinstance(nodes, dict) and len(nodes) > MAX_GRAPH_NODES:
            raise GraphError(f"{len(nodes)} nodes; at most {MAX_GRAPH_NODES} fit", where="nodes")
        graph = parse_graph(document, source="graph")
        rules = _CallerFiles(self._roots, caller)
        for named in files_of(graph):
            rules.require(Path(named.path), named.mark.access)
        self._roots.require_config(request.ocio_config, caller)
        return graph

    def _render(
        self,
        graph: Graph,
        request: pb.RenderRequest,
        policy: ShowPolicy | None,
        caller: Caller,
        cancelled: CancelFlag,
        engine: QueuedEngine,
    ) -> Iterator[pb.RenderEvent]:
        events = RenderEvents(cancelled)

        def work() -> None:
            events.begin()
            try:
                render_graph(
                    graph,
                    engine,
                    frames=request.frames,
                    draft=request.draft,
                    redo=not request.resume,
                    on_event=events.tell,
                    control=Control(cancelled=cancelled.is_set),
                    ocio=request.ocio_config or engine.info().ocio_config,
                    files=_CallerFiles(self._roots, caller),
                    policy=policy,
                    witness=Recorder(policy.document.record.source_types if policy else None),
                )
            except BaseException as error:
                events.end(error)
            else:
                events.end()
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=work, name="understudy-render", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()
        try:
            for event in events:
                told = told_to(caller, event, self._roots.shared)
                yield pb.RenderEvent(event_json=json.dumps(told, default=str))
        finally:
            cancelled.set()  # nobody listens any more; without effect on a render that has ended

    @contextmanager
    def _admitted(self, ticket: Ticket) -> Iterator[None]:
        entry = self._admission.enter()
        try:
            self._admission.claim(entry, ticket.share)
            if not self._room.acquire(blocking=False):
                raise BusyError("the service renders as much by reference as it may", fix="try again")
            try:
                yield
            finally:
                self._room.release()
        finally:
            self._admission.leave(entry)

    def _reached(self, probe: pb.FileProbe) -> bool:
        """Whether a file is here as the client has it; no reason is given for a no."""
        try:
            self._roots.require(Path(probe.path), "read")
            # Once resolved, nothing of the path may be a link; and nothing is waited for.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            handle = os.open(os.path.realpath(probe.path), flags)
        except (ForbiddenError, OSError, ValueError):
            return False
        try:
            return _is_same(handle, probe)
        except OSError:
            return False
        finally:
            os.close(handle)


def _policy(request: pb.RenderRequest) -> ShowPolicy | None:
    """The caller's show policy; it can only forbid more than the service's own does.

    Raises:
        RightsError: It is wrong, so nothing is allowed.
    """
    if not request.policy_toml:
        return None
    return parse_policy(request.policy_toml.encode(), Path("the caller's policy"))


def _is_same(handle: int, probe: pb.FileProbe) -> bool:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        return False
    if probe.content:
        fits = found.st_size == len(probe.content) <= MAX_PROBE_CONTENT
        return fits and hmac.compare_digest(_head(handle, MAX_PROBE_CONTENT), probe.content)
    fits = found.st_size == probe.size and found.st_size > 0
    return fits and hmac.compare_digest(blake3(_head(handle, PROBE_HEAD_BYTES)).digest(), probe.blake3)


def _head(handle: int, size: int) -> bytes:
    """The first bytes of a file, all of a shorter one."""
    parts: list[bytes] = []
    while size and (part := os.read(handle, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class _CallerFiles:
    """The rules for the files of one caller's render."""

    def __init__(self, roots: Roots, caller: Caller) -> None:
        self._roots = roots
        self._caller = caller

    def require(self, path: Path, access: Access) -> None:
        """Refuses a file that may not be touched."""
        if access == "config":
            self._roots.require_config(str(path), self._caller)
        else:
            self._roots.require(path, access)


@contextmanager
def _until_deadline(context: Any, limits: Limits) -> Iterator[tuple[CancelFlag, float | None]]:
    """A flag that is set when the call ends, at the latest after the longest time; and its deadline, monotonic."""
    cancelled = CancelFlag()
    if not context.add_callback(cancelled.set):
        cancelled.set()
    remaining = context.time_remaining()
    timer = threading.Timer(limits.max_run_s, context.cancel)
    timer.daemon = True
    timer.start()
    try:
        yield cancelled, None if remaining is None else time.monotonic() + remaining
    finally:
        timer.cancel()
