# SPDX-License-Identifier: Apache-2.0
"""Runs the ``understudy`` command from inside a host's Python: standard library only, Python 3.9 syntax.

Nothing of Understudy is imported here. The command is another process, and its JSON lines are the contract. Imports
within are relative: hosts' packs carry copies of this folder under names of their own.
"""

from .command import CANCELLED, BridgeError, find_executable, run
from .progress import Progress

__all__ = ["CANCELLED", "BridgeError", "Progress", "find_executable", "run"]
