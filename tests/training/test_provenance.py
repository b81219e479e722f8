# SPDX-License-Identifier: Apache-2.0
"""What can be proved of where the bundled weights come from. No torch needed.

Nobody can prove what a network was not shown. What can be: the code that trains holds no pictures and no weights, can
read no picture files, and reaches no network; the weights that are shipped are those whose run is on record, by hash;
and the generators that drew their data are the ones in this tree, by hash.
"""

import ast
import hashlib
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from understudy.packs import open_pack
from understudy_training.generator_version import generator_sources, generator_version
from understudy_training.recipe import read_recipe, recipe_names

_ROOT = Path(__file__).resolve().parents[2]
_TRAINING = _ROOT / "training"
_PACKAGE = _TRAINING / "understudy_training"
_REACHES_OUT = {
    "ctypes",
    "ftplib",
    "http",
    "imaplib",
    "poplib",
    "smtplib",
    "socket",
    "ssl",
    "subprocess",
    "urllib",
    "xmlrpc",
}
_ALLOWED = sys.stdlib_module_names - _REACHES_OUT | {"numpy", "torch", "understudy_training"}
_READERS = {
    "imread",
    "imdecode",
    "fromfile",
    "load",
    "loadtxt",
    "genfromtxt",
    "memmap",
    "open",
    "read_bytes",
    "VideoCapture",
    "urlopen",
    "load_state_dict_from_url",
}
_MAY_READ = {
    "checkpoint.py": {"load", "open"},  # its own state, as tensors only
    "generator_version.py": {"read_bytes"},  # sources, to hash them
    "log.py": {"open", "read_bytes"},
    "loop.py": {"read_bytes"},  # weights to start from, to hash them
    "result.py": {"read_bytes"},
    "safetensors_file.py": {"open", "read_bytes"},
}
_CLASSICAL = {"classical_flow.py", "classical_motion.py", "tasks/fusion.py"}  # OpenCV's motion, to start from
_LEARNED = "synthetic"


def _sources() -> Iterator[Path]:
    yield from sorted(_PACKAGE.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(_PACKAGE).as_posix()


def _learned_packs() -> list[Path]:
    manifests = sorted((_ROOT / "models").glob("*/pack.toml"))
    return [path.parent for path in manifests if tomllib.loads(path.read_text())["training"]["basis"] != "none"]


def _evidence(folder: Path) -> dict[str, dict[str, Any]]:
    """The evidence of a pack's runs, by recipe."""
    names = open_pack(folder).manifest.rights.evidence
    found = [tomllib.loads((folder / name).read_text()) for name in names if name.endswith(".toml")]
    return {entry["recipe"]: entry for entry in found}


def test_the_training_code_imports_torch_and_numpy_alone() -> None:
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert not node.level, f"{_name(path)}: a relative import"
                names = [node.module or ""]
            for name in names:
                first = name.partition(".")[0]
                assert first in _ALLOWED or (name == "cv2" and _name(path) in _CLASSICAL), f"{_name(path)}: {name}"
                assert name not in {"torch.hub", "torch.utils.model_zoo"}, f"{_name(path)}: {name}"


def test_nothing_in_the_training_code_reads_a_picture() -> None:
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "attr", getattr(node.func, "id", ""))
                known = _MAY_READ.get(_name(path), set())
                assert called not in _READERS - known, f"{_name(path)}:{node.lineno}: calls {called}"


def test_the_training_folder_holds_text_alone() -> None:
    for path in sorted(_TRAINING.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.suffix in {".py", ".toml", ".md"}, path
            path.read_text(encoding="utf-8")
            assert path.stat().st_size < 60_000, f"{path} is large enough to hide something in"


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_that_made_weights_names_the_generators_of_this_tree(name: str) -> None:
    recipe = read_recipe(name)
    assert generator_sources(recipe.task)
    if recipe.generator:
        assert recipe.generator == generator_version(recipe.task)


def test_a_generator_version_follows_every_byte_that_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    import understudy_training.generator_version as module

    shutil.copytree(_PACKAGE, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    before = generator_version("sharpen")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "copy" / "generator_version.py"))
    assert generator_version("sharpen") == before
    with (tmp_path / "copy" / "generators" / "smoothed_noise.py").open("a") as stream:
        stream.write("# another draw\n")
    assert generator_version("sharpen") != before


@pytest.mark.parametrize("folder", _learned_packs(), ids=lambda folder: folder.name)
def test_a_learned_pack_is_the_run_that_its_evidence_names(folder: Path) -> None:
    pack = open_pack(folder)
    assert pack.manifest.training.basis == _LEARNED
    assert pack.info().rights_record == "agrees"
    runs = _evidence(folder)
    assert runs, f"{folder.name}: rights.evidence names no run"
    hashes: dict[str, str] = {}
    for name, evidence in runs.items():
        recipe = read_recipe(name)  # it must exist
        assert recipe.pack == folder.name
        assert recipe.generator == evidence["generator"] == generator_version(recipe.task)
        made = (recipe.seed, recipe.run.steps, recipe.run.warmup_steps, recipe.run.cooldown_steps)
        assert made == tuple(evidence[key] for key in ("seed", "steps", "warmup_steps", "cooldown_steps"))
        hashes |= {graph["file"]: graph["sha256"] for graph in evidence["graphs"].values()}
        if evidence["init_sha256"]:
            # what it started from is on record, here or in the pack of that run
            before = runs | _evidence(folder.parent / read_recipe(recipe.init).pack)
            assert before[recipe.init]["weights_sha256"] == evidence["init_sha256"]
    weights = [path for path in folder.iterdir() if path.suffix in {".onnx", ".safetensors"}]
    assert {path.name for path in weights} == set(hashes)
    for path in weights:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == hashes[path.name], path


def test_bundled_weights_are_those_of_learned_packs_and_small() -> None:
    weights = [
        path for path in (_ROOT / "models").rglob("*") if path.suffix in {".onnx", ".safetensors", ".pt", ".pth"}
    ]
    others = {path.parent.name for path in weights} - {folder.name for folder in _learned_packs()}
    assert others <= {"identity-onnx-upscale"}  # no weights: its graph only copies
    assert sum(path.stat().st_size for path in weights) <= 40 << 20
