# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM: a job ends at the next good moment, and within seconds where none comes."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

GRACE_S = 4.0
"""A job that was told to stop gets so long to finish or drop what it is at: farms kill after five seconds."""

_TELL_S = 0.5
_STOPPED = 0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def cancel_on_signal() -> Iterator[list[int]]:
    """A list that gets the signal's number on Ctrl-C or SIGTERM, for the job to look at.

    A second signal, or ``GRACE_S`` after the first one, removes what is half written and ends the process with exit
    code 130, whatever it is doing: a model may be inside a call that can't be stopped. So close with everything that
    may take long inside.
    """
    from understudy.frames.atomic import abandon  # before anything can go wrong

    caught: list[int] = []
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)

    def watch() -> None:
        waiting = True
        while waiting:
            number = next(iter(ours.recv(1)), _STOPPED)
            if number in _SIGNALS:
                caught.append(number)
                waiting = False
            elif number == _STOPPED:
                return
        ours.settimeout(GRACE_S)
        try:
            while (number := next(iter(ours.recv(1)), _STOPPED)) not in _SIGNALS:
                if number == _STOPPED:
                    return
        except TimeoutError:
            pass
        abandon()
        _end()

    # The system's own handler writes to the socket, even while Python's can't run: inside a long call of a library.
    previous = {number: signal.signal(number, _no_more) for number in _SIGNALS}
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, name="signals", daemon=True)
    watcher.start()
    try:
        yield caught
    finally:
        theirs.send(bytes([_STOPPED]))
        watcher.join()
        signal.set_wakeup_fd(before)
        for number, handler in previous.items():
            signal.signal(number, handler)
        ours.close()
        theirs.close()


def _no_more(_number: int, _frame: object) -> None:
    """In place of the usual handlers, which would end the process or raise in the middle of anything."""


def _end() -> NoReturn:
    from understudy.cli.ending import tell
    from understudy.contracts.errors import JobCancelledError

    error = JobCancelledError("cancelled in the middle of a call that could not be stopped")
    telling = threading.Thread(target=tell, args=(error,), daemon=True)  # nobody may be reading what we say
    telling.start()
    telling.join(_TELL_S)
    os._exit(error.exit_code)
