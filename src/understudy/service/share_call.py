# SPDX-License-Identifier: Apache-2.0
"""The ``ShareMemory`` call: a client's regions live as long as it lasts."""

import threading
from collections.abc import Iterator
from typing import Any

from understudy.codec.messages import Malformed
from understudy.contracts.errors import UsageError
from understudy.service.caller import caller_of
from understudy.service.log import log_event
from understudy.service.memfd import NotShareableError
from understudy.service.observer import Observer
from understudy.service.regions import Regions, Session
from understudy.service.rpc_errors import rpc_errors
from understudy.wire.understudy.v1 import understudy_pb2 as pb

Requests = Iterator[pb.ShareRequest | Malformed]


class ShareCalls:
    """Serves ``ShareMemory``.

    Args:
        regions: Where the regions are kept.
        observer: Watches.
    """

    def __init__(self, regions: Regions, observer: Observer) -> None:
        self._observer = observer
        self._regions = regions
        self._lock = threading.Lock()
        self._open: set[Any] = set()

    def share(self, requests: Requests, context: Any) -> Iterator[pb.ShareResponse]:
        """Answers one call, for as long as the client holds it open."""
        with self._observer.call(context) as call, rpc_errors(context, call):
            caller = caller_of(context)
            if not caller.local:
                raise UsageError("memory is shared on one machine only", fix="send the pixels instead")
            session = self._regions.open(caller)
            with self._lock:
                self._open.add(context)
            log_event("share memory", {"request_id": call.request_id, "peer": context.peer()})
            try:
                for request in requests:
                    if isinstance(request, Malformed):
                        raise UsageError(f"the message can't be read: {request.reason}")
                    yield self._answer(session, request)
            finally:
                self._regions.close(session)
                with self._lock:
                    self._open.discard(context)

    def end_all(self) -> None:
        """Ends all open calls: the service stops."""
        with self._lock:
            contexts = list(self._open)
        for context in contexts:
            context.cancel()

    def _answer(self, session: Session, request: pb.ShareRequest) -> pb.ShareResponse:
        try:
            match request.WhichOneof("part"):
                case "add":
                    return pb.ShareResponse(added=self._regions.add(session, request.add))
                case "drop":
                    self._regions.drop(session, request.drop)
                    return pb.ShareResponse(dropped=request.drop)
                case _:
                    return pb.ShareResponse(refused="this version of the service does not know the request")
        except NotShareableError as refusal:
            return pb.ShareResponse(refused=str(refusal))
