# SPDX-License-Identifier: Apache-2.0
"""Finds the folders that other programs read by path: models, ocio, plugins, host_bridge."""

from pathlib import Path

_FOLDERS = ("models", "ocio", "plugins", "host_bridge")


def share_root() -> Path:
    """The folder that holds ``models/ ocio/ plugins/ host_bridge/``.

    In a wheel that is ``<package>/_share``; in a checkout or an editable install, the repository root.

    Raises:
        FileNotFoundError: neither place is complete, so the installation is damaged.
    """
    package = Path(__file__).resolve().parent
    for root in (package / "_share", package.parents[1]):
        if all((root / folder).is_dir() for folder in _FOLDERS):
            return root
    missing = ", ".join(_FOLDERS)
    raise FileNotFoundError(f"{package}: no folder beside the package holds {missing}; reinstall understudy")
