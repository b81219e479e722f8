# SPDX-License-Identifier: Apache-2.0
"""The Understudy plug-ins under the real pyblish: in a host with nothing but pyblish and the bridge, and whole."""

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import understudy
from understudy.contracts.plate import Plate, Window
from understudy.frames.write import write_plate
from understudy.share_root import share_root

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("pyblish"), reason="needs pyblish-base")

_SHARE = share_root()
_FOLDER = _SHARE / "plugins" / "publish"
_NAMES = [
    "CollectSequences", "CollectUnderstudy", "ValidateFrames", "ValidateFramesReadable", "ValidateColor",
    "ValidatePicture", "ValidateRecord", "ValidatePacks", "ValidateRights", "ValidateQuality", "ExtractReview",
    "ExtractRights", "IntegrateVersion",
]  # fmt: skip

# A host's Python: isolated, no site-packages; what it may import stands on its path alone.
_HOST = """
import json, sys
sys.path[:0] = sys.argv[1].split(":")
job = json.loads(sys.argv[2])
told, sys.stdout = sys.stdout, sys.stderr
import pyblish.api, pyblish.util, pyblish.logic, pyblish.plugin
plugins = pyblish.api.discover(paths=[job["plugins"]])
context = pyblish.api.Context()
context.data.update(job["data"])
for step in ([pyblish.util.publish] if job["whole"] else [pyblish.util.collect, pyblish.util.validate]):
    step(context, plugins)
acted = []
for name, action in job["actions"]:
    plugin = next(plugin for plugin in plugins if plugin.__name__ == name)
    wanted = next(one for one in plugin.actions if one.__name__ == action)
    result = pyblish.plugin.process(plugin, context, None, wanted.id)
    acted.append([name, action, "" if result["error"] is None else str(result["error"])])
results = list(context.data["results"])
if job["actions"]:
    context.data["results"] = []
    pyblish.util.validate(context, plugins)
json.dump({
    "plugins": [[plugin.__name__, plugin.order] for plugin in plugins],
    "failures": {r["plugin"].__name__: str(r["error"]) for r in results if r["error"] is not None},
    "warnings": [record.getMessage() for r in results for record in r["records"] if record.levelname == "WARNING"],
    "acted": acted,
    "again": {r["plugin"].__name__: str(r["error"]) for r in context.data["results"] if r["error"] is not None},
    "instances": [instance.data for instance in context],
    "loaded": sorted({name.partition(".")[0] for name in sys.modules}),
}, told, default=str)
"""


