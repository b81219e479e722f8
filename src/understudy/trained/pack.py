# SPDX-License-Identifier: Apache-2.0
"""Writes what a training run gave into a pack's folder."""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from understudy.contracts.errors import OutputError, PackNotFoundError, QualityGateError, UsageError
from understudy.packs import MANIFEST_NAME, open_pack, write_hashes
from understudy.packs.bom import BOM_NAME, bom_text, write_bom
from understudy.packs.card import CARD_NAME
from understudy.packs.manifest import read_toml
from understudy.packs.toml_file import shown
from understudy.trained.card_block import block_text, with_block
from understudy.trained.parity import parity_difference
from understudy_training.export import Exported, export_weights
from understudy_training.generator_version import generator_version
from understudy_training.recipe import Recipe, RunSettings, corrected
from understudy_training.result import read_result, run_recipe
from understudy_training.task import Extras
from understudy_training.toml_text import toml_text

_NOTE = "Learned from pictures that the project's own generator drew from a seed; no photograph, no other's weights."


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph that went into the pack.

    Attributes:
        file: Its name in the folder.
        sha256: Of that file.
        parity: The largest absolute difference of ONNX Runtime's answers from torch's.
        tolerance: The largest that is allowed.
        gflop_per_megapixel: What it costs, for each megapixel of the input.
    """

    file: str
    sha256: str
    parity: float
    tolerance: float
    gflop_per_megapixel: float


def pack_from_run(recipe: Recipe, run: Path, folder: Path) -> tuple[Graph, ...]:
    """Exports a finished run, checks the graphs against torch, and writes them into a pack with all that backs them.

    The pack's ``pack.toml`` must be there; its hashes may be missing. Written are the graphs, ``<recipe>.toml`` (the
    evidence: recipe, generator version, seed, steps, versions, hashes, figures), training basis and evidence in the
    manifest, the card's block, the hashes and the ML-BOM. The recipe's file gets the run's settings and its true step
    numbers.

    Args:
        recipe: The shipped recipe.
        run: The run's folder.
        folder: The pack's folder.

    Raises:
        UsageError: The run is another recipe's, or the generators changed since.
        PackNotFoundError: The folder holds no ``pack.toml``.
        QualityGateError: A graph and torch differ by more than the recipe allows.
        PackError: ONNX Runtime can't run a graph, or the manifest is wrong.
        OutputError: A file can't be written.
    """
    result = read_result(run)
    _require_same(recipe, run, result)
    if not (folder / MANIFEST_NAME).is_file():
        fix = "write its pack.toml first; hashes, training and rights.evidence are filled in"
        raise PackNotFoundError(f"holds no {MANIFEST_NAME}", where=shown(folder), fix=fix)
    weights = run / result["weights"]
    if hashlib.sha256(weights.read_bytes()).hexdigest() != result["weights_sha256"]:
        raise UsageError("has other bytes than its result.toml names", where=shown(weights), fix="run it again")
    with tempfile.TemporaryDirectory() as temporary:
        exported, extras = export_weights(recipe, weights, Path(temporary))
        graphs = tuple(_checked(one) for one in exported)
        try:
            for name in (*(graph.file for graph in graphs), *extras.files):
                shutil.copyfile(Path(temporary) / name, folder / name)
        except OSError as error:
            raise OutputError(f"can't be written: {error.strerror}", where=shown(folder)) from None
    _write_evidence(recipe, result, graphs, extras, folder)
    _correct_recipe(recipe, run_recipe(run), result)
    write_hashes(folder)
    pack = open_pack(folder)
    write_bom(folder / BOM_NAME, bom_text(pack.manifest, pack.folder, pack.digest))
    return graphs


def _require_same(recipe: Recipe, run: Path, result: dict[str, Any]) -> None:
    ran = run_recipe(run)
    if (ran.name, ran.task) != (recipe.name, recipe.task):
        problem = f'ran the recipe "{ran.name}", not "{recipe.name}"'
        raise UsageError(problem, where=shown(run), fix="name the recipe that was run")
    for name in sorted({*ran.options, *recipe.options}):
        if ran.options.get(name) != recipe.options.get(name):
            had, has = (repr(options.get(name, "nothing")) for options in (ran.options, recipe.options))
            problem = f"ran with options.{name} = {had}, and the recipe says {has}"
            raise UsageError(problem, where=shown(run), fix="correct the recipe, or run it again")
    now = generator_version(recipe.task)
    if result["generator"] != now:
        problem = f"was drawn by generator {result['generator'][:12]}..., and the sources are {now[:12]}..."
        raise UsageError(problem, where=shown(run), fix="take the sources the run had, or run the recipe again")


def _checked(exported: Exported) -> Graph:
    difference = parity_difference(exported.path, exported.parity)
    if difference > exported.tolerance:
        problem = f"differs from torch by {difference:.2g}, more than {exported.tolerance:.2g}"
        fix = "look for what the export changed, or say in [tolerance] parity what is right"
        raise QualityGateError(problem, where=exported.path.name, fix=fix)
    sha256 = hashlib.sha256(exported.path.read_bytes()).hexdigest()
    return Graph(exported.path.name, sha256, difference, exported.tolerance, exported.gflop_per_megapixel)


def _write_evidence(
    recipe: Recipe, result: dict[str, Any], graphs: Sequence[Graph], extras: Extras, folder: Path
) -> None:
    rows = [
        {"file": graph.file, "parity": graph.parity, "gflop_per_megapixel": graph.gflop_per_megapixel}
        for graph in graphs
    ]
    figures = {name: float(f"{value:.4g}") for name, value in extras.figures.items()}
    tables = {
        **({"measured": figures} if figures else {}),
        "graphs": {
            graph.file.rpartition(".")[0]: {
                "file": graph.file,
                "sha256": graph.sha256,
                "parity": float(f"{graph.parity:.3g}"),
                "gflop_per_megapixel": float(f"{graph.gflop_per_megapixel:.4g}"),
            }
            for graph in graphs
        },
    }
    head = f"# SPDX-License-Identifier: Apache-2.0\n# How these weights were made; `understudy train {recipe.name}`.\n"
    name = f"{recipe.name}.toml"
    manifest, card = folder / MANIFEST_NAME, folder / CARD_NAME
    said = read_toml(folder).get("rights", {}).get("evidence", [])
    changes = {
        "training.basis": "synthetic",
        "training.evidence": "self-declared",
        "training.note": _NOTE,
        "rights.people": "no",
        "rights.evidence": [*said, *([] if name in said else [name])],
    }
    try:
        (folder / name).write_text(head + toml_text({**result, **tables}), encoding="utf-8")
        manifest.write_text(corrected(manifest.read_text(encoding="utf-8"), changes), encoding="utf-8")
        text = card.read_text(encoding="utf-8") if card.is_file() else f"# {recipe.title or recipe.name}\n"
        card.write_text(with_block(text, recipe.name, block_text(result, rows, extras.card, figures)), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", where=shown(folder)) from None


def _differing(one: RunSettings, other: RunSettings) -> dict[str, Any]:
    """Fields of the first that the second has otherwise."""
    theirs = asdict(other)
    return {name: value for name, value in asdict(one).items() if value != theirs[name]}


def _correct_recipe(recipe: Recipe, ran: Recipe, result: dict[str, Any]) -> None:
    changes = {
        **({"seed": ran.seed} if ran.seed != recipe.seed else {}),
        **{f"run.{name}": value for name, value in _differing(ran.run, recipe.run).items()},
        "generator": result["generator"],
        "run.steps": result["steps"],
        "run.warmup_steps": result["warmup_steps"],
        "run.cooldown_steps": result["cooldown_steps"],
        "made.score": result["validation"]["score"],
        **{f"made.{name}": result[name] for name in ("seconds", "device", "torch", "numpy", "python")},
    }
    try:
        text = recipe.source.read_text(encoding="utf-8")
        recipe.source.write_text(corrected(text, changes), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", where=shown(recipe.source)) from None
