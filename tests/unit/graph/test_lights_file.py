# SPDX-License-Identifier: Apache-2.0
"""The lights document: examples load, and errors name file and field."""

import json
from pathlib import Path
from typing import Any

import pytest

from understudy.contracts.errors import GraphError, MissingFileError, UnderstudyError, UnreadableFileError
from understudy.contracts.lights import EnvironmentLight
from understudy.graph.lights_file import load_lights

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "lights"
SUN = {"type": "directional", "direction": [0, 1, 0]}


def write(folder: Path, *lights: Any, **document: Any) -> Path:
    path = folder / "l.json"
    path.write_text(json.dumps({"schema": "understudy.lights/1", "lights": lights} | document), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_examples_load(path: Path) -> None:
    assert load_lights(path).lights


def test_there_are_examples_of_every_type() -> None:
    types = {light.type for path in EXAMPLES.glob("*.json") for light in load_lights(path).lights}
    assert types == {"directional", "point", "spot", "area", "environment", "ambient"}


def test_files_are_relative_to_the_document(tmp_path: Path) -> None:
    (tmp_path / "lights").mkdir()
    (light,) = load_lights(write(tmp_path / "lights", {"type": "environment", "file": "../sky.hdr"})).lights
    assert isinstance(light, EnvironmentLight)
    assert Path(light.file) == tmp_path / "sky.hdr"


@pytest.mark.parametrize(
    ("light", "says"),
    [
        ({"type": "directional"}, "lights[1].direction: this field is missing"),
        (SUN | {"direction": [0, "up", 0]}, "lights[1].direction[1]: "),
        (SUN | {"direction": [0, 1]}, "lights[1].direction"),
        (SUN | {"intensty": 2}, "lights[1].intensty: there is no such field; did you mean 'intensity'?"),
        (SUN | {"intensity": -1}, "lights[1].intensity: input should be greater than or equal to 0, got -1"),
        (SUN | {"exposure": float("inf")}, "lights[1].exposure: "),
        ({"type": "sun"}, "lights[1]: there is no light of type 'sun'; types are directional"),
        ({"direction": [0, 1, 0]}, "lights[1]: the light has no type; types are directional"),
        (7, "lights[1]: "),
    ],
)
def test_wrong_lights_are_named(tmp_path: Path, light: Any, says: str) -> None:
    path = write(tmp_path, SUN, light)
    with pytest.raises(GraphError) as caught:
        load_lights(path)
    assert str(caught.value).startswith(f"{path}: {says}")


def test_wrong_documents_are_named(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"schema: .*write \"schema\""):
        load_lights(write(tmp_path, schema="understudy.lights/9"))
    with pytest.raises(GraphError, match=r"light: there is no such field; did you mean 'lights'"):
        load_lights(write(tmp_path, light=[]))
    path = tmp_path / "l.json"
    for text, kind in (
        ("[]", GraphError),
        ("{}", GraphError),
        ('{"a": ', UnreadableFileError),
        ("\x00\xff", UnreadableFileError),
        ("[" * 100000, UnreadableFileError),
        ('{"schema": "understudy.lights/1", "lights": {}}', GraphError),
    ):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(kind) as caught:
            load_lights(path)
        assert isinstance(caught.value, UnderstudyError)
    with pytest.raises(MissingFileError):
        load_lights(tmp_path / "none.json")
    with pytest.raises(UnreadableFileError):
        load_lights(tmp_path)


def test_numbers_beyond_any_light_are_refused(tmp_path: Path) -> None:
    for field, value in {"exposure": 9999, "intensity": 1e300, "color": [1e300, 0, 0]}.items():
        with pytest.raises(GraphError, match=rf"{field}.*less than or equal to"):
            load_lights(write(tmp_path, {"type": "ambient", field: value}))
    with pytest.raises(GraphError, match=r"position\[0\].*less than or equal to"):
        load_lights(write(tmp_path, {"type": "point", "position": [1e200, 0, 0]}))
    path = tmp_path / "digits.json"
    path.write_text(
        '{"schema": "understudy.lights/1", "lights": [{"type": "ambient", "intensity": 1' + "0" * 5000 + "}]}"
    )
    with pytest.raises(UnreadableFileError, match="a value that can't be"):
        load_lights(path)


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sun.json"
    with path.open("wb") as file:
        file.truncate(1 << 34)  # a hole: takes no space, and would take all memory
    with pytest.raises(UnreadableFileError, match="too large for a lights document"):
        load_lights(path)
