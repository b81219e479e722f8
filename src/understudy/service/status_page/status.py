# SPDX-License-Identifier: Apache-2.0
"""What the page shows. No user, no path and no sentence of somebody's error is in it."""

from dataclasses import dataclass
from typing import Literal

from understudy.service.activity import OpenRequest, PastError
from understudy.service.metrics import QueueFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """A device.

    Attributes:
        name: ``cpu`` or ``cuda:0``.
        packs: Packs that are in its memory.
        resident_bytes: What they hold.
    """

    name: str
    packs: int
    resident_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRow:
    """A pack in one version.

    Attributes:
        name: Id and version.
        digest: First characters of its SHA-256.
        role: Its job.
        state: As `understudy.contracts.engine.PackState` has it.
        device: Where it is loaded; empty when it is not.
        users: Requests that use it now.
        resident_bytes: Memory it holds.
        pinned: Kept in memory.
        problem: Why it failed, without folders.
        badge: What its rights look like: ``green``, ``amber``, ``red``, or ``refused`` by the show's policy.
    """

    name: str
    digest: str
    role: str
    state: str
    device: str = ""
    users: int = 0
    resident_bytes: int = 0
    pinned: bool = False
    problem: str = ""
    badge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The service at one moment.

    Attributes:
        state: ``serving``, ``stopping`` (running requests may still end) or ``stopped``.
        version: Of Understudy.
        host: Name of the machine.
        addresses: Where it listens.
        uptime_s: Since it started.
        rss_bytes: Memory of the process; 0 where the system does not say.
        queue: How the queue stands.
        waiting: Requests that wait, by priority.
        requests: Open requests, oldest first.
        now: The clock of `OpenRequest.since`.
        devices: Devices.
        packs: Packs, in every version that is there.
        broken: Folders that look like packs and did not load: last part of their path, and the problem.
        errors: Past errors, latest first.
        policy: The show whose policy the service keeps to; empty for none.
    """

    state: Literal["serving", "stopping", "stopped"]
    version: str
    host: str
    addresses: tuple[str, ...]
    uptime_s: float
    rss_bytes: int
    queue: QueueFacts
    waiting: tuple[tuple[str, int], ...]
    requests: tuple[OpenRequest, ...]
    now: float
    devices: tuple[DeviceRow, ...]
    packs: tuple[PackRow, ...]
    broken: tuple[tuple[str, str], ...]
    errors: tuple[PastError, ...]
    policy: str = ""
