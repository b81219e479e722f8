# SPDX-License-Identifier: Apache-2.0
"""Which models are in memory: loaded once when first wanted, kept while used, let go by how long ago that was.

A model is known by its pack's digest, so that two versions, or the old and the new bytes of one, lie side by side.
Loads take turns on a thread of their own: what the process grows by meanwhile is the model's, and whoever waits can be
cancelled. Nothing ever waits for the budget, so a request that needs two models can't be stuck between them.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from understudy.contracts.engine import NO_CONTROL, Control, PackState
from understudy.contracts.errors import MemoryBudgetError, UnavailableError, UnderstudyError
from understudy.packs.pack import Pack
from understudy.roles.pack_settings import PackSettings
from understudy.roles.resident import Resident, file_bytes

_ASK_S = 0.1  # how often a waiting request asks whether it was cancelled
_LONGEST_RETRY_S = 300.0


@dataclass(eq=False)
class Entry:
    """One model's place; only :class:`Residency` changes it.

    Attributes:
        pack: Its pack.
        state: Where it is; ``absent`` is neither in memory nor on the way.
        users: Calls that use it, or wait for it.
        pinned: Never evicted.
        leaving: Goes as soon as nobody uses it.
        resident: The model while it is ready.
        used_at: When it was last let go of, seconds of the clock.
        error: Why the last load failed.
        retry_at: When it may be tried again.
        delay_s: How long that is after the failure.
        stamp: Its files, as they were when it failed.
        size: Bytes it took when it was last loaded.
    """

    pack: Pack
    state: Literal["absent", "loading", "ready", "failed"] = "absent"
    users: int = 0
    pinned: bool = False
    leaving: bool = False
    resident: Resident | None = None
    used_at: float = 0.0
    error: UnderstudyError | None = None
    retry_at: float = 0.0
    delay_s: float = 0.0
    stamp: object = None
    size: int = 0
    told: PackState | None = field(default=None, repr=False)

    def shown(self) -> PackState:
        """As the engine tells of it."""
        names: dict[str, Literal["available", "loading", "ready", "draining", "failed"]] = {
            "absent": "available", "loading": "loading", "ready": "ready", "failed": "failed",
        }  # fmt: skip
        return PackState(
            pin=self.pack.pin,
            state="draining" if self.leaving and self.state == "ready" else names[self.state],
            device=self.resident.packed.device if self.resident else "",
            users=self.users,
            resident_bytes=self.resident.size if self.resident else 0,
            pinned=self.pinned,
            problem=str(self.error) if self.state == "failed" and self.error else "",
        )


class Residency:
    """Keeps models within a budget.

    Args:
        load: Brings a pack into memory.
        settings: The budget and the times.
        tell: Told of each change of a state, in order.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        load: Callable[[Pack], Resident],
        settings: PackSettings,
        tell: Callable[[PackState], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._settings = settings
        self._tell = tell
        self._clock = clock
        self._budget = settings.memory_budget
        self._changed = threading.Condition()
        self._entries: dict[str, Entry] = {}  # by digest, the longest unused first
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="understudy-load")
        self._closed = False
        self._news: deque[PackState] = deque()
        self._telling = threading.RLock()
        self._told_by = 0

    def reserve(self, pack: Pack) -> Entry:
        """Counts a user in and has the model loaded where it is not; never waits. Each call needs a ``release``.

        Raises:
            UnderstudyError: The last load failed, its files are what they were, and it is too soon to try again.
            UnavailableError: The engine is closed.
        """
        with self._changed:
            if self._closed:
                raise UnavailableError("the engine is closed")
            entry = self._entries.setdefault(pack.digest, Entry(pack))
            if entry.state == "failed" and self._clock() < entry.retry_at and entry.stamp == _stamp(pack):
                assert entry.error is not None
                raise _again(entry.error)
            entry.users += 1
            entry.leaving = False  # the same bytes are wanted again
            if entry.state in {"absent", "failed"}:
                entry.pack, entry.state = pack, "loading"
                self._loader.submit(self._bring, entry)
            self._note(entry)  # told by whoever waits: the caller may hold a lock that a listener wants
        return entry

    def wait(self, entry: Entry, control: Control = NO_CONTROL) -> Resident:
        """The model of a reserved entry, once it is loaded.

        Raises:
            UnderstudyError: It does not load.
            JobCancelledError: The caller cancelled meanwhile; the load goes on for others.
        """
        self._spread()
        with self._changed:
            while entry.state == "loading" and not self._closed:
                control.check()
                self._changed.wait(_ASK_S)
            if entry.resident is None:
                raise _again(entry.error or UnavailableError("the engine is closed"))
            return entry.resident

    def release(self, entry: Entry) -> None:
        """Counts a user out; what is then over the budget, or was only kept for that user, leaves memory."""
        with self._changed:
            entry.users -= 1
            self._touch(entry)
            gone = self._let_go(self._surplus())
            if entry.state == "failed" and entry.leaving and not entry.users:
                del self._entries[entry.pack.digest]
        self._drop(gone)

    def pin(self, entry: Entry, *, pinned: bool = True) -> None:
        """Says whether a model may be evicted."""
        with self._changed:
            entry.pinned = pinned
            self._note(entry)
        self._spread()

    def retire(self, digest: str) -> PackState | None:
        """Unpins a model and lets it go, at once or when its last user does; None for one that is not here."""
        with self._changed:
            entry = self._entries.get(digest)
            if entry is None:
                return None
            entry.pinned, entry.leaving = False, True
            gone = self._let_go([] if entry.users or entry.state != "ready" else [entry])
            if entry.state == "failed" and not entry.users:
                del self._entries[digest]
            self._note(entry)
            state = entry.shown()
        self._drop(gone)
        return state

    def unload_idle(self) -> None:
        """Lets models go that nobody used for longer than the settings allow."""
        limit = self._settings.idle_unload_s
        if not limit:
            return
        with self._changed:
            oldest = self._clock() - limit
            gone = self._let_go([entry for entry in self._free() if entry.used_at <= oldest])
        self._drop(gone)

    def find(self, digest: str) -> PackState | None:
        """The state of a model; None where nothing is known of it."""
        with self._changed:
            entry = self._entries.get(digest)
            return entry.shown() if entry else None

    def states(self) -> tuple[PackState, ...]:
        """The state of each model something is known of, the longest unused first."""
        with self._changed:
            return tuple(entry.shown() for entry in self._entries.values())

    def close(self) -> None:
        """Frees every model once the load that is under way has ended; nobody may use one any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._loader.shutdown(wait=True, cancel_futures=True)
        with self._changed:
            for entry in self._entries.values():
                if entry.state == "loading":  # its load was cancelled before it began
                    entry.state, entry.error = "failed", UnavailableError("the engine is closed")
            gone = self._let_go([entry for entry in self._entries.values() if entry.state == "ready"])
        self._drop(gone)

    def _bring(self, entry: Entry) -> None:
        """Loads on the loader's thread, after room was made."""
        resident: Resident | None = None
        error: UnderstudyError | None = None
        stamp = _stamp(entry.pack)
        with self._changed:
            gone = self._let_go(self._surplus(entry.size or file_bytes(entry.pack)))
        self._drop(gone)
        try:
            resident = self._loaded(entry.pack)
        except UnderstudyError as caught:
            error = caught
        except Exception as caught:  # whoever waits must not wait for ever
            text = " ".join(str(caught).split())
            error = UnderstudyError(f"loading {entry.pack.pin} failed: {type(caught).__name__}: {text}"[:600])
        with self._changed:
            entry.resident, entry.error = resident, error
            if resident is not None:
                entry.state, entry.size, entry.delay_s = "ready", resident.size, 0.0
            else:
                entry.state, entry.stamp = "failed", stamp
                entry.delay_s = min(entry.delay_s * 2 or self._settings.retry_s, _LONGEST_RETRY_S)
                entry.retry_at = self._clock() + entry.delay_s
            self._touch(entry)
            self._note(entry)
            gone = self._let_go(self._surplus())
            self._changed.notify_all()
        self._drop(gone)

    def _loaded(self, pack: Pack) -> Resident:
        try:
            return self._load(pack)
        except MemoryBudgetError:
            with self._changed:
                gone = self._let_go(self._free())
            if not gone:
                raise
            self._drop(gone)
            return self._load(pack)

    def _touch(self, entry: Entry) -> None:
        entry.used_at = self._clock()
        if self._entries.get(entry.pack.digest) is entry:
            self._entries[entry.pack.digest] = self._entries.pop(entry.pack.digest)

    def _free(self) -> list[Entry]:
        """What may leave, the longest unused first."""
        return [e for e in self._entries.values() if e.state == "ready" and not e.users and not e.pinned]

    def _surplus(self, wanted: int = 0) -> list[Entry]:
        """What has to leave: drained models, then the longest unused ones until the budgets hold."""
        free = self._free()
        surplus = [entry for entry in free if entry.leaving]
        held: dict[str, int] = {"cpu": wanted}
        for entry in self._entries.values():
            if entry.resident is not None and entry not in surplus:
                held[_place(entry)] = held.get(_place(entry), 0) + entry.resident.size
        for entry in free:
            place = _place(entry)
            budget = self._budget if place == "cpu" else self._settings.resident_vram_bytes
            if entry not in surplus and budget and held[place] > budget:
                held[place] -= entry.size
                surplus.append(entry)
        return surplus

    def _let_go(self, entries: Iterable[Entry]) -> list[Resident]:
        """Takes models out; the caller closes them by ``_drop`` once it holds no lock."""
        gone: list[Resident] = []
        for entry in entries:
            if entry.resident is not None:
                gone.append(entry.resident)
            entry.resident, entry.state, entry.pinned = None, "absent", False
            if entry.leaving:
                entry.leaving = False
                if self._entries.get(entry.pack.digest) is entry:
                    del self._entries[entry.pack.digest]
            self._note(entry)
        return gone

    def _drop(self, gone: list[Resident]) -> None:
        for resident in gone:
            resident.close()
        self._spread()

    def _note(self, entry: Entry) -> None:
        state = entry.shown()
        if entry.told is None or _news(entry.told) != _news(state):
            entry.told = state
            self._news.append(state)

    def _spread(self) -> None:
        """Tells the news in order and outside the lock; a listener that changes states hears of it afterwards."""
        with self._telling:
            if self._told_by == threading.get_ident():
                return
            self._told_by = threading.get_ident()
            try:
                while self._news:
                    self._tell(self._news.popleft())
            finally:
                self._told_by = 0


def _place(entry: Entry) -> str:
    """Whose memory a model lies in."""
    return entry.resident.packed.device if entry.resident else "cpu"


def _news(state: PackState) -> tuple[object, ...]:
    return (state.state, state.device, state.resident_bytes, state.pinned, state.problem)


def _stamp(pack: Pack) -> object:
    """What changes when somebody writes to one of the pack's files."""
    stamps: list[tuple[int, int, int] | None] = []
    for path, _ in pack.files():
        try:
            found = path.stat()
            stamps.append((found.st_size, found.st_mtime_ns, found.st_ino))
        except OSError:
            stamps.append(None)
    return tuple(stamps)


def _again(error: UnderstudyError) -> UnderstudyError:
    """The error anew: one exception raised by several threads would gather all their tracebacks."""
    return type(error)(error.problem, where=error.where, fix=error.fix)
