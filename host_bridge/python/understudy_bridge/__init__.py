# SPDX-License-Identifier: Apache-2.0
"""Runs the ``understudy`` command from inside a host's Python: standard library only, Python 3.9 syntax.

Nothing of Understudy is imported here. The command is another process, and its JSON lines are the contract.
"""

from understudy_bridge.command import CANCELLED, BridgeError, find_executable, run
from understudy_bridge.progress import Progress

__all__ = ["CANCELLED", "BridgeError", "Progress", "find_executable", "run"]
