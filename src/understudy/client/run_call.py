# SPDX-License-Identifier: Apache-2.0
"""One ``Run`` call from the client's side: what is read, and how it is cancelled."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from understudy.client.parcel import Parcel
from understudy.codec.jobs import result_from_pb
from understudy.codec.messages import Malformed, PixelPart, ResponsePart
from understudy.codec.pixels import Receiver
from understudy.contracts.engine import NO_CONTROL, Control, ServiceTimings
from understudy.contracts.errors import InputError, MemoryBudgetError, UsageError
from understudy.contracts.jobs import RoleResult
from understudy.wire.understudy.v1 import understudy_pb2 as pb

_POLL_S = 0.05


class WrongAnswerError(Exception):
    """What came is not what a service of this version sends."""


class Watch:
    """Asks the caller beside a call whether it wants to go on, and cancels the call when not."""

    def __init__(self, call: Any, wanted: Callable[[], bool]) -> None:
        self._call = call
        self._wanted = wanted
        self._ended = threading.Event()
        self.cancelled = False
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._watch, name="understudy-cancel", daemon=True)

    def _watch(self) -> None:
        while not self._ended.wait(_POLL_S):
            try:
                self.cancelled = self._wanted()
            except BaseException as error:
                self.failure = error
            if self.cancelled or self.failure:
                self._call.cancel()
                return

    def __enter__(self) -> Self:
        if self._wanted is not NO_CONTROL.cancelled:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._call.cancel()
        if self._thread.ident is not None:
            self._thread.join()


@contextmanager
def decoding() -> Iterator[None]:
    """Errors of the codec as what they mean here: the answer is wrong."""
    try:
        yield
    except (UsageError, InputError) as error:
        raise WrongAnswerError(str(error)) from error
    except MemoryError:
        raise MemoryBudgetError(
            "the result does not fit in this machine's memory", fix="ask for smaller plates"
        ) from None


def read_result(call: Iterator[ResponsePart | Malformed], control: Control, parcel: Parcel) -> RoleResult:
    """Reads progress and result of a call.

    Args:
        call: What the service sends.
        control: Hears of progress.
        parcel: The pixels of the call.

    Raises:
        WrongAnswerError: The answer can't be used.
        grpc.RpcError: The call failed.
    """
    header: pb.ResultHeader | None = None
    receiver: Receiver | None = None
    result: RoleResult | None = None
    for part in call:
        if isinstance(part, Malformed):
            raise WrongAnswerError(part.reason)
        if isinstance(part, PixelPart):
            if receiver is None:
                raise WrongAnswerError("pixels come before the header")
            with decoding():
                receiver.add(part)
            continue
        kind = part.WhichOneof("part")
        if kind == "progress":
            control.progress(part.progress.done, part.progress.total)
        elif kind == "wanted":
            parcel.want(part.wanted)
        elif kind == "header":
            header = part.header
            if header.HasField("timings"):
                spent = header.timings
                control.timed(ServiceTimings(receive_s=spent.receive, queue_s=spent.queue, run_s=spent.run))
            with decoding():
                receiver = parcel.receiver(header)
        elif kind == "end" and header is not None and receiver is not None:
            with decoding():
                result = result_from_pb(header, receiver.finish())
        # Other kinds are events that a later version of the service sends.
    if result is None:
        raise WrongAnswerError("it breaks off before its end")
    return result
