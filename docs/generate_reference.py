# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 - a script, not a package
"""Writes ``docs/reference/pack-manifest.md`` from the pydantic models, so that it can't drift from them.

Run ``python docs/generate_reference.py``; a test fails when the page is not what this would write.
"""

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from understudy.contracts.manifest import (
    Citation,
    Contract,
    Encoding,
    LicenseSpec,
    OptionSpec,
    PackManifest,
    Role,
    RuntimeSpec,
    TrainingSpec,
    WeightFile,
)

PAGE = Path(__file__).parent / "reference" / "pack-manifest.md"

_INTRO = """\
# pack.toml

The manifest of a model pack, schema `understudy.pack/1`: what the pack promises. One TOML file in the pack's folder,
beside the files it names and a card, `README.md`. Unknown fields are errors. `understudy packs check FOLDER` tells
whether the promise holds.

This page is written by `docs/generate_reference.py`.
"""
_TABLES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("Top level", PackManifest),
    ("`[runtime]`", RuntimeSpec),
    ("`[[weights]]`", WeightFile),
    ("`[contract]`", Contract),
    ("`[options.NAME]`", OptionSpec),
    ("`[license]`", LicenseSpec),
    ("`[training]`", TrainingSpec),
    ("`[[citation]]`", Citation),
)
_ENUMS: tuple[tuple[str, type[Enum]], ...] = (("Roles", Role), ("Encodings", Encoding))
_ATTRIBUTE = re.compile(r"^(\w+): (.*)$")


def page() -> str:
    """The whole page."""
    parts = [_INTRO]
    for title, model in _TABLES:
        parts.append(f"## {title}\n\n{_summary(model)}\n\n" + "\n".join(_rows(model)) + "\n")
    for title, enum in _ENUMS:
        lines = "\n".join(f"- `{member.value}`{_member_text(enum, member)}" for member in enum)
        parts.append(f"## {title}\n\n{_summary(enum)}\n\n{lines}\n")
    return "\n".join(parts)


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Field name to its text in the class docstring's ``Attributes:``."""
    found: dict[str, str] = {}
    name = ""
    _, _, section = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")
    for line in section.splitlines():
        if match := _ATTRIBUTE.match(line.strip()) if line.startswith("    ") and line[4:5] != " " else None:
            name = match[1]
            found[name] = match[2]
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found


def _summary(thing: type) -> str:
    return _markdown(inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].replace("\n", " "))


def _markdown(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def _rows(model: type[BaseModel]) -> Iterator[str]:
    said = descriptions(model)
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, info in model.model_fields.items():
        kind = _kind(info.annotation) + _bounds(info)
        yield f"| `{info.alias or name}` | {_markdown(kind)} | {_default(info)} | {_markdown(said[name])} |"


def _kind(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(parts[0])
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin in (Union, UnionType):
        return " or ".join(_kind(part) for part in parts if part is not type(None))
    if origin is tuple:
        if (inner := _kind(parts[0])) == "table":
            return "tables"
        return f"list of {inner}" if parts[-1] is Ellipsis else f"{len(parts)} x {inner}"
    if origin is dict:
        return "tables by name"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}[annotation.__name__]


def _bounds(info: FieldInfo) -> str:
    limits = {name: getattr(part, name) for part in info.metadata for name in ("ge", "le") if hasattr(part, name)}
    pattern = next((part.pattern for part in info.metadata if getattr(part, "pattern", None)), "")
    text = f", {limits['ge']} to {limits['le']}" if limits else ""
    return text + (f", `{pattern}`" if pattern else "")


def _default(info: FieldInfo) -> str:
    if info.default is PydanticUndefined:
        return "required"
    if info.default in ("", (), {}, None):
        return "none"
    value = list(info.default) if isinstance(info.default, tuple) else info.default
    return f"`{str(value).lower() if isinstance(value, bool) else value}`".replace("'", '"')


def _member_text(enum: type[Enum], member: Enum) -> str:
    """The docstring that follows a member in the source, which Python itself does not keep."""
    match = re.search(rf'\b{member.name} = [^\n]*\n\s+"""(.*?)"""', inspect.getsource(enum), re.DOTALL)
    return ": " + _markdown(" ".join(match[1].split())) if match else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
