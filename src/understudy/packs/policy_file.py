# SPDX-License-Identifier: Apache-2.0
"""The policy file of a service, read again when it changes."""

import logging
import threading
from pathlib import Path

from understudy.contracts.errors import RightsError
from understudy.packs.policy import ShowPolicy, load_policy

_LOG = logging.getLogger("understudy.packs")


class PolicyFile:
    """A show policy that somebody may edit while it is in use. Safe to use from several threads.

    The file is looked at each time the policy is asked for: its time, size and inode. Replace it whole (write beside
    it, then rename), so that nobody reads half of it.

    Args:
        path: The file.

    Raises:
        RightsError: It is missing or wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp = self._seen()
        self._last = load_policy(path)
        self._problem: RightsError | None = None

    def current(self) -> ShowPolicy:
        """The policy as the file has it now.

        Raises:
            RightsError: The file is missing or wrong now; nothing is allowed until it is right.
        """
        policy, problem = self.look()
        if problem is not None:
            raise RightsError(problem.problem, where=problem.where, fix=problem.fix)
        return policy

    def look(self) -> tuple[ShowPolicy, RightsError | None]:
        """The policy that was right last, and what is wrong with the file now; None when it is right."""
        with self._lock:
            stamp = self._seen()
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._last, self._problem = load_policy(self._path), None
                    _LOG.info("the policy of show %s was read again", self._last.show)
                except RightsError as error:
                    self._problem = error
                    _LOG.error("the policy can't be used: %s", error)
            return self._last, self._problem

    def _seen(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_ino, found.st_size
