# SPDX-License-Identifier: Apache-2.0
"""Reads a TOML file of a page or so, and says what is wrong with the file."""

import stat
import tomllib
from pathlib import Path
from typing import Any

from understudy.contracts.errors import UnderstudyError

_MAX_BYTES = 1 << 20  # a page of text; anything larger is another file under its name


def shown(path: Path) -> str:
    """A path as messages print it: relative when it lies under the working directory."""
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def read_toml_file(path: Path, what: str, error_class: type[UnderstudyError]) -> dict[str, Any]:
    """The parsed file, not yet validated.

    Args:
        path: The file.
        what: What it is, for messages: ``"manifest"``.
        error_class: Raised for any trouble but a missing file.

    Raises:
        FileNotFoundError: There is none.
        UnderstudyError: Of ``error_class``: it can't be read, or it is not TOML.
    """
    return parse_toml(read_page(path, what, error_class), path, what, error_class)


def read_page(path: Path, what: str, error_class: type[UnderstudyError]) -> bytes:
    """The bytes of a file of a page or so; arguments and errors as of ``read_toml_file``."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # reading a pipe would wait for its writer
            raise error_class("is no file", where=shown(path))
        if found.st_size > _MAX_BYTES:
            raise error_class(f"is larger than 1 MiB, so it is no {what}", where=shown(path))
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise error_class(f"can't be read: {error.strerror}", where=shown(path)) from None


def parse_toml(data: bytes, path: Path, what: str, error_class: type[UnderstudyError]) -> dict[str, Any]:
    """The document in a file's bytes; arguments and errors as of ``read_toml_file``."""
    try:
        return tomllib.loads(data.decode("utf-8").replace("\r\n", "\n"))
    except UnicodeDecodeError:
        raise error_class("is not UTF-8 text", where=shown(path)) from None
    except ValueError as error:  # not only TOMLDecodeError: a whole number of 5000 digits is a plain one
        raise error_class(f"is not TOML: {error}", where=shown(path)) from None
    except RecursionError:
        raise error_class(f"is nested too deep for a {what}", where=shown(path)) from None
