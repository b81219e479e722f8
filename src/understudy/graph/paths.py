# SPDX-License-Identifier: Apache-2.0
"""Every file that a graph document names: found in the document's model, where each such field is marked."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from understudy.contracts.fields import field_path
from understudy.contracts.paths import NamesFile
from understudy.graph.document import Graph

Change = Callable[["NamedFile"], str]


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A path in a document.

    Attributes:
        place: Where it stands, such as ``nodes.plate.file``.
        path: The path, or a pattern of paths.
        mark: What is done with it.
    """

    place: str
    path: str
    mark: NamesFile


def files_of(graph: Graph) -> Iterator[NamedFile]:
    """Every path in a document, those in lights written into it too. Those in files it names are not among them."""
    found: list[NamedFile] = []

    def note(named: NamedFile) -> str:
        found.append(named)
        return named.path

    with_files(graph, note)
    yield from found


def with_files(graph: Graph, change: Change) -> Graph:
    """The document with other paths.

    Args:
        graph: The document.
        change: Gives what is to stand in the place of a path.
    """
    changed: Graph = _changed(graph, Graph, (), change)
    return changed


def with_absolute_files(graph: Graph) -> Graph:
    """The document with paths that mean the same from any working folder."""
    return with_files(graph, lambda named: os.path.abspath(named.path))  # noqa: PTH100 - Path keeps the ``..``


def _changed(value: Any, annotation: Any, place: tuple[int | str, ...], change: Change) -> Any:
    if isinstance(value, BaseModel):
        return _changed_model(value, place, change)
    if isinstance(value, str):
        mark = mark_in(annotation)
        return change(NamedFile(field_path(place), value, mark)) if mark and mark.fits(value) else value
    if isinstance(value, dict):
        inner = _inner(annotation, dict)
        return {key: _changed(item, inner, (*place, key), change) for key, item in value.items()}
    if isinstance(value, tuple):
        inner = _inner(annotation, tuple)
        return tuple(_changed(item, inner, (*place, index), change) for index, item in enumerate(value))
    return value


def _changed_model(model: BaseModel, place: tuple[int | str, ...], change: Change) -> BaseModel:
    changes: dict[str, Any] = {}
    for name, info in type(model).model_fields.items():
        before = getattr(model, name)
        annotation = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        after = _changed(before, annotation, (*place, name), change)
        if after is not before and after != before:
            changes[name] = after
    return model.model_copy(update=changes) if changes else model


def mark_in(annotation: Any) -> NamesFile | None:
    """The mark of a field whose value is text: of the annotation itself or of an arm of its union."""
    parts = get_args(annotation)
    if get_origin(annotation) is Annotated:
        own = next((part for part in parts[1:] if isinstance(part, NamesFile)), None)
        return own or mark_in(parts[0])
    return next((mark for part in parts if (mark := mark_in(part))), None)


def _inner(annotation: Any, container: type) -> Any:
    """What the items of a container are, as far as the annotation says."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _inner(parts[0], container)
    if origin is container:
        return parts[1] if container is dict else parts[0]
    return next((inner for part in parts if (inner := _inner(part, container)) is not None), None)
