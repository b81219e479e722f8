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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from proof.exact_pack import PACK_ID
from proof.plan import CANCEL, DEADLINE, TRANSPORTS, Item, plan_item, request_of, wrong
from understudy.client.engine import RemoteEngine
from understudy.contracts.engine import Control, Engine
from understudy.contracts.errors import JobCancelledError, UnavailableError, UnderstudyError
from understudy.contracts.jobs import RoleRequest, RoleResult
from understudy.roles.engine import LocalEngine

_TIMEOUT_S = 300.0
_ATTEMPTS = 400


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
    remotes = {name: RemoteEngine(options.address, timeout_s=_TIMEOUT_S, transport=name) for name in TRANSPORTS}
    width, height = options.large_size
    with ThreadPoolExecutor(options.threads) as pool:
        for line in sys.stdin:
            items = [plan_item(options.seed, n, options.large_every, (width, height)) for n in json.loads(line)]
            list(pool.map(lambda item: _one(item, remotes[item.transport], here, options.address, facts), items))
            print("done", flush=True)
    for remote in remotes.values():
        remote.close()
    here.close()
    return 0


class _Facts:
    """Lines of JSON in a file that is written without a buffer."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, serial: int, what: str, **more: Any) -> None:
        line = json.dumps({"serial": serial, "what": what, **more})
        os.write(self._file, (line + "\n").encode())


def _one(item: Item, remote: RemoteEngine, here: Engine, address: str, facts: _Facts) -> None:
    request = request_of(item)
    facts.add(item.serial, "began")
    started = time.monotonic()
    try:
        what, more = _outcome(item, request, remote, here, address)
    except Exception as error:
        what, more = "failed", {"said": f"{type(error).__name__}: {error}"}
    facts.add(item.serial, what, pack=item.pack, seconds=round(time.monotonic() - started, 4), **more)


def _outcome(
    item: Item, request: RoleRequest, remote: RemoteEngine, here: Engine, address: str
) -> tuple[str, dict[str, str]]:
    """``right``, ``wrong``, ``cancelled``, ``late`` or ``failed``, and what to say of it."""
    try:
        if item.end == DEADLINE:
            hasty = RemoteEngine(address, timeout_s=item.after_s, transport=item.transport)
            try:
                result = hasty.run(request)
            finally:
                hasty.close()
        elif item.end == CANCEL:
            result = remote.run(request, _cancel_after(item.after_s))
        else:
            result = _until_taken(lambda: remote.run(request))
    except JobCancelledError as error:
        return "cancelled" if item.end == CANCEL else "failed", {"said": str(error)}
    except UnavailableError as error:
        return "late" if item.end == DEADLINE else "failed", {"said": str(error)}
    said = wrong(item, request, result, here)
    facts = {"version": result.pack.version} if item.pack == PACK_ID else {}
    return "wrong" if said else "right", facts | ({"said": said} if said else {})


def _cancel_after(seconds: float) -> Control:
    gone = threading.Event()
    timer = threading.Timer(seconds, gone.set)
    timer.daemon = True
    timer.start()
    return Control(cancelled=gone.is_set)


def _until_taken(call: Callable[[], RoleResult]) -> RoleResult:
    """Tries again while the service is full, as it asks to."""
    for _ in range(_ATTEMPTS):
        try:
            return call()
        except UnavailableError as error:
            if "busy" not in str(error):
                raise
            time.sleep(0.05)
    raise UnderstudyError(f"the service stayed full for {_ATTEMPTS} attempts")


if __name__ == "__main__":
    sys.exit(main())
