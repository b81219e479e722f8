# SPDX-License-Identifier: Apache-2.0
"""The bridge that starts the command: the copy that was installed with this pack, or the one of the source tree."""

try:
    from .understudy_bridge import BridgeError, run  # type: ignore[import-not-found] # only in an installed pack
except ImportError:
    import sys
    from pathlib import Path

    sys.path.append(str(Path(__file__).resolve().parents[2] / "python"))
    from understudy_bridge import BridgeError, run

__all__ = ["BridgeError", "run"]
