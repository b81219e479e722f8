# SPDX-License-Identifier: Apache-2.0
"""What a caller may learn of the service's machine.

Paths of that machine are for its admins, for callers on it, and for the log. Others read the last part of a path: of a
pack its id, of a file its name. Paths that such a caller sent itself, under folders that both share, stay as they are.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from understudy.contracts.engine import EngineInfo, PackFailure
from understudy.contracts.errors import UnderstudyError
from understudy.service.caller import Caller

_QUOTED = re.compile(r"(?P<quote>['\"])(?P<path>/[^'\"\n]+)(?P=quote)")
_BARE = re.compile(r"(?<![\w/.~-])(?P<path>/(?!/)[^\s'\":;,()<>]+)")
_MANIFEST = "pack.toml"


def sees_paths(caller: Caller) -> bool:
    """Whether a caller may know paths of the service's machine."""
    return caller.admin or caller.local


def error_for(error: UnderstudyError, caller: Caller, shared: Sequence[Path] = ()) -> UnderstudyError:
    """The error as this caller may read it; of the same class.

    Args:
        error: As it was raised.
        caller: Who reads it.
        shared: Folders whose paths it may read whatever they are.
    """
    if sees_paths(caller):
        return error
    shown = type(error).__new__(type(error))
    shown.__dict__.update(error.__dict__)
    shown.problem = without_paths(error.problem, shared)
    shown.where = None if error.where is None else _where(error.where, shared)
    shown.fix = None if error.fix is None else without_paths(error.fix, shared)
    shown.args = (shown.problem,)
    return shown


def told_to(caller: Caller, facts: Mapping[str, Any], shared: Sequence[Path] = ()) -> dict[str, Any]:
    """A report or an event, as this caller may read it: every text in it without paths.

    Args:
        caller: Who reads it.
        facts: JSON types, and whatever a report holds beside them.
        shared: Folders whose paths it may read whatever they are.
    """
    return dict(facts) if sees_paths(caller) else {name: _told(value, shared) for name, value in facts.items()}


def _told(value: Any, shared: Sequence[Path]) -> Any:
    if isinstance(value, str):
        return _where(value, shared)
    if isinstance(value, Mapping):
        return {name: _told(item, shared) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_told(item, shared) for item in value]
    return value


def info_for(info: EngineInfo, caller: Caller) -> EngineInfo:
    """What an engine says of itself, as this caller may read it."""
    if sees_paths(caller):
        return info
    failures = tuple(
        PackFailure(path=_last(failure.path), problem=without_paths(failure.problem), fix=without_paths(failure.fix))
        for failure in info.failures
    )
    packs = tuple(replace(pack, source=pack.source.partition(":")[0]) for pack in info.packs)
    name = _last(info.ocio_config) if info.ocio_config.startswith("/") else info.ocio_config
    return replace(info, search_path=(), packs=packs, failures=failures, ocio_config=name)


def without_paths(text: str, shared: Sequence[Path] = ()) -> str:
    """A sentence with the last part of each absolute path in its place.

    Args:
        text: The sentence.
        shared: Folders whose paths stay.
    """
    last = _shortened(shared)
    quoted = _QUOTED.sub(lambda found: f"{found['quote']}{last(found['path'])}{found['quote']}", text)
    return _BARE.sub(lambda found: last(found["path"]), quoted)


def _where(text: str, shared: Sequence[Path]) -> str:
    """A place is often a path as a whole, blanks and all, with a field after it."""
    path, colon, field = text.partition(": ")
    if path.startswith("/"):
        return f"{_shortened(shared)(path)}{colon}{without_paths(field, shared)}"
    return without_paths(text, shared)


def _shortened(shared: Sequence[Path]) -> Callable[[str], str]:
    def shorten(path: str) -> str:
        pure = PurePosixPath(path)
        kept = ".." not in pure.parts and any(pure.is_relative_to(folder) for folder in shared)
        return path if kept else _last(path)

    return shorten


def _last(path: str) -> str:
    parts = PurePosixPath(path).parts
    if len(parts) > 2 and parts[-1] == _MANIFEST:
        return f"{parts[-2]}/{_MANIFEST}"
    return parts[-1] if len(parts) > 1 else ""
