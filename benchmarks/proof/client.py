# SPDX-License-Identifier: Apache-2.0
"""One client process of the soak: sends what it is told to, checks each result, and writes down what became of it.

Orders come as lines of JSON on standard input, one a round; after each it says ``done``. Facts go to a file line by
line, so that they outlive a ``kill -9``: ``began`` before a request is sent, its outcome after it.
"""

import argparse
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from proof.exact_pack import PACK_ID
from proof.plan import CANCEL, DEADLINE, TENSORS, TRANSPORTS, USERS, Item, plan_item, request_of, wrong
from proof.tensors import TensorClient
from understudy.client.engine import RemoteEngine
from understudy.client.sender import Sender
from understudy.contracts.engine import Control, Engine
from understudy.contracts.errors import JobCancelledError, PackError, UnavailableError
from understudy.contracts.jobs import RoleRequest, RoleResult
from understudy.roles.engine import LocalEngine

_TIMEOUT_S = 300.0
_TORN_AGAIN = 10
_TORN_WAIT_S = 0.2


def main() -> int:
    """Works until its standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--facts", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--large-every", type=int, required=True)
    parser.add_argument("--large-size", type=int, nargs=2, required=True)
    options = parser.parse_args()
    facts = _Facts(options.facts)
    here = LocalEngine(device="cpu")
    ends = _Ends(options.address)
    width, height = options.large_size
    with ThreadPoolExecutor(options.threads) as pool:
        for line in sys.stdin:
            items = [plan_item(options.seed, n, options.large_every, (width, height)) for n in json.loads(line)]
            list(pool.map(lambda item: _one(item, ends, here, facts), items))
            print("done", flush=True)
    ends.close()
    here.close()
    return 0


class _Ends:
    """Connections to the service: one for each user and transport, and one for tensors."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.tensors = TensorClient(address, _TIMEOUT_S)
        self._engines = {
            (user, transport): self._engine(user, transport, _TIMEOUT_S) for user in USERS for transport in TRANSPORTS
        }

    def engine(self, item: Item) -> RemoteEngine:
        """The one that an item goes by."""
        return self._engines[item.user, item.transport]

    def hasty(self, item: Item) -> RemoteEngine:
        """One of its own for an item that gives up soon."""
        return self._engine(item.user, item.transport, item.after_s)

    def close(self) -> None:
        """Leaves."""
        self.tensors.close()
        for engine in self._engines.values():
            engine.close()

    def _engine(self, user: str, transport: str, timeout_s: float) -> RemoteEngine:
        sender = Sender(user=user, priority=USERS[user])
        return RemoteEngine(self._address, timeout_s=timeout_s, transport=transport, sender=sender)


class _Facts:
    """Lines of JSON in a file that is written without a buffer."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, serial: int, what: str, **more: Any) -> None:
        line = json.dumps({"serial": serial, "what": what, **more})
        os.write(self._file, (line + "\n").encode())


def _one(item: Item, ends: _Ends, here: Engine, facts: _Facts) -> None:
    request = request_of(item)
    facts.add(item.serial, "began")
    started = time.monotonic()
    try:
        what, more = _outcome(item, request, ends, here)
    except Exception as error:
        what, more = "failed", {"said": f"{type(error).__name__}: {error}"}
    facts.add(item.serial, what, pack=item.pack, seconds=round(time.monotonic() - started, 4), **more)


def _outcome(item: Item, request: RoleRequest, ends: _Ends, here: Engine) -> tuple[str, dict[str, str]]:
    """``right``, ``wrong``, ``cancelled``, ``late`` or ``failed``, and what to say of it."""
    if item.transport == TENSORS:
        said = ends.tensors.wrong(request.plates["plate"].take("RGB"), request.request_id)
        return "wrong" if said else "right", {"said": said}
    try:
        if item.end == DEADLINE:
            hasty = ends.hasty(item)
            try:
                result = hasty.run(request)
            finally:
                hasty.close()
        elif item.end == CANCEL:
            result = ends.engine(item).run(request, _cancel_after(item.after_s))
        else:
            result = _run(ends.engine(item), request)
    except JobCancelledError as error:
        return "cancelled" if item.end == CANCEL else "failed", {"said": str(error)}
    except UnavailableError as error:
        return "late" if item.end == DEADLINE else "failed", {"said": str(error)}
    said = wrong(item, request, result, here)
    facts = {"version": result.pack.version} if item.pack == PACK_ID else {}
    return "wrong" if said else "right", facts | ({"said": said} if said else {})


def _run(engine: RemoteEngine, request: RoleRequest) -> RoleResult:
    """Runs a request; again, when a file of its pack was written over and the manifest beside it not yet."""
    for _ in range(_TORN_AGAIN):
        try:
            return engine.run(request)
        except PackError as error:
            if "has other bytes than pack.toml declares" not in str(error):
                raise
            time.sleep(_TORN_WAIT_S)
    return engine.run(request)


def _cancel_after(seconds: float) -> Control:
    gone = threading.Event()
    timer = threading.Timer(seconds, gone.set)
    timer.daemon = True
    timer.start()
    return Control(cancelled=gone.is_set)


if __name__ == "__main__":
    sys.exit(main())
