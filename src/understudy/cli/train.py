# SPDX-License-Identifier: Apache-2.0
"""``understudy train``: runs a recipe, writes a pack from a finished run, or shows what a generator draws."""

import json as json_module
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from understudy.cli import options as o

if TYPE_CHECKING:
    from understudy_training.recipe import Recipe

Device = Literal["auto", "cpu", "cuda"]


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="The recipe's name, or its file.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The run's folder; runs/RECIPE when left out. A run goes on there."),
    ] = None,
    device: Annotated[Device, typer.Option("--device", help="auto takes CUDA where it is.")] = "auto",
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", min=1, help="CPU threads; the recipe's when left out.")
    ] = None,
    stop_after: Annotated[
        float | None,
        typer.Option("--stop-after", metavar="SECONDS", min=0.1, help="Be done after this time, cooled down early."),
    ] = None,
    workers: Annotated[
        int,
        typer.Option("--workers", metavar="N", min=0, help="Processes that draw ahead; a GPU wants a few."),
    ] = 0,
    init: Annotated[
        Path | None, typer.Option("--init", metavar="FILE", help="Weights to start from (.safetensors).")
    ] = None,
    settings: Annotated[
        list[str], typer.Option("--set", metavar="NAME=VALUE", help="Change the recipe: run.steps=300.")
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    from_run: Annotated[
        Path | None,
        typer.Option("--from", metavar="RUN_DIR", help="Train nothing: write the pack from this finished run."),
    ] = None,
    pack: Annotated[
        Path | None,
        typer.Option("--pack", metavar="DIR", help="The pack's folder, for --from; the recipe's when left out."),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", metavar="OUT.png", help="Train nothing: write a contact sheet of what is drawn."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Which draw, for --sheet.")] = 0,
    json: o.Json = False,
) -> None:
    """Train a network on procedural pictures by a recipe; a run that was stopped goes on where it was."""
    from understudy.contracts.errors import UsageError

    if pack and not from_run:
        raise UsageError("is for --from", where="--pack", fix="give --from RUN_DIR too")
    if from_run and sheet:
        raise UsageError("can't be given with --from", where="--sheet", fix="give one of the two")
    with _told():
        from understudy_training.recipe import read_recipe

        found = read_recipe(recipe, settings)
        if sheet:
            _write_sheet(found, sheet, seed, json)
        elif from_run:
            _write_pack(found, from_run, pack, json)
        else:
            from understudy_training.loop import RunOptions

            options = RunOptions("" if device == "auto" else device, threads, stop_after, init, workers)
            _train(found, out or Path("runs") / found.name, options, json, changed=bool(settings))


def _train(recipe: "Recipe", folder: Path, options: Any, json: bool, *, changed: bool) -> None:
    from understudy.cli.progress import JsonLines
    from understudy.cli.training_progress import TrainingBar
    from understudy.contracts.errors import QualityGateError
    from understudy_training.loop import train as run_recipe
    from understudy_training.result import read_result, reproduction

    with JsonLines() if json else TrainingBar() as shown:
        run_recipe(recipe, folder, options, shown.hear)
        # a recipe that --set changed has no shipped score to reach
        again = None if changed else reproduction(recipe, read_result(folder))
        if again:
            difference, within = again
            shown.hear({"event": "reproduced", "difference": difference, "within": within})
    if again and not within:
        problem = f"the score differs from the shipped one by {difference:+.3g}, more than {recipe.tolerance.score:g}"
        raise QualityGateError(problem, where=str(folder), fix="compare versions and device with [made] of the recipe")


def _write_pack(recipe: "Recipe", run: Path, folder: Path | None, json: bool) -> None:
    from understudy.contracts.errors import UsageError
    from understudy.share_root import share_root
    from understudy.trained.pack import pack_from_run

    if folder is None:
        if not recipe.pack:
            raise UsageError("names no pack", where=recipe.source.name, fix="give --pack DIR")
        folder = share_root() / "models" / recipe.pack
    graphs = pack_from_run(recipe, run, folder)
    for graph in graphs:
        if json:
            facts = {"file": graph.file, "sha256": graph.sha256, "parity": graph.parity}
            more = {"tolerance": graph.tolerance, "gflop_per_megapixel": graph.gflop_per_megapixel}
            typer.echo(json_module.dumps({"event": "graph", **facts, **more}))
        else:
            typer.echo(f"{folder / graph.file}: differs from torch by {graph.parity:.2g} (up to {graph.tolerance:.2g})")
    from understudy.packs import open_pack

    pin = open_pack(folder).pin
    if json:
        typer.echo(json_module.dumps({"event": "written", "pack": str(pin), "folder": str(folder)}))
    else:
        typer.echo(f"{pin.id}@{pin.version}#{pin.sha256}")


def _write_sheet(recipe: "Recipe", path: Path, seed: int, json: bool) -> None:
    from understudy.contracts.errors import UsageError
    from understudy_training.contact_sheet import contact_sheet
    from understudy_training.png import write_png

    if path.suffix.lower() != ".png":
        raise UsageError(f'"{path.name}" is no PNG file', where="--sheet", fix="give it a name that ends in .png")
    pixels = contact_sheet(recipe, seed)
    write_png(path, pixels)
    event = {"event": "sheet", "file": str(path), "width": pixels.shape[1], "height": pixels.shape[0]}
    typer.echo(json_module.dumps(event) if json else str(path))


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the training code as errors of this command line."""
    from understudy.contracts.errors import InputError, OutputError, QualityGateError, UnderstudyError, UsageError

    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in {"torch", "onnx", "understudy_training"}:
            raise
        fix = "pip install 'understudy[train]', or torch made for your GPU and onnx"
        raise UsageError(f"training needs {package}, which is not installed", where="train", fix=fix) from None
    except Exception as error:
        if type(error).__name__ != "TrainingError":
            raise
        kinds: dict[int, type[UnderstudyError]] = {1: OutputError, 2: UsageError, 3: InputError, 5: QualityGateError}
        told: Any = error
        kind = kinds.get(told.exit_code, UnderstudyError)
        raise kind(told.problem, where=told.where or None, fix=told.fix or None) from None
