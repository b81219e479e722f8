# SPDX-License-Identifier: Apache-2.0
"""The queue with real threads, fake engines and a clock that stands until it is told to move."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from contract.service.rig import FakeEngine, make_request, wait_until
from understudy.contracts.engine import Control, Engine
from understudy.contracts.errors import BusyError, JobCancelledError, MemoryBudgetError, UnavailableError
from understudy.contracts.priority import Priority
from understudy.contracts.workload import workload_of_request
from understudy.service.admission import Admission
from understudy.service.fair_order import Ticket
from understudy.service.limits import Limits
from understudy.service.observer import Observer
from understudy.service.queue import Handle, JobQueue
from understudy.service.queued_engine import QueuedEngine


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Gate:
    """Work that says when it began, and ends when it may."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.open = threading.Event()
        self.engine: Engine | None = None

    def __call__(self, engine: Engine) -> None:
        self.engine = engine
        self.began.set()
        assert self.open.wait(20)


Make = Callable[..., JobQueue]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock) -> Iterator[Make]:
    queues: list[JobQueue] = []

    def start(engines: int = 1, workers: int = 1, aging_s: float = 1e9) -> JobQueue:
        queues.append(JobQueue([FakeEngine() for _ in range(engines)], workers, aging_s=aging_s, clock=clock))
        return queues[-1]

    yield start
    for queue in queues:
        queue.close()
        assert queue.join(20)


def busy(queue: JobQueue, **fields: Any) -> tuple[Gate, Handle[None]]:
    """One worker held by a job."""
    gate = Gate()
    handle = queue.submit(gate, Ticket(user="holder", **fields))
    assert gate.began.wait(20)
    return gate, handle


def test_five_hundred_frames_of_one_do_not_delay_the_one_of_another(make: Make) -> None:
    queue = make()
    gate, _ = busy(queue)
    started: list[str] = []
    jobs = [queue.submit(lambda _: started.append("a"), Ticket(user="a")) for _ in range(500)]
    jobs.append(queue.submit(lambda _: started.append("b"), Ticket(user="b")))
    gate.open.set()
    for job in jobs:
        job.result()
    assert started.index("b") == 1  # both came while the worker was held; then they take turns
    assert len(started) == 501


def test_priorities_then_order(make: Make) -> None:
    queue = make()
    gate, _ = busy(queue)
    started: list[str] = []

    def named(name: str) -> Callable[[Engine], None]:
        return lambda _: started.append(name)

    wanted = [("x", Priority.BATCH), ("y", Priority.INTERACTIVE), ("z", Priority.NORMAL), ("w", Priority.INTERACTIVE)]
    jobs = [queue.submit(named(name), Ticket(priority=priority)) for name, priority in wanted]
    gate.open.set()
    for job in jobs:
        job.result()
    assert started == ["y", "w", "z", "x"]


def test_what_the_work_returns_and_raises_reaches_its_own_handle(make: Make) -> None:
    queue = make(workers=2)

    def fail(_: Engine) -> int:
        raise TimeoutError("inside")

    assert queue.submit(lambda _: 7, Ticket()).result() == 7
    with pytest.raises(TimeoutError, match="inside"):
        queue.submit(fail, Ticket()).result()


def test_a_waiting_job_leaves_at_once_when_cancelled(make: Make) -> None:
    queue = make()
    gate, running = busy(queue)
    ended: list[Future[Any]] = []
    waiting = queue.submit(lambda _: pytest.fail("it ran"), Ticket())
    waiting.future.add_done_callback(ended.append)
    assert waiting.cancel()
    assert ended == [waiting.future]
    assert not waiting.cancel()
    with pytest.raises(JobCancelledError):
        waiting.result()
    assert not running.cancel()  # a running one ends by its own control
    gate.open.set()
    running.result()
    state = queue.snapshot()
    assert (state.length, state.cancelled) == (0, 1)


def test_a_future_cancelled_behind_the_queue_s_back_never_runs(make: Make) -> None:
    queue = make()
    gate, _ = busy(queue)
    waiting = queue.submit(lambda _: pytest.fail("it ran"), Ticket())
    assert waiting.future.cancel()
    gate.open.set()
    assert queue.submit(lambda _: 1, Ticket()).result() == 1


