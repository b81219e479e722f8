# SPDX-License-Identifier: Apache-2.0
"""The engine protocol: in this process, or over gRPC."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from understudy.contracts.errors import JobCancelledError
from understudy.contracts.jobs import PackPin, RoleRequest, RoleResult
from understudy.contracts.manifest import Role
from understudy.contracts.model import PackedModel
from understudy.contracts.rights import Color, RecordState


def _ignore(_done: int, _total: int) -> None:
    return


def _unheard(_message: str) -> None:
    return


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTimings:
    """Where the time of a request to a service went, as the service measured it.

    Attributes:
        receive_s: Until the last pixel was there, seconds.
        queue_s: Waiting for a worker, seconds.
        run_s: On a worker, seconds.
    """

    receive_s: float
    queue_s: float
    run_s: float


def _untimed(_timings: ServiceTimings) -> None:
    return


@dataclass(frozen=True, slots=True)
class Control:
    """The caller's side of a running request.

    Attributes:
        progress: Called with steps done and steps in all (tiles, mostly).
        cancelled: Asked between tiles.
        warn: Called with a sentence when something went wrong that did no harm.
        timed: Called when a service has answered; never by an engine in this process.
    """

    progress: Callable[[int, int], None] = _ignore
    cancelled: Callable[[], bool] = _never
    warn: Callable[[str], None] = _unheard
    timed: Callable[[ServiceTimings], None] = _untimed

    def check(self) -> None:
        """Stops the work when the caller cancelled.

        Raises:
            JobCancelledError: The caller cancelled.
        """
        if self.cancelled():
            raise JobCancelledError("the job was cancelled")


NO_CONTROL = Control()
"""Nobody watches and nobody cancels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackInfo:
    """What an engine says of one of its packs.

    Attributes:
        pin: Id, version and digest.
        role: The job it plays.
        title: Name for people.
        description: What it is good at, and where it fails.
        draft: Id of the lighter pack.
        source: How it was found (``given``, ``env``, ``entry-point`` or ``shipped``), a colon, and its folder.
        manifest: The manifest as JSON types.
        badge: ``green``, ``amber`` or ``red``, under the engine's policy where it has one; empty when it did not say.
        badge_reasons: Why, one sentence each.
        rights_record: How its ``pack.cdx.json`` stands to manifest and files: ``agrees``, ``missing`` or ``differs``;
            empty when the engine did not say.
        refused: Why the engine's policy refuses the pack; empty when it may be used.
        bom: Its ``pack.cdx.json``, for the records of those who use it; None where there is none that can be read.
    """

    pin: PackPin
    role: str
    title: str
    description: str
    draft: str
    source: str
    manifest: dict[str, Any]
    badge: Color | Literal[""] = ""
    badge_reasons: tuple[str, ...] = ()
    rights_record: RecordState | Literal[""] = ""
    refused: str = ""
    bom: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInfo:
    """The show policy that an engine keeps to.

    Attributes:
        show: The production's name.
        sha256: SHA-256 of the policy file.
        source_types: Operation to the digital source type that records are to have, where it is not the usual one.
    """

    show: str
    sha256: str
    source_types: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFailure:
    """A folder that looks like a pack and did not load."""

    path: str
    problem: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine is.

    Attributes:
        version: Understudy's version on the engine's side.
        device: ``cpu`` or ``cuda:0``.
        providers: What ONNX Runtime offers there; empty without it.
        ocio_config: Name of the default config.
        ocio_cache_id: Its cache id.
        search_path: Where packs are looked for, left-most wins: (kind, folder).
        packs: The packs that loaded.
        failures: The folders that did not.
        policy: The show policy that it keeps to; None for none.
    """

    version: str
    device: str
    providers: tuple[str, ...] = ()
    ocio_config: str = ""
    ocio_cache_id: str = ""
    search_path: tuple[tuple[str, str], ...] = ()
    packs: tuple[PackInfo, ...] = ()
    failures: tuple[PackFailure, ...] = ()
    policy: PolicyInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackState:
    """Where the model of a pack is in its life.

    Attributes:
        pin: Id, version and digest.
        state: ``available`` (found, not in memory), ``loading``, ``ready``, ``draining`` (replaced or unloaded, still
            in use) or ``failed``.
        device: Where it runs; empty before it is loaded.
        users: Calls that use it now, or wait for it to load.
        resident_bytes: Memory it holds, estimated when it was loaded and warmed up; 0 when it is not in memory.
        pinned: Never evicted: somebody asked for it to be loaded.
        problem: Why it failed or, of one that is not ``failed``, why the changed files beside it were not taken.
    """

    pin: PackPin
    state: Literal["available", "loading", "ready", "draining", "failed"]
    device: str = ""
    users: int = 0
    resident_bytes: int = 0
    pinned: bool = False
    problem: str = ""


class Engine(Protocol):
    """Runs role requests. Both implementations return the same bytes for the same request."""

    def info(self) -> EngineInfo:
        """What this engine is and which packs it has.

        Raises:
            UnavailableError: A remote engine does not answer.
        """
        ...

    def run(self, request: RoleRequest, control: Control = NO_CONTROL, /) -> RoleResult:
        """Runs one request; may be called from several threads.

        Raises:
            UnderstudyError: Any of the tree, the same from both implementations.
        """
        ...

    def close(self) -> None:
        """Frees models or the connection."""
        ...


class ManagedEngine(Engine, Protocol):
    """An engine that says which models are in memory, and can be told."""

    def states(self) -> tuple[PackState, ...]:
        """Every pack by role, id and version, then those that were replaced or removed and are still in use."""
        ...

    def load(self, pin: PackPin) -> PackState:
        """Loads a pack, warms it up and keeps it in memory until it is unloaded.

        Raises:
            PackError: It is missing, broken or not the pinned one.
            RightsError: The engine's policy refuses it.
            MemoryBudgetError: It does not fit.
        """
        ...

    def unload(self, pin: PackPin) -> PackState:
        """Lets a pack go: at once, or when the calls that use it end. A later request loads it again.

        Returns:
            ``available``, or ``draining`` while it is in use.

        Raises:
            PackError: It is missing or not the pinned one.
        """
        ...

    def refresh(self) -> None:
        """Looks now for packs that were changed, added or removed; an unsound one leaves what was there."""
        ...

    def lease(self, pin: PackPin, role: Role | None = None) -> AbstractContextManager[PackedModel]:
        """The model of a pack, in memory for as long as the context is open.

        Raises:
            PackError: It is missing, broken, of another role, or not the pinned one.
            RightsError: The engine's policy refuses it.
            MemoryBudgetError: It does not fit.
        """
        ...

    def observe(self, listener: Callable[[PackState], None]) -> None:
        """Has ``listener`` told of each change of a pack's state, in order; a change of ``users`` alone is none.

        It is called from whichever thread made the change, and must be quick.
        """
        ...
