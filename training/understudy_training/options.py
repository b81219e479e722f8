# SPDX-License-Identifier: Apache-2.0
"""A table of a recipe read into a dataclass, with errors that name the field and suggest another."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from understudy_training.errors import TrainingError

_T = TypeVar("_T")
_WORDS = {int: "a whole number", float: "a number", str: "text in quotes", bool: "true or false"}


def read_options(kind: type[_T], table: Mapping[str, Any], *, where: str = "options") -> _T:
    """Reads a table into a dataclass whose fields are int, float, bool, str, Literal, or tuples of these.

    Args:
        kind: The dataclass; a field without a default must be there. Its ``__post_init__`` may raise ``ValueError``
            with a text such as ``"batch: must be over 0"``.
        table: What the recipe holds.
        where: The table's name, for messages.

    Raises:
        TrainingError: A field is unknown, missing or of another type.
    """
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type] # _T is a dataclass
    for name in table:
        if name not in fields:
            close = get_close_matches(name, fields, n=1)
            fix = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(sorted(fields))}"
            raise TrainingError("there is no such field", where=f"{where}.{name}", fix=fix)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _settled(table[name], hints[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise TrainingError("is missing", where=f"{where}.{name}", fix=f"write {_described(hints[name])}")
    try:
        return kind(**values)
    except ValueError as error:
        name, colon, problem = str(error).partition(": ")
        raise TrainingError(problem if colon else name, where=f"{where}.{name}" if colon else where) from None


def _settled(value: Any, hint: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        choices = typing.get_args(hint)
        if value not in choices:
            close = get_close_matches(str(value), [str(choice) for choice in choices], n=1)
            listed = ", ".join(f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in choices)
            fix = f'did you mean "{close[0]}"?' if close else f"one of {listed}"
            raise TrainingError(f"{value!r} is none of the choices", where=where, fix=fix)
        return value
    if origin is tuple:
        parts = typing.get_args(hint)
        if not isinstance(value, list | tuple):
            raise TrainingError(f"{value!r} is no list", where=where, fix=f"write {_described(hint)}")
        if len(parts) == 2 and parts[1] is Ellipsis:
            return tuple(_settled(part, parts[0], f"{where}[{n}]") for n, part in enumerate(value))
        if len(value) != len(parts):
            raise TrainingError(f"holds {len(value)} values, not {len(parts)}", where=where)
        return tuple(
            _settled(part, one, f"{where}[{n}]") for n, (part, one) in enumerate(zip(value, parts, strict=True))
        )
    if origin in {typing.Union, types.UnionType}:
        return None if value is None else _settled(value, typing.get_args(hint)[0], where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint:
        raise TrainingError(f"{value!r} is not {_described(hint)}", where=where, fix=f"write {_described(hint)}")
    if hint is float and not math.isfinite(value):
        raise TrainingError(f"{value!r} is not finite", where=where, fix="write a finite number")
    return value


def _described(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return "a list"
    return _WORDS.get(hint, str(hint))
