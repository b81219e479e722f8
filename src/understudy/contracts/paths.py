# SPDX-License-Identifier: Apache-2.0
"""Marks the fields of a document that name files, so that every one is found by what it is and not by a list."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol

Access = Literal["read", "write", "config"]
"""What is done with a file: an OCIO config is apart from others, for it names further files itself."""


@dataclass(frozen=True, slots=True)
class NamesFile:
    """A field that holds a path.

    Attributes:
        access: What is done with the file.
        or_name: Prefix of values that name something else, such as ``ocio://``; empty for none.
    """

    access: Access
    or_name: str = ""

    def fits(self, value: str) -> bool:
        """Whether this value is a path; an empty one names nothing."""
        return bool(value) and not (self.or_name and value.startswith(self.or_name))


InputPath = Annotated[str, NamesFile("read")]
"""A file, a pattern of files or a folder that is read."""

OutputPath = Annotated[str, NamesFile("write")]
"""A file or a pattern of files that is written."""

CONFIG_MARK = NamesFile("config", or_name="ocio://")
ConfigPath = Annotated[str, CONFIG_MARK]
"""An OCIO config: a path, or the name of a built-in one."""


class FileRules(Protocol):
    """Which files a render may touch."""

    def require(self, path: Path, access: Access) -> None:
        """Refuses a file that may not be touched.

        Args:
            path: The file, whether or not it exists.
            access: What is about to be done with it.

        Raises:
            ForbiddenError: It may not be.
        """
        ...


class _AnyFile:
    def require(self, path: Path, access: Access) -> None:
        del path, access


ANY_FILE: FileRules = _AnyFile()
"""What the user may touch, who runs this process."""
