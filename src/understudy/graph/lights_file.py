# SPDX-License-Identifier: Apache-2.0
"""Reads a lights document (``understudy.lights/1``) from a file."""

import json
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from understudy.contracts import lights as kinds
from understudy.contracts.errors import GraphError, MissingFileError, UnreadableFileError
from understudy.contracts.fields import field_path
from understudy.contracts.lights import SCHEMA, EnvironmentLight, LightRig
from understudy.graph.yaml_file import MAX_BYTES

_TYPES: dict[str, type[BaseModel]] = {
    "directional": kinds.DirectionalLight,
    "point": kinds.PointLight,
    "spot": kinds.SpotLight,
    "area": kinds.AreaLight,
    "environment": kinds.EnvironmentLight,
    "ambient": kinds.AmbientLight,
}


def load_lights(path: Path) -> LightRig:
    """The rig of a document; the files of its environment lights become absolute paths.

    Args:
        path: A JSON file.

    Returns:
        The rig. Files named in it are not opened.

    Raises:
        MissingFileError: There is no such file.
        UnreadableFileError: It can't be read, or is no JSON.
        GraphError: A field is wrong; ``where`` names file and field, like ``sun.json: lights[2].direction``.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFileError("is too large for a lights document", where=str(path))
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingFileError("there is no such lights document", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UnreadableFileError(f"the lights document can't be read: {reason}", where=str(path)) from error
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise UnreadableFileError(f"not valid JSON: {error.msg}", where=where, fix="check commas and quotes") from None
    except ValueError as error:  # a whole number of 5000 digits
        raise UnreadableFileError(f"holds a value that can't be: {error}", where=str(path)) from None
    except RecursionError:
        raise UnreadableFileError("not a lights document: it is nested too deep", where=str(path)) from None
    return _absolute(parse_lights(document, str(path)), path.absolute().parent)


def parse_lights(document: object, source: str) -> LightRig:
    """A rig from JSON types.

    Args:
        document: What the JSON holds.
        source: How messages name it.

    Raises:
        GraphError: A field is wrong.
    """
    if not isinstance(document, dict):
        raise GraphError("a lights document is a JSON object", where=source, fix=f'start with {{"schema": "{SCHEMA}"')
    if "schema" not in document:
        raise GraphError("there is no schema", where=f"{source}: schema", fix=f'write "schema": "{SCHEMA}"')
    try:
        return LightRig.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        location = [part for part in first["loc"] if part not in _TYPES]
        raise GraphError(
            _problem(first), where=f"{source}: {field_path(location)}", fix=_fix(first, location, document)
        ) from None


def _absolute(rig: LightRig, folder: Path) -> LightRig:
    lights = tuple(
        light.model_copy(update={"file": str((folder / light.file).resolve())})
        if isinstance(light, EnvironmentLight)
        else light
        for light in rig.lights
    )
    return rig.model_copy(update={"lights": lights})


def _problem(error: ErrorDetails) -> str:
    given = error["input"]
    match error["type"]:
        case "missing":
            return "this field is missing"
        case "extra_forbidden":
            return "there is no such field"
        case "union_tag_invalid":
            return f"there is no light of type {given.get('type')!r}" if isinstance(given, dict) else "not a light"
        case "union_tag_not_found":
            return "the light has no type"
        case _:
            message = error["msg"]
            shown = json.dumps(given) if isinstance(given, (str, int, float, bool, list, type(None))) else ""
            return f"{message[0].lower()}{message[1:]}" + (f", got {shown[:60]}" if shown else "")


def _fix(error: ErrorDetails, location: Sequence[int | str], document: dict[str, Any]) -> str:
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"types are {', '.join(_TYPES)}"
    if error["type"] == "extra_forbidden":
        known = _fields(location, document)
        close = get_close_matches(str(location[-1]), known, n=1)
        return f"did you mean {close[0]!r}?" if close else f"fields are {', '.join(known)}"
    if location == ["schema"]:
        return f'write "schema": "{SCHEMA}"'
    return "see docs/reference/lights.md"


def _fields(location: Sequence[int | str], document: dict[str, Any]) -> list[str]:
    if location[0] == "lights" and len(location) > 1 and isinstance(location[1], int):
        return list(_TYPES[document["lights"][location[1]]["type"]].model_fields)
    return ["schema", "lights"]