def test_a_job_whose_deadline_passed_is_dropped_before_it_starts(make: Make, clock: Clock) -> None:
    queue = make()
    gate, _ = busy(queue)
    late = queue.submit(lambda _: pytest.fail("it ran"), Ticket(deadline=clock.now + 5))
    in_time = queue.submit(lambda _: "ran", Ticket(deadline=clock.now + 50))
    clock.now += 5
    gate.open.set()
    with pytest.raises(UnavailableError, match="deadline passed"):
        late.result()
    assert in_time.result() == "ran"
    assert queue.snapshot().expired == 1


def test_a_job_that_can_not_meet_its_deadline_is_refused_with_the_time_it_would_need(make: Make, clock: Clock) -> None:
    queue = make()
    gate, _ = busy(queue, cost_s=30, measured=True)
    queue.submit(lambda _: None, Ticket(user="b", cost_s=10, measured=True))
    clock.now += 5  # 25 s are left of the one that runs, and 10 s wait
    ticket = Ticket(user="b", cost_s=8, measured=True, deadline=clock.now + 42)
    with pytest.raises(BusyError, match=r"done in about 43 s, and its deadline is in 42 s") as refused:
        queue.submit(lambda _: None, ticket)
    assert refused.value.retry_after_s == 42.0  # a client that keeps its deadline does not come back
    assert refused.value.exit_code == 75
    assert queue.snapshot().refused == 1
    queue.submit(lambda _: None, Ticket(user="b", cost_s=8, measured=True, deadline=clock.now + 44))
    gate.open.set()


@pytest.mark.parametrize("which", ["own", "others"])
def test_nobody_is_refused_on_a_guess(which: str, make: Make, clock: Clock) -> None:
    queue = make()
    gate, _ = busy(queue, cost_s=1000, measured=which == "own")
    ticket = Ticket(cost_s=1, measured=which == "others", deadline=clock.now + 2)
    job = queue.submit(lambda _: 1, ticket)
    gate.open.set()
    assert job.result() == 1


def test_the_snapshot_tells_what_waits_and_what_runs(make: Make, clock: Clock) -> None:
    queue = make(workers=1)
    gate, _ = busy(queue, label="upscale x", cost_s=9)
    clock.now += 4
    queue.submit(lambda _: None, Ticket(user="a", priority=Priority.BATCH, cost_s=2))
    queue.submit(lambda _: None, Ticket(user="a", priority=Priority.BATCH, cost_s=2))
    queue.submit(lambda _: None, Ticket(caller="studio", user="a", cost_s=1))
    clock.now += 3
    state = queue.snapshot()
    assert dict(state.waiting) == {(Priority.BATCH, "a"): 2, (Priority.NORMAL, "studio"): 1}
    (running,) = state.running
    assert (running.label, running.user, running.seconds, running.device) == ("upscale x", "holder", 7.0, 0)
    assert (state.length, state.oldest_wait_s, state.backlog_s, state.workers) == (3, 3.0, 7.0, 1)
    assert queue.wait_s(Ticket(user="new", priority=Priority.INTERACTIVE)) == 2.0
    assert queue.wait_s(Ticket(user="a", priority=Priority.BATCH)) == 7.0
    assert queue.retry_after_s() == 2.0
    gate.open.set()


def test_every_engine_works_and_a_pack_goes_where_it_ran(make: Make) -> None:
    queue = make(engines=2, workers=1)
    first, second = Gate(), Gate()
    one = queue.submit(first, Ticket(pack="p"))
    two = queue.submit(second, Ticket(pack="q"))
    assert first.began.wait(20)
    assert second.began.wait(20)
    assert {first.engine, second.engine} == set(queue.engines)
    for gate, job in ((first, one), (second, two)):
        gate.open.set()
        job.result()
    wait_until(lambda: not queue.snapshot().running, "a worker is not free")
    for _ in range(3):
        for pack, engine in (("q", second.engine), ("p", first.engine)):
            assert queue.submit(lambda engine: engine, Ticket(pack=pack)).result() is engine
            wait_until(lambda: not queue.snapshot().running, "the worker is not free")


