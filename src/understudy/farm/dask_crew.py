# SPDX-License-Identifier: Apache-2.0
"""The workers of a Dask job: asks each, late ones too, whether it can do the job alike before it gets a chunk."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

from understudy.contracts import errors
from understudy.contracts.engine import Control
from understudy.contracts.errors import UnavailableError, UnderstudyError, UsageError
from understudy.farm.dask_seat import dismiss, enroll, is_busy

Answers = dict[str, UnderstudyError | None]
"""Address of a worker, to why it can't do the job."""

PATIENCE_S = 600.0
"""How long a job waits for a first worker, or for another one when all are gone."""

Result = TypeVar("Result")

_LOOK_S = 1.0
_TICK_S = 0.1
_CLEAN_UP_S = 3.0
"""How long workers may take to stop: a command that is told to has a second more."""


class Crew:
    """The workers that may render a job.

    Args:
        client: The ``distributed.Client``.
        job: The job as its workers are told, JSON types alone; ``token`` names it.
        refill: Called while fewer of our own workers are there than were started.
        patience_s: How long it waits for workers.
    """

    def __init__(
        self, client: Any, job: Mapping[str, Any], refill: Callable[[], None], *, patience_s: float = PATIENCE_S
    ) -> None:
        self._client = client
        self._refill = refill
        self._job = job
        self._patience_s = patience_s
        self._asking: Future[Answers] | None = None
        self._asked: set[str] = set()
        self._able: set[str] = set()
        self._looked = 0.0
        self._alone_since = time.monotonic()

    @property
    def able(self) -> frozenset[str]:
        """Addresses of the workers that may render now."""
        return frozenset(self._able)

    def muster(self, control: Control) -> None:
        """Waits for workers, and asks all that are there.

        Raises:
            UnderstudyError: One of them differs; it says which and in what.
            UnavailableError: None came.
            JobCancelledError: The caller cancelled.
        """
        answers: Answers = {}
        while not self._able and not any(answers.values()):
            control.check()
            answers = self.look(at_once=True)
            self._require_company()
            time.sleep(_TICK_S)
        refused = [problem for _, problem in sorted(answers.items()) if problem is not None]
        if len(refused) > 1:
            refused[0].problem += f"; so do {len(refused) - 1} more of {len(answers)} workers, or in another way"
        if refused:
            raise refused[0]

    def look(self, *, at_once: bool = False) -> Answers:
        """Notices workers that came and went; now and then, as it costs a message.

        Returns:
            What those answered that were asked since.

        Raises:
            UnavailableError: All are gone, and none came for a long time.
        """
        if self._asking is not None and self._asking.done():
            done, self._asking = self._asking, None
            answers = done.result()
            self._able |= {one for one, problem in answers.items() if problem is None and one in self._asked}
            return answers
        if at_once or time.monotonic() - self._looked > _LOOK_S:
            there = set(self._client.nthreads())
            self._looked = time.monotonic()
            if len(there) < len(self._job["cores"]):
                self._refill()  # Dask starts one anew that was killed, but not one that was killed while it started
            self._able &= there
            self._asked &= there
            new = sorted(there - self._asked)
            if new and self._asking is None:
                self._asked |= set(new)
                self._asking = _beside(lambda: self._ask(new))
            self._require_company()
        return {}

    def rest(self, *, cancelled: bool) -> None:
        """Lets the workers go; with ``cancelled`` once none of them works on the job any more."""
        token, until = self._job["token"], time.monotonic() + _CLEAN_UP_S

        def goodbye() -> None:
            self._able &= set(self._client.nthreads())
            while cancelled and any(self._run(is_busy, token).values()) and time.monotonic() < until:
                time.sleep(_TICK_S)
            self._run(dismiss, token)

        with suppress(Exception):  # a scheduler that went away needs none, and a worker that hangs keeps nobody
            _beside(goodbye).result(_CLEAN_UP_S + 1)

    def _require_company(self) -> None:
        if self._able or self._asking is not None:
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since > self._patience_s:
            raise UnavailableError(
                f"no worker came within {self._patience_s:.0f} s",
                where=self._client.scheduler.address,
                fix="start some and submit again; frames that are done stay",
            )

    def _ask(self, addresses: list[str]) -> Answers:
        said = self._run(enroll, self._job, addresses)
        # One that went away meanwhile comes again under another address, or not.
        return {where: _problem(where, answer) for where, answer in said.items() if not isinstance(answer, OSError)}

    def _run(self, function: Callable[..., Any], argument: Any, addresses: Iterable[str] = ()) -> dict[str, Any]:
        workers = list(addresses) or sorted(self._able)
        return self._client.run(function, argument, workers=workers, on_error="return") if workers else {}


def _beside(work: Callable[[], Result]) -> "Future[Result]":
    """Runs work that may hang in a thread that keeps no process alive."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, name="crew", daemon=True).start()
    return future


def error_of(said: Mapping[str, Any], where: str = "") -> UnderstudyError:
    """An error that a worker told as JSON types.

    Args:
        said: As ``dask_seat.told`` gives it.
        where: What it is about, before what the worker says itself.
    """
    kind = getattr(errors, str(said["kind"]), UnderstudyError)
    place = ": ".join(filter(None, (where, said["where"])))
    return kind(said["problem"], where=place or None, fix=said["fix"])


def _problem(address: str, said: Any) -> UnderstudyError | None:
    """What a worker's answer means; None when it can do the job."""
    where = f"worker {address}"
    if said is None:
        return None
    if isinstance(said, Mapping):
        return error_of(said, where)
    return UsageError(
        f"has no Understudy of this version ({type(said).__name__}: {said})",
        where=where,
        fix="install the same version there, with the extra farm",
    )
