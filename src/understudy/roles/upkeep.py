# SPDX-License-Identifier: Apache-2.0
"""The thread that looks for changed packs and unloads idle models while a service runs."""

import logging
import threading
import time
from typing import Protocol

from understudy.roles.pack_settings import PackSettings

_LOG = logging.getLogger("understudy.packs")


class Kept(Protocol):
    """What there is to keep up; ``Library`` is one."""

    def poll(self) -> None:
        """Looks whether packs changed."""
        ...

    def unload_idle(self) -> None:
        """Lets idle models go."""
        ...


class Upkeep:
    """Runs until it is stopped.

    Args:
        library: What to keep up.
        settings: How often.
    """

    def __init__(self, library: Kept, settings: PackSettings) -> None:
        self._library = library
        self._reload_s = settings.reload_s
        wanted = [period for period in (settings.reload_s, settings.idle_unload_s / 4) if period > 0]
        self._period_s = max(0.05, min(wanted))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="understudy-packs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, after the load it may be in the middle of."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        polled = time.monotonic()
        while not self._stopped.wait(self._period_s):
            try:
                self._library.unload_idle()
                if self._reload_s and time.monotonic() - polled >= self._reload_s * 0.9:
                    polled = time.monotonic()
                    self._library.poll()
            except Exception:  # a fault here must not end the service's care for its packs
                _LOG.exception("looking after the packs failed")