def test_closing_drops_what_waits_and_takes_nothing_new(make: Make) -> None:
    queue = make()
    gate, running = busy(queue)
    waiting = queue.submit(lambda _: pytest.fail("it ran"), Ticket())
    queue.close()
    for call in (waiting.result, lambda: queue.submit(lambda _: None, Ticket())):
        with pytest.raises(UnavailableError, match="stopping"):
            call()
    assert not queue.join(0.01)
    gate.open.set()
    running.result()
    assert queue.join(20)


def test_a_queued_engine_returns_and_raises_what_its_engine_does(make: Make) -> None:
    queue = make()
    observer = Observer()
    admission = Admission(Limits())
    engine = QueuedEngine(queue, Ticket(user="a", priority=Priority.BATCH), observer, admission)
    request = make_request("negate")
    assert (engine.run(request).plates["plate"].pixels[..., 0] == -request.plates["plate"].pixels[..., 0]).all()
    assert engine.info() == queue.engines[0].info()
    with pytest.raises(RuntimeError, match="secret"):
        engine.run(make_request("fail"))
    scraped = observer.metrics.text().decode()
    for outcome in ("done", "failed"):
        assert f'understudy_requests_total{{outcome="{outcome}",pack="other",role="upscale"}} 1.0' in scraped
    size = 2.0 * request.plates["plate"].nbytes
    assert f'understudy_pixel_bytes_total{{direction="in",transport="files"}} {size}' in scraped
    assert observer.activity.open_requests() == ()
    assert admission.held_bytes == 0


def test_a_queued_engine_holds_bytes_as_other_requests_do(make: Make) -> None:
    queue = make()
    gate, _ = busy(queue)
    size = workload_of_request(make_request("negate")).held_bytes
    admission = Admission(Limits(max_total_bytes=size * 3 // 2))
    engine = QueuedEngine(queue, Ticket(user="a"), Observer(), admission)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(engine.run, make_request("negate"))
        wait_until(lambda: queue.snapshot().length == 1, "it does not wait for a worker")
        assert admission.held_bytes == size
        cancelled = threading.Event()
        second = pool.submit(engine.run, make_request("negate"), Control(cancelled=cancelled.is_set))
        assert not second.done()
        assert queue.snapshot().length == 1  # it waits for memory
        cancelled.set()
        admission.wake()
        with pytest.raises(JobCancelledError):
            second.result(20)
        assert admission.held_bytes == size
        third = pool.submit(engine.run, make_request("negate"))
        gate.open.set()
        first.result(20)
        third.result(20)
    wait_until(lambda: admission.held_bytes == 0, "bytes are held")


def test_a_queued_engine_refuses_plates_that_a_call_might_not_bring(make: Make) -> None:
    limits = Limits(max_request_bytes=10)
    engine = QueuedEngine(make(), Ticket(), Observer(), Admission(limits), limits)
    with pytest.raises(MemoryBudgetError, match="the plates take"):
        engine.run(make_request("negate"))


def test_a_queued_engine_stops_waiting_and_stops_running_when_cancelled(make: Make) -> None:
    queue = make()
    gate, _ = busy(queue)
    cancelled = threading.Event()
    asked = threading.Event()

    def ask() -> bool:
        asked.set()
        return cancelled.is_set()

    outcomes: list[type[BaseException]] = []

    def run() -> None:
        try:
            engine = QueuedEngine(queue, Ticket(), Observer(), Admission(Limits()))
            engine.run(make_request("endless"), Control(cancelled=ask))
        except BaseException as error:
            outcomes.append(type(error))

    for waits in (True, False):
        cancelled.clear()
        asked.clear()
        if not waits:
            gate.open.set()
        thread = threading.Thread(target=run)
        thread.start()
        assert asked.wait(20)
        if not waits:
            wait_until(lambda: bool(queue.snapshot().running), "it does not run")
        cancelled.set()
        thread.join(20)
    assert outcomes == [JobCancelledError, JobCancelledError]
