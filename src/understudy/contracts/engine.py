# SPDX-License-Identifier: Apache-2.0
"""The engine protocol: in this process, or over gRPC."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from understudy.contracts.errors import JobCancelledError
from understudy.contracts.jobs import PackPin, RoleRequest, RoleResult


def _ignore(_done: int, _total: int) -> None:
    return


def _unheard(_message: str) -> None:
    return


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Control:
    """The caller's side of a running request.

    Attributes:
        progress: Called with steps done and steps in all (tiles, mostly).
        cancelled: Asked between tiles.
        warn: Called with a sentence when something went wrong that did no harm.
    """

    progress: Callable[[int, int], None] = _ignore
    cancelled: Callable[[], bool] = _never
    warn: Callable[[str], None] = _unheard

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
    """

    pin: PackPin
    role: str
    title: str
    description: str
    draft: str
    source: str
    manifest: dict[str, Any]


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
    """

    version: str
    device: str
    providers: tuple[str, ...] = ()
    ocio_config: str = ""
    ocio_cache_id: str = ""
    search_path: tuple[tuple[str, str], ...] = ()
    packs: tuple[PackInfo, ...] = ()
    failures: tuple[PackFailure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PackState:
    """Where the model of a pack is in its life.

    Attributes:
        pin: Id, version and digest.
        state: ``available`` (found, not in memory), ``loading``, ``ready``, ``draining`` (replaced or unloaded, still
            in use) or ``failed``.
        device: Where it runs; empty before it is loaded.
        users: Calls that use it now.
        resident_bytes: Memory it holds, as measured when it was loaded and warmed up.
        pinned: Never evicted: somebody asked for it to be loaded.
        problem: Why it failed; empty otherwise.
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
