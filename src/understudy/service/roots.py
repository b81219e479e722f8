# SPDX-License-Identifier: Apache-2.0
"""The folders under which the service reads and writes for its callers.

A path is resolved first, every link and ``..`` in it, and must then lie in an allowed folder; so a link inside that
leads outside is refused. It is looked at again right before each file is opened. Between that look and the opening,
somebody who may rename files inside a root could still put a link there: libraries open files by name, so this can't be
closed here. Let only people write into a root who may read what the service's user may read, and let the system hold
the service to its folders (``ReadWritePaths=`` of systemd; docs/guides/secure-the-service.md).
"""

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from understudy.contracts.errors import ForbiddenError, UsageError
from understudy.contracts.paths import CONFIG_MARK, Access
from understudy.service.caller import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesSettings:
    """Renders by reference: the service reads and writes the files itself.

    Attributes:
        read: Folders under which callers may have files read. With none, and none to write, there are no renders by
            reference.
        write: Folders under which they may have files written, and read.
        ocio: Folders (or files) of OCIO configs that requests may name by path, beside built-in ones. A config names
            further files, which are not checked: list only folders that you trust.
        max_renders: Renders by reference at once; further ones are told to try again.
    """

    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    ocio: tuple[Path, ...] = ()
    max_renders: Annotated[int, Field(ge=1)] = 4


class Roots:
    """The folders of a `FilesSettings`, resolved.

    Args:
        settings: The folders.
        own_config: Tells the service's own OCIO config, which everybody may name.

    Raises:
        UsageError: A folder is missing, or is the root of all.
    """

    def __init__(self, settings: FilesSettings, own_config: Callable[[], str] = str) -> None:
        self._own_config = own_config
        write = _resolved(settings.write, "files.write")
        self._allowed: dict[Access, tuple[Path, ...]] = {
            "read": (*_resolved(settings.read, "files.read"), *write),
            "write": write,
            "config": _resolved(settings.ocio, "files.ocio", files=True),
        }
        self.shared = tuple(dict.fromkeys((*settings.read, *settings.write)))
        """The folders to read and write as the settings name them."""

    @property
    def any(self) -> bool:
        """Whether anything may be read or written by reference."""
        return bool(self._allowed["read"])

    def require(self, path: Path, access: Access, *, anywhere: bool = False) -> None:
        """Refuses what is outside; with one sentence, whether or not there is such a file.

        Args:
            path: The file.
            access: What is about to be done with it.
            anywhere: Whether no place is outside.

        Raises:
            ForbiddenError: It is outside, or exists and is neither a file nor a folder.
        """
        folders = (Path(path.anchor),) if anywhere else self._allowed[access]
        if not path.is_absolute() or not self._lies_in(path, folders):
            what = "use this OCIO config" if access == "config" else f"{access} here"
            raise ForbiddenError(
                f"the service may not {what}", where=str(path), fix="its admin says which folders are open"
            )

    def require_config(self, name: str, caller: Caller) -> None:
        """Refuses an OCIO config of the service's machine that a request may not name.

        Args:
            name: As the request has it: a path, a built-in name, or empty for the default.
            caller: Whose request it is; an admin, such as whoever calls from the service's own machine where nothing
                tells callers apart, may name any file.

        Raises:
            ForbiddenError: It is outside, with one sentence, whether or not there is such a file; or it is neither a
                file nor a folder.
        """
        if not CONFIG_MARK.fits(name) or name == self._own_config():
            return
        self.require(Path(name).absolute() if caller.admin else Path(name), "config", anywhere=caller.admin)

    def _lies_in(self, path: Path, folders: Iterable[Path]) -> bool:
        try:
            real = Path(os.path.realpath(path))
            within = any(real.is_relative_to(folder) for folder in folders)
            return within and _is_plain(real)
        except (OSError, ValueError):  # a loop of links, a NUL, a name too long
            return False


def _is_plain(path: Path) -> bool:
    """Whether it is a file or a folder, or not there: opening a pipe or a device could last forever."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _resolved(folders: Iterable[Path], where: str, *, files: bool = False) -> tuple[Path, ...]:
    found = []
    for folder in folders:
        try:
            real = folder.resolve(strict=True)
        except (OSError, RuntimeError):
            raise UsageError("there is no such folder", where=f"{where}: {folder}") from None
        if not real.is_dir() and not files:
            raise UsageError("is no folder", where=f"{where}: {folder}")
        if real == Path(real.anchor):
            raise UsageError("would open the whole machine", where=f"{where}: {folder}", fix="name the shows' folders")
        found.append(real)
    return tuple(found)
