# SPDX-License-Identifier: Apache-2.0
"""Files that only the service's own user may change, and only it and its group may read: keys and tokens."""

import os
import stat
from pathlib import Path

from understudy.contracts.errors import UsageError

_FORBIDDEN = stat.S_IWGRP | stat.S_IRWXO


def require_private(path: Path, what: str) -> os.stat_result:
    """Refuses a file that others can read, or that its group can change.

    Args:
        path: The file; a link is followed.
        what: What it is, for the sentence: ``"the key"``.

    Returns:
        Its status.

    Raises:
        UsageError: It is missing, no file, or not private.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise UsageError(f"{what} can't be read: {error.strerror}", where=str(path)) from None
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{what} is no file", where=str(path))
    if found.st_mode & _FORBIDDEN:
        mode = stat.S_IMODE(found.st_mode)
        raise UsageError(
            f"others can read or change {what} (mode {mode:04o})", where=str(path), fix=f"chmod 600 {path}"
        )
    if found.st_uid not in (0, os.geteuid()):
        raise UsageError(
            f"{what} belongs to another user", where=str(path), fix="give it to the user who runs the service"
        )
    return found
