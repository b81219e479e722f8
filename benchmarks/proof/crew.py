# SPDX-License-Identifier: Apache-2.0
"""The client processes of the soak: given work, killed in the middle of it, started again, asked what became of it."""

import json
import random
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ROUND_LIMIT_S = 900.0
_LEAVE_LIMIT_S = 60.0
_LOOK_S = 0.03


@dataclass
class _Client:
    """One process, and the file of facts that it writes."""

    popen: "subprocess.Popen[str]"
    facts: Path
    read: int = 0
    todo: set[int] = field(default_factory=set)
    open: set[int] = field(default_factory=set)
    working: bool = False


class Crew:
    """Starts and leads client processes.

    Args:
        arguments: What each is told (`proof.client`).
        folder: Where their facts and their words go.
        clients: How many at once.

    Attributes:
        kills: Clients that were killed.
        results: What became of each request, in the order of the ends: (serial, what, fact).
    """

    def __init__(self, arguments: Sequence[str], folder: Path, clients: int) -> None:
        self._arguments = list(arguments)
        self._folder = folder
        self._count = clients
        self._clients: list[_Client] = []
        self._started = 0
        self.kills = 0
        self.results: list[tuple[int, str, dict[str, Any]]] = []

    def work(self, serials: Sequence[int], events: Iterable[tuple[float, Callable[["Crew"], None]]]) -> None:
        """Has requests made, and returns when all ended.

        Args:
            serials: The requests.
            events: What happens meanwhile, each at its share (0 to 1) of the requests begun.

        Raises:
            RuntimeError: A client ended by itself, or the round takes too long.
        """
        while len(self._clients) < self._count:
            self._clients.append(self._start())
        for number, client in enumerate(self._clients):
            self._order(client, [serial for serial in serials if serial % self._count == number])
        before = len(self.results)
        waiting = sorted(events, key=lambda event: event[0])
        end = time.monotonic() + _ROUND_LIMIT_S
        while any(client.working for client in self._clients):
            if time.monotonic() > end:
                raise RuntimeError(f"a round takes longer than {_ROUND_LIMIT_S:.0f} s; {self.tally()}")
            self._listen()
            share = (len(self.results) - before) / max(1, len(serials))
            while waiting and waiting[0][0] <= share:
                waiting.pop(0)[1](self)
        for client in self._clients:
            self._read(client)

    def kill_one(self, dice: random.Random) -> None:
        """``kill -9`` of a client in the middle of a request; another goes on with what it had left."""
        busy = [client for client in self._clients if client.working]
        if not busy:
            return
        client = dice.choice(busy)
        client.popen.kill()
        client.popen.wait()
        self._close(client)
        self._read(client)
        self.kills += 1
        for serial in sorted(client.open):
            self.results.append((serial, "killed", {}))
        fresh = self._start()
        self._clients[self._clients.index(client)] = fresh
        self._order(fresh, sorted(client.todo - client.open))

    def leave(self) -> None:
        """Lets every client end as it would."""
        for client in self._clients:
            assert client.popen.stdin is not None
            client.popen.stdin.close()
        for client in self._clients:
            code = client.popen.wait(_LEAVE_LIMIT_S)
            if code:
                raise RuntimeError(f"a client left with {code}: {self._words(client)}")
            self._close(client)
        self._clients.clear()

    def close(self) -> None:
        """Ends every client, whatever it does."""
        for client in self._clients:
            if client.popen.poll() is None:
                client.popen.kill()
                client.popen.wait()
            self._close(client)
        self._clients.clear()

    def tally(self) -> dict[str, int]:
        """How many requests ended how."""
        return dict(sorted(Counter(what for _, what, _ in self.results).items()))

    def _start(self) -> _Client:
        self._started += 1
        facts = self._folder / f"client-{self._started}.jsonl"
        facts.touch()
        with facts.with_suffix(".err").open("wb") as stream:
            popen = subprocess.Popen(
                [sys.executable, "-m", "proof.client", *self._arguments, "--facts", str(facts)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                cwd=Path(__file__).resolve().parents[1],
            )
        return _Client(popen, facts)

    def _order(self, client: _Client, serials: list[int]) -> None:
        assert client.popen.stdin is not None
        client.todo = set(serials)
        client.working = bool(serials)
        if serials:
            client.popen.stdin.write(json.dumps(serials) + "\n")
            client.popen.stdin.flush()

    def _listen(self) -> None:
        streams = {client.popen.stdout: client for client in self._clients if client.working}
        ready, _, _ = select.select([stream for stream in streams if stream is not None], [], [], _LOOK_S)
        for stream in ready:
            client = streams[stream]
            if not stream.readline():
                raise RuntimeError(f"a client ended by itself: {self._words(client)}")
            client.working = False
        for client in self._clients:
            self._read(client)

    def _read(self, client: _Client) -> None:
        """What the client wrote down since the last look; a last line may be half written."""
        with client.facts.open("rb") as stream:
            stream.seek(client.read)
            data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        client.read += len(whole)
        for line in whole.splitlines():
            fact = json.loads(line)
            serial, what = int(fact["serial"]), str(fact["what"])
            if what == "began":
                client.open.add(serial)
            else:
                client.open.discard(serial)
                client.todo.discard(serial)
                self.results.append((serial, what, fact))

    def _words(self, client: _Client) -> str:
        return client.facts.with_suffix(".err").read_text(encoding="utf-8", errors="replace")[-2000:]

    def _close(self, client: _Client) -> None:
        for stream in (client.popen.stdin, client.popen.stdout):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue  # an order that a killed client never read
