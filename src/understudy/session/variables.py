# SPDX-License-Identifier: Apache-2.0
"""Paths that start at variables, and where a variable's folder is on this machine."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from understudy.contracts.errors import UsageError

NAME = "[A-Za-z_][A-Za-z0-9_]*"
"""What a variable may be called, as a regular expression."""

HOME = "SHOT"
"""The variable of the folder that the graph lies in, where nobody names another."""

_START = re.compile(rf"^\$(?:\{{({NAME})\}}|({NAME}))(?:/(.*))?$", re.DOTALL)


class _Saved(Protocol):
    """What is known of a variable where the session was saved."""

    @property
    def folder(self) -> str: ...
    @property
    def beside(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a variable's folder is on this machine.

    Attributes:
        folder: Absolute; empty where nothing tells it.
        by: Who told: ``--set``, ``$NAME``, ``beside the session``, ``as saved``; empty where nothing did.
    """

    folder: str
    by: str


def start_of(path: str) -> tuple[str, str] | None:
    """The variable a path starts at, and the rest; None where it starts at none."""
    match = _START.match(path)
    return (match[1] or match[2], match[3] or "") if match else None


def require_sound(path: str, variables: Iterable[str], what: str) -> None:
    """Refuses a path that does not start at a variable, or leaves its folder again.

    Raises:
        ValueError: It does; the text names the field.
    """
    found = start_of(path)
    if found is None or found[0] not in variables:
        raise ValueError(f"{what}: {path[:80]!r} does not start at one of the session's variables")
    if "\0" in path or ".." in found[1].split("/") or found[1].startswith("/"):
        raise ValueError(f"{what}: {path[:80]!r} leads out of the folder of its variable")


class Roots:
    """Gives paths a variable to start at.

    Args:
        given: Name to folder: those that somebody named, or that the document's own paths start at.
        home: The folder of the document; it is called ``SHOT``, or ``GRAPH`` where that is something else.
    """

    def __init__(self, given: Mapping[str, str], home: str) -> None:
        self._known = dict(given)
        if home not in self._known.values():
            self._known["GRAPH" if HOME in self._known else HOME] = home
        self.used: dict[str, str] = {}

    def path(self, path: str, place: str) -> str:
        """An absolute path with the variable of the innermost folder that holds it.

        Args:
            path: The path or pattern.
            place: Where it stands, such as ``nodes.plate.file``: names a variable where none has the path.
        """
        path = os.path.abspath(path)  # noqa: PTH100 - resolve would follow links
        held = [name for name, folder in self._known.items() if _within(path, folder)]
        name = max(held, key=lambda one: len(self._known[one])) if held else self._new(path, place)
        self.used[name] = folder = self._known[name]
        rest = os.path.relpath(path, folder)
        return f"${{{name}}}" if rest == "." else f"${{{name}}}/{rest}"

    def _new(self, path: str, place: str) -> str:
        word = place.removeprefix("nodes.").removesuffix(".file")
        name = re.sub("[^A-Za-z0-9]+", "_", word).strip("_").upper() or "FOLDER"
        name, count = name if not name[0].isdigit() else f"_{name}", 2
        wanted = name
        while name in self._known:
            name, count = f"{wanted}_{count}", count + 1
        self._known[name] = os.path.dirname(path)  # noqa: PTH120 - of a pattern
        return name


def find_places(
    variables: Mapping[str, _Saved],
    session_folder: Path,
    given: Mapping[str, str],
    holds: Callable[[str, str], bool],
) -> dict[str, Place]:
    """Where the folders of a session's variables are on this machine.

    Said on the command line, else by the environment, else as far from the session's file as they were, else where they
    were; the last two only where what the session reads is there.

    Args:
        variables: Of the session.
        session_folder: Where its file is.
        given: Name to folder, as somebody said.
        holds: Whether a folder may be that of a variable.

    Raises:
        UsageError: The session has no such variable.
    """
    for name in given:
        if name not in variables:
            fix = f"it has {', '.join(variables)}" if variables else "it has none"
            raise UsageError(f"the session has no variable {name!r}", where="--set", fix=fix)

    def place(name: str, saved: _Saved) -> Place:
        if name in given:
            return Place(_absolute(given[name]), "--set")
        if os.environ.get(name):
            return Place(_absolute(os.environ[name]), f"${name}")
        beside = os.path.normpath(session_folder.absolute() / saved.beside) if saved.beside else ""
        for folder, by in ((beside, "beside the session"), (saved.folder, "as saved")):
            if os.path.isabs(folder) and holds(name, folder):  # noqa: PTH117 - text
                return Place(folder, by)
        return Place("", "")

    return {name: place(name, saved) for name, saved in variables.items()}


def expanded(path: str, places: Mapping[str, Place]) -> str:
    """The path on this machine; empty where its variable's folder is not known."""
    found = start_of(path)
    assert found is not None
    folder = places[found[0]].folder
    return (f"{folder.rstrip('/')}/{found[1]}" if found[1] else folder) if folder else ""


def _absolute(folder: str) -> str:
    return os.path.abspath(os.path.expanduser(folder))  # noqa: PTH100, PTH111 - never raises


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
