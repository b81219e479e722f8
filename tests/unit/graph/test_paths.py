# SPDX-License-Identifier: Apache-2.0
"""Every field of the document that names a file is marked, so that no rule about files can miss one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from understudy.graph.document import Graph
from understudy.graph.parsing import parse_graph
from understudy.graph.paths import files_of, mark_in, with_absolute_files, with_files

_NO_FILES = {
    # A field of text that is no file stands here; one that is a file is marked in the model.
    *("ShotRights.consent", "ShotRights.approval"),
    *("Lock.packs", "Graph.frames", "ReadNode.colorspace", "ReadNode.frames", "ReadNode.view", "ReadNode.part"),
    *("ReadNode.channels",),
    *("WriteNode.input", "WriteNode.colorspace", "WriteNode.compression", "WriteNode.metadata"),
    *(f"{node}.{field}" for node in ("MotionNode", "InterpolateNode", "UpscaleNode", "RelightNode")
      for field in ("input", "pack", "options")),
    *("MotionNode.matte", "InterpolateNode.vectors", "InterpolateNode.motion_pack", "InterpolateNode.motion_options"),
    *("Timeline.clip", "ColorNode.input", "ColorNode.to", "VectorBlurNode.input", "VectorBlurNode.vectors"),
    *(f"RelightNode.{field}" for field in ("albedo", "normal", "position", "depth", "roughness", "metallic")),
    *("RelightNode.reference", "EnvironmentLight.colorspace"),
    *(f"{kind}Light.name" for kind in ("Directional", "Point", "Spot", "Area", "Environment", "Ambient")),
}  # fmt: skip


def _models(annotation: Any, seen: dict[str, type[BaseModel]]) -> None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation.__name__ not in seen:
            seen[annotation.__name__] = annotation
            for info in annotation.model_fields.values():
                _models(info.annotation, seen)
    else:
        for part in get_args(annotation):
            _models(part, seen)


def _holds_text(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return False
    if annotation is str:
        return True
    parts = get_args(annotation)
    if get_origin(annotation) is Annotated:
        parts = parts[:1]
    if get_origin(annotation) is dict:
        parts = parts[1:]
    return any(_holds_text(part) for part in parts)


def _text_fields() -> Iterator[tuple[str, bool]]:
    """Each field that may hold text, and whether it is marked as a file."""
    seen: dict[str, type[BaseModel]] = {}
    _models(Graph, seen)
    for name, model in seen.items():
        for field, info in model.model_fields.items():
            annotation = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
            if _holds_text(info.annotation):
                yield f"{name}.{field}", mark_in(annotation) is not None


def test_each_field_of_text_is_a_marked_file_or_known_to_be_none() -> None:
    fields = dict(_text_fields())
    marked = {name for name, mark in fields.items() if mark}
    assert marked == {
        *("ReadNode.file", "WriteNode.file", "Timeline.file", "RelightNode.lights", "RelightNode.present"),
        *("EnvironmentLight.file", "Graph.ocio", "Lock.ocio"),
    }
    assert set(fields) - marked == _NO_FILES


def _everything(folder: str) -> Graph:
    """A document with a file in every field that takes one."""
    sky = {"type": "environment", "file": f"{folder}sky.exr"}
    nodes = {
        "plate": {"type": "read", "file": f"{folder}plate.%04d.exr"},
        "slow": {"type": "interpolate", "input": "plate", "timeline": {"file": f"{folder}cut.otio", "clip": "a"}},
        "lit": {"type": "relight", "input": "plate", "lights": f"{folder}new.json", "present": {"lights": [sky]}},
        "also": {"type": "relight", "input": "plate", "lights": {"lights": [sky]}, "present": f"{folder}old.json"},
        "out": {"type": "write", "input": "slow", "file": f"{folder}out/x.%04d.exr"},
        "out2": {"type": "write", "input": "lit", "file": f"{folder}out/y.%04d.exr"},
    }
    return parse_graph({"schema": "understudy.graph/1", "ocio": f"{folder}config.ocio", "nodes": nodes})


def test_all_of_them_are_found_with_their_place() -> None:
    found = [(named.place, named.path, named.mark.access) for named in files_of(_everything("/a/"))]
    assert found == [
        ("ocio", "/a/config.ocio", "config"),
        ("nodes.plate.file", "/a/plate.%04d.exr", "read"),
        ("nodes.slow.timeline.file", "/a/cut.otio", "read"),
        ("nodes.lit.lights", "/a/new.json", "read"),
        ("nodes.lit.present.lights[0].file", "/a/sky.exr", "read"),
        ("nodes.also.lights.lights[0].file", "/a/sky.exr", "read"),
        ("nodes.also.present", "/a/old.json", "read"),
        ("nodes.out.file", "/a/out/x.%04d.exr", "write"),
        ("nodes.out2.file", "/a/out/y.%04d.exr", "write"),
    ]


def test_paths_are_changed_everywhere_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    relative, absolute = _everything(""), _everything(f"{tmp_path}/")
    assert with_absolute_files(relative) == absolute
    assert with_absolute_files(absolute) == absolute
    assert with_files(absolute, lambda named: named.path.removeprefix(f"{tmp_path}/")) == relative
    assert parse_graph(absolute.model_dump(mode="json", by_alias=True)) == absolute


def test_a_built_in_config_is_no_file() -> None:
    graph = _everything("/a/").model_copy(update={"ocio": "ocio://studio-config-v4.0.0_aces-v2.0_ocio-v2.5"})
    assert "ocio" not in {named.place for named in files_of(graph)}
