# SPDX-License-Identifier: Apache-2.0
"""When a request is sent again, and for how long."""

import time

import pytest

from understudy.client.retries import NO_RETRIES, Patience, Retries, SendAgainError
from understudy.contracts.engine import NO_CONTROL, Control
from understudy.contracts.errors import JobCancelledError, UnavailableError

ERROR = UnavailableError("gone")
FAST = Retries(lost=3, busy=2, first_wait_s=0.001, longest_wait_s=0.002)


def soon() -> float:
    return time.monotonic() + 60


def test_a_lost_service_is_tried_a_bounded_number_of_times() -> None:
    patience = Patience(FAST, soon(), 1)
    for _ in range(3):
        patience.wait(SendAgainError(ERROR, "lost"), NO_CONTROL)
    patience.wait(SendAgainError(ERROR, "busy"), NO_CONTROL)  # counted apart
    with pytest.raises(UnavailableError) as caught:
        patience.wait(SendAgainError(ERROR, "lost"), NO_CONTROL)
    assert caught.value is ERROR


def test_without_retries_the_first_failure_is_told() -> None:
    for failure in (SendAgainError(ERROR, "lost"), SendAgainError(ERROR, "busy", 1.0)):
        with pytest.raises(UnavailableError):
            Patience(NO_RETRIES, soon(), 3).wait(failure, NO_CONTROL)


def test_nobody_waits_beyond_the_deadline() -> None:
    start = time.monotonic()
    with pytest.raises(UnavailableError):
        Patience(FAST, start + 5, 1).wait(SendAgainError(ERROR, "busy", 30.0), NO_CONTROL)
    assert time.monotonic() < start + 5


def test_a_busy_services_word_is_kept_once_every_replica_was_asked() -> None:
    slept: list[float] = []
    control = Control(cancelled=lambda: bool(slept))
    patience = Patience(FAST, soon(), 2)
    patience.wait(SendAgainError(ERROR, "busy", 30.0), control)  # the other replica may be free
    slept.append(1)
    with pytest.raises(JobCancelledError):  # it would wait 30 s now, and hears the cancel instead
        patience.wait(SendAgainError(ERROR, "busy", 30.0), control)