@pytest.fixture(autouse=True)
def command(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ``understudy`` command of the package under test."""
    path = tmp_path_factory.mktemp("bin") / "understudy"
    package = Path(understudy.__file__).parents[1]
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{package}" exec "{sys.executable}" -m understudy "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(path))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plate, a graph that retimes it, and its render with record."""
    folder = tmp_path_factory.mktemp("shot")
    texture = np.random.default_rng(5).random((12, 16, 3)).astype(np.float32).repeat(6, 0).repeat(6, 1)
    for index in range(3):
        pixels = np.roll(texture, 2 * index, 1)
        plate = Plate(
            pixels=np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=2),
            channels=("R", "G", "B", "A"),
            sample_types=("half",) * 4,
            data_window=Window(0, 0, 96, 72),
            display_window=Window(0, 0, 96, 72),
            colorspace="ACEScg",
        )
        write_plate(plate, folder / "plate" / f"plate.{1001 + index}.exr")
    (folder / "slow.yaml").write_text(
        "schema: understudy.graph/1\n"
        "rights: {talent: false, use: temporary}\n"
        "nodes:\n"
        "  plate: {type: read, file: plate/plate.%04d.exr}\n"
        "  slow: {type: interpolate, input: plate, speed: 0.5}\n"
        "  out: {type: write, input: slow, file: out/sh010.%04d.exr}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "render", str(folder / "slow.yaml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def shot(rendered: Path, tmp_path: Path) -> Iterator[Path]:
    """The rendered shot, to be broken; at its own place, for the graph in the record names that."""
    kept = tmp_path / "kept"
    shutil.copytree(rendered, kept)
    yield rendered
    shutil.rmtree(rendered)
    shutil.copytree(kept, rendered)


def _host(
    source: Path, *, whole: bool = False, actions: tuple[tuple[str, str], ...] = (), **data: Any
) -> dict[str, Any]:
    pyblish = Path(str(importlib.util.find_spec("pyblish").origin)).parents[1]
    only = source.parent / "host_packages"
    if not only.exists():  # pyblish alone, not what is installed beside it
        only.mkdir()
        (only / "pyblish").symlink_to(pyblish / "pyblish")
    path = f"{only}:{_SHARE / 'host_bridge' / 'python'}"
    job = {
        "plugins": str(_FOLDER),
        "data": {"understudySource": str(source)} | data,
        "whole": whole,
        "actions": actions,
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _HOST, path, json.dumps(job)],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_pyblish_finds_every_plug_in_in_order(rendered: Path) -> None:
    """It only logs what it could not load, so a publish would silently run without it."""
    told = _host(rendered / "out")
    assert sorted(name for name, _ in told["plugins"]) == sorted(_NAMES)
    assert [order for _, order in told["plugins"]] == sorted(order for _, order in told["plugins"])


def test_collect_and_validate_need_nothing_but_pyblish_and_the_bridge(rendered: Path) -> None:
    told = _host(rendered / "out")
    assert told["failures"] == {}
    assert not {"numpy", "OpenImageIO", "pydantic", "understudy", "grpc", "google"} & set(told["loaded"])
    (instance,) = told["instances"]
    wanted = {
        "productName": "sh010", "productType": "render", "family": "render", "families": ["understudy", "render"],
        "frameStart": 1001, "frameEnd": 1005, "handleStart": 0, "handleEnd": 0, "fps": 24.0, "asset": "sh010",
        "frames": "1001-1005", "colorspace": "ACEScg", "publish": True, "stagingDir": str(rendered / "out"),
    }  # fmt: skip
    assert {key: instance[key] for key in wanted} == wanted
    names = {one["name"]: one for one in instance["representations"]}
    assert list(names) == ["exr", "confidence", "provenance", "hashlist"]
    assert names["exr"]["files"] == [f"sh010.{frame}.exr" for frame in range(1001, 1006)]
    assert names["confidence"]["channels"] == ["confidence.Y"]


def test_without_a_source_nothing_is_collected(rendered: Path) -> None:
    told = _host(rendered / "out", understudySource="")
    assert (told["instances"], told["failures"]) == ([], {})


def test_a_graph_gives_an_instance_for_each_write_node(rendered: Path) -> None:
    told = _host(rendered / "slow.yaml")
    assert told["failures"] == {}
    assert [one["graph"] for one in told["instances"]] == [str(rendered / "slow.yaml")]


def test_each_family_fails_in_its_own_validator_with_what_to_do(shot: Path) -> None:
    (shot / "out" / "sh010.1002.exr").unlink()
    told = _host(shot / "out", understudyFinal=True)
    assert sorted(told["failures"]) == ["ValidateFrames", "ValidateRights"]
    assert told["failures"]["ValidateFrames"].startswith("Frames are missing: frame 1002 is not there. To do: render")
    assert told["failures"]["ValidateRights"].startswith("Nobody approved this as final: ")
    assert "IntegrateVersion" not in told["failures"]


def test_select_and_repair_bring_missing_and_broken_frames_back(shot: Path) -> None:
    before = (shot / "out" / "sh010.1003.exr").read_bytes()
    (shot / "out" / "sh010.1002.exr").unlink()
    (shot / "out" / "sh010.1003.exr").write_bytes(before[:-900])
    (shot / "out" / "sh010.1004.exr").write_bytes(b"")
    actions = (("ValidateFrames", "SelectFrames"), ("ValidateFrames", "RepairFrames"))
    told = _host(shot / "out", actions=actions)
    assert told["failures"]["ValidateFrames"].count("\n") == 2
    assert told["acted"] == [["ValidateFrames", "SelectFrames", ""], ["ValidateFrames", "RepairFrames", ""]]
    assert told["instances"][0]["selectedFrames"] == [1002, 1003, 1004]
    assert told["again"] == {}
    assert (shot / "out" / "sh010.1003.exr").read_bytes() == before, "the same job makes the same bytes"


def test_the_record_is_written_again_where_the_graph_is_known(shot: Path) -> None:
    for path in (shot / "out").glob("*.json"):
        path.unlink()
    told = _host(shot / "slow.yaml", actions=(("ValidateRecord", "RepairRecord"),))
    assert list(told["failures"]) == ["ValidateRecord"]
    assert told["acted"] == [["ValidateRecord", "RepairRecord", ""]]
    assert told["again"] == {}
    assert len(list((shot / "out").glob("*.provenance.json"))) == 1


def test_a_whole_publish_in_a_host_makes_a_version(rendered: Path, tmp_path: Path) -> None:
    told = _host(rendered / "out", whole=True, understudyRoot=str(tmp_path / "root"), understudyMovies="none")
    assert told["failures"] == {}
    (instance,) = told["instances"]
    assert (instance["version"], instance["publishDir"]) == (1, str(tmp_path / "root" / "sh010" / "v001"))
    assert (tmp_path / "root" / "sh010" / "v001" / "review" / "sh010.contactsheet.png").is_file()


@pytest.mark.parametrize(
    "path", sorted([*_FOLDER.glob("*.py"), _SHARE / "plugins" / "run_publish.py"]), ids=lambda path: path.name
)
def test_a_plug_in_is_python_3_9_and_imports_little(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    own = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert own <= {"pyblish", "understudy_bridge"}
