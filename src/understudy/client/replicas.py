# SPDX-License-Identifier: Apache-2.0
"""Whether the replicas of a service are alike."""

import threading
from collections.abc import Callable, Iterable

from understudy.codec.protocol import VERSION_KEY
from understudy.contracts.jobs import RoleResult


class ReplicaWatch:
    """Compares what results were made by, and warns once of each difference.

    Packs are pinned, so one that differs fails the frame. The version and the device are not, and change pixels.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, dict[str, None]] = {}

    def compare(
        self, metadata: Iterable[tuple[str, str | bytes]], result: RoleResult, warn: Callable[[str], None]
    ) -> None:
        """Notes one result.

        Args:
            metadata: What the replica sent at the start of its answer.
            result: The result.
            warn: Told of a difference that was not known yet.
        """
        versions = [str(value) for key, value in metadata if key == VERSION_KEY]
        self._note("versions of Understudy", versions[0] if versions else "", warn)
        self._note(f"devices for {result.pack.id}", str(result.report.get("device", "")), warn)

    def _note(self, what: str, value: str, warn: Callable[[str], None]) -> None:
        if not value:
            return
        with self._lock:
            seen = self._seen.setdefault(what, {})
            if value in seen or len(self._seen) > 256 or len(seen) > 16:
                return
            seen[value] = None
            told = ", ".join(seen) if len(seen) > 1 else ""
        if told:
            warn(f"the replicas have different {what} ({told}); frames may differ")
