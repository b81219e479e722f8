# SPDX-License-Identifier: Apache-2.0
"""The packs of an engine: found by pin, leased, and replaced while requests run.

The registry is immutable and swapped whole. A pack is found and its model reserved in one step, and so a request that
found the old pack is counted among its users before the swap that would let it go.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from understudy.contracts.engine import NO_CONTROL, Control, PackState
from understudy.contracts.errors import PackError
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import Role
from understudy.packs.discovery import Discovery, discover
from understudy.packs.fingerprint import Stamp, fingerprint
from understudy.packs.pack import Pack
from understudy.packs.policy import ShowPolicy
from understudy.roles.pack_settings import PackSettings
from understudy.roles.reload import Succession, succession, touched_files, trusted
from understudy.roles.residency import Entry, Residency
from understudy.roles.resident import Resident

_AGAIN_S = 30.0


class Library:
    """Finds packs and has them kept in memory.

    Args:
        extra_packs: Pack folders beside those on the search path; they are looked at first.
        settings: Which packs are trusted.
        residency: Keeps their models.
        clock: Seconds that only grow.
        policy: Tells which packs may be loaded now, None for any; asked for every request.
    """

    def __init__(
        self,
        extra_packs: Sequence[Path],
        settings: PackSettings,
        residency: Residency,
        clock: Callable[[], float] = time.monotonic,
        policy: Callable[[], ShowPolicy | None] = lambda: None,
    ) -> None:
        self._policy = policy
        self._extra_packs = tuple(extra_packs)
        self._settings = settings
        self._residency = residency
        self._clock = clock
        self._again_at: float | None = None
        self._finding = threading.Lock()
        self._refreshing = threading.Lock()
        self._problems: dict[str, str] = {}
        self._pending: tuple[Stamp, ...] | None = None
        self.found: Discovery = trusted(discover(self._extra_packs), settings)
        """The packs that requests are served from."""
        self._seen = self._fingerprint()

    def states(self) -> tuple[PackState, ...]:
        """Every pack by role, id and version, then those that were replaced or removed and are still in use."""
        with self._finding:
            registry, problems = self.found.registry, self._problems
            known = {state.pin.sha256: state for state in self._residency.states()}
        states: list[PackState] = []
        for pack in registry:
            state = known.pop(pack.digest, PackState(pin=pack.pin, state="available"))
            states.append(_with_problem(state, problems.get(pack.digest, "")))
        return (*states, *(state for state in known.values() if state.state in {"loading", "draining"}))

    def load(self, pin: PackPin) -> PackState:
        """Loads a pack and keeps it in memory; see ``ManagedEngine.load``."""
        entry, _ = self._acquire(pin, None, NO_CONTROL)
        try:
            self._residency.pin(entry)
            return entry.shown()
        finally:
            self._residency.release(entry)

    def unload(self, pin: PackPin) -> PackState:
        """Lets a pack go; see ``ManagedEngine.unload``."""
        pack = self.found.registry.find(pin)
        return self._residency.retire(pack.digest) or PackState(pin=pack.pin, state="available")

    def unload_idle(self) -> None:
        """Lets models go that nobody used for a while."""
        self._residency.unload_idle()

    @contextmanager
    def lease(self, pin: PackPin, role: Role | None, control: Control = NO_CONTROL) -> Iterator[Resident]:
        """The model of a pack while the context is open.

        Raises:
            PackError: It is missing, broken, of another role, or not the pinned one.
            RightsError: The policy refuses it.
            MemoryBudgetError: It does not fit.
            JobCancelledError: The caller cancelled while it loaded.
        """
        entry, resident = self._acquire(pin, role, control)
        try:
            yield resident
        finally:
            self._residency.release(entry)

    def poll(self) -> None:
        """Refreshes once the files on the search path have changed and then stood still from one poll to the next.

        What was refused because it did not load is tried again after half a minute.
        """
        now = self._fingerprint()
        if now == self._seen:
            self._pending = None
            if self._again_at is not None and self._clock() >= self._again_at:
                self.refresh()
        elif now == self._pending:
            self.refresh()
        else:
            self._pending = now

    def refresh(self) -> None:
        """Goes over to the packs that are on disk now; see ``ManagedEngine.refresh``."""
        with self._refreshing:
            seen = self._fingerprint()
            paths = touched_files(self._seen, seen)
            found = trusted(discover(self._extra_packs), self._settings)
            proven: dict[str, Entry] = {}

            def prove(pack: Pack) -> None:
                proven[pack.digest], _ = self._loaded(pack)

            try:
                new = succession(
                    self.found.registry,
                    found,
                    suspect=lambda pack: (
                        pack.digest in self._problems or any(path.startswith(f"{pack.folder}/") for path in paths)
                    ),
                    resident=self._resident,
                    prove=prove,
                )
                self._go_over(new, proven)
            finally:
                for entry in proven.values():
                    self._residency.release(entry)
            self._forget({pack.digest for pack in (*found.registry, *new.found.registry)})
            self._seen, self._pending = seen, None
            self._again_at = self._clock() + _AGAIN_S if new.unproven else None

    def _go_over(self, new: Succession, proven: Mapping[str, Entry]) -> None:
        with self._finding:
            before, self.found, self._problems = self.found.registry, new.found, dict(new.problems)
        kept = {pack.digest for pack in new.found.registry}
        for pack in before:
            if pack.digest in kept:
                continue
            state = self._residency.find(pack.digest)
            heir = new.heirs.get(pack.digest)
            if state is not None and state.pinned and heir is not None and heir.digest in proven:
                self._residency.pin(proven[heir.digest])
            self._residency.retire(pack.digest)

    def _forget(self, known: AbstractSet[str]) -> None:
        """Drops what is remembered of packs that failed and are no more."""
        for state in self._residency.states():
            if state.state == "failed" and state.pin.sha256 not in known:
                self._residency.retire(state.pin.sha256)

    def _acquire(self, pin: PackPin, role: Role | None, control: Control) -> tuple[Entry, Resident]:
        """A reserved entry and its model; looks at the disk again where the pack is not what it was."""
        try:
            return self._reserved(pin, role, control)
        except PackError:
            if not self._refreshed():
                raise
        return self._reserved(pin, role, control)

    def _reserved(self, pin: PackPin, role: Role | None, control: Control) -> tuple[Entry, Resident]:
        with self._finding:
            entry = self._residency.reserve(self._allowed(self.found.registry.find(pin, role)))
        return entry, self._waited(entry, control)

    def _loaded(self, pack: Pack) -> tuple[Entry, Resident]:
        entry = self._residency.reserve(self._allowed(pack))
        return entry, self._waited(entry, NO_CONTROL)

    def _allowed(self, pack: Pack) -> Pack:
        """The pack, when the policy allows it; RightsError when it does not."""
        if refused := pack.refusal(self._policy()):
            raise refused
        return pack

    def _waited(self, entry: Entry, control: Control) -> Resident:
        try:
            return self._residency.wait(entry, control)
        except BaseException:
            self._residency.release(entry)
            raise

    def _refreshed(self) -> bool:
        """Looks at the disk again where something changed there."""
        if self._fingerprint() == self._seen:
            return False
        self.refresh()
        return True

    def _resident(self, pack: Pack) -> bool:
        state = self._residency.find(pack.digest)
        return state is not None and state.state in {"loading", "ready", "draining"}

    def _fingerprint(self) -> tuple[Stamp, ...]:
        return fingerprint(folder for _, folder in self.found.search_path)


def _with_problem(state: PackState, problem: str) -> PackState:
    return replace(state, problem=state.problem or problem) if problem else state
