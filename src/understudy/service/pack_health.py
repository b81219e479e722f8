# SPDX-License-Identifier: Apache-2.0
"""Health by name, as grpc.health.v1 tells it: the service as a whole, and each pack."""

import threading
from collections.abc import Iterable
from typing import Any

from grpc_health.v1 import health_pb2

from understudy.codec.protocol import SERVICE
from understudy.contracts.engine import PackState
from understudy.contracts.jobs import PackPin

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class PackHealth:
    """Tells the health of ``understudy.v1.Understudy`` (and of the empty name), and of ``pack:ID`` for each pack.

    A pack serves while one of its versions is loaded or can be; it does not when all of them failed or are gone.
    A name that never was a pack is unknown to the health service, as its protocol has it.

    Args:
        servicer: The ``HealthServicer`` that answers.
    """

    def __init__(self, servicer: Any) -> None:
        self._servicer = servicer
        self._lock = threading.Lock()
        self._versions: dict[str, dict[str, bool]] = {}
        self._told: dict[str, int] = {}

    def serve(self, pins: Iterable[PackPin]) -> None:
        """The service takes calls, with these packs."""
        for name in ("", SERVICE):
            self._servicer.set(name, SERVING)
        self.has(pins)

    def has(self, pins: Iterable[PackPin]) -> None:
        """These packs are there now, and no others."""
        present = [(pin.id, pin.sha256) for pin in pins]
        with self._lock:
            for pack, versions in self._versions.items():
                for digest in [digest for digest in versions if (pack, digest) not in present]:
                    del versions[digest]
            for pack, digest in present:
                self._versions.setdefault(pack, {}).setdefault(digest, True)
            for pack in self._versions:
                self._tell(pack)

    def hear(self, state: PackState) -> None:
        """A pack entered a state."""
        with self._lock:
            self._versions.setdefault(state.pin.id, {})[state.pin.sha256] = state.state != "failed"
            self._tell(state.pin.id)

    def drain(self) -> None:
        """Nothing serves any more, whatever is heard from now on."""
        self._servicer.enter_graceful_shutdown()

    def _tell(self, pack: str) -> None:
        status = SERVING if any(self._versions[pack].values()) else NOT_SERVING
        if self._told.get(pack) != status:
            self._told[pack] = status
            self._servicer.set(f"pack:{pack}", status)
