# SPDX-License-Identifier: Apache-2.0
"""When a failed call is sent again. Role requests change nothing on the service, so sending one twice is safe."""

import time
from dataclasses import dataclass
from random import SystemRandom
from typing import Literal

from understudy.contracts.engine import Control
from understudy.contracts.errors import UnderstudyError

_LOOK_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often one request is sent again, always within the call's own deadline.

    Attributes:
        lost: After a replica went away or stops.
        busy: After a service said that it is busy.
        first_wait_s: Before a request is first sent again; doubled each time, and scattered by half.
        longest_wait_s: Longest such wait. A busy service's own word on when to come back is kept even if longer.
    """

    lost: int = 4
    busy: int = 60
    first_wait_s: float = 0.1
    longest_wait_s: float = 2.0


DEFAULT_RETRIES = Retries()
"""What clients do unless told otherwise."""

NO_RETRIES = Retries(lost=0, busy=0)
"""Every failure is told at once."""


class SendAgainError(Exception):
    """A call failed so that sending the request again may help.

    Args:
        error: What to raise when it is not sent again.
        why: Whether the service was ``lost`` or ``busy``.
        after_s: When a busy service wants to be asked again.
        answered: A service was there and said so itself.
    """

    def __init__(
        self, error: UnderstudyError, why: Literal["lost", "busy"], after_s: float = 0.0, *, answered: bool = True
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.why = why
        self.after_s = after_s
        self.answered = answered


class Patience:
    """Counts how often one request was sent again.

    Args:
        retries: The bounds.
        deadline: When the call ends for good, by `time.monotonic`.
        replicas: How many there are: another one may be free at once.
    """

    def __init__(self, retries: Retries, deadline: float, replicas: int) -> None:
        self._retries = retries
        self._deadline = deadline
        self._replicas = replicas
        self._times = {"lost": 0, "busy": 0}

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline, at least a millisecond."""
        return max(1e-3, self._deadline - time.monotonic())

    def wait(self, failure: SendAgainError, control: Control) -> None:
        """Waits before the request is sent again.

        Raises:
            UnderstudyError: The failure, when the request was sent often enough or the deadline comes first.
            JobCancelledError: The caller cancelled.
        """
        times = self._times[failure.why]
        if times >= getattr(self._retries, failure.why):
            raise failure.error
        self._times[failure.why] = times + 1
        wait_s = min(self._retries.longest_wait_s, self._retries.first_wait_s * 2 ** min(times, 16))
        wait_s *= SystemRandom().uniform(0.5, 1.5)  # clients of one killed replica must not come back all at once
        if failure.why == "busy" and times + 1 >= self._replicas:
            wait_s = max(wait_s, failure.after_s * SystemRandom().uniform(1.0, 1.25))
        if wait_s >= self.remaining_s:
            raise failure.error
        end = time.monotonic() + wait_s
        while (left := end - time.monotonic()) > 0:
            control.check()
            time.sleep(min(left, _LOOK_S))
        control.check()
