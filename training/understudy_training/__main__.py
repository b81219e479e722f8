# SPDX-License-Identifier: Apache-2.0
"""``python -m understudy_training``: trains on a machine that has torch and numpy only."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from understudy_training.errors import TrainingError


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit code: 0 done, 1 internal, 2 usage, 3 input, 5 quality gate, 130 cancelled."""
    parser = argparse.ArgumentParser(prog="understudy_training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="run a recipe, or go on with a run that was stopped")
    train.add_argument("recipe", help="the recipe's file or name")
    train.add_argument("--out", type=Path, help="the run's folder; runs/NAME when left out")
    train.add_argument("--device", default="", help="cpu or cuda; cuda where it is when left out")
    train.add_argument("--threads", type=int, help="CPU threads; the recipe's when left out")
    train.add_argument("--stop-after", type=float, metavar="SECONDS", help="be done after this time")
    train.add_argument("--workers", type=int, default=0, help="processes that draw batches ahead")
    train.add_argument("--init", type=Path, metavar="FILE", help="weights to start from")
    train.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change the recipe: run.steps=300"
    )
    train.add_argument("--json", action="store_true", help="events as JSON, one a line, on stdout")
    sheet = commands.add_parser("sheet", help="write a contact sheet of what a recipe's generator draws")
    sheet.add_argument("recipe", help="the recipe's file or name")
    sheet.add_argument("png", type=Path, help="the PNG file to write")
    sheet.add_argument("--seed", type=int, default=0, help="which draw")
    sheet.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change the recipe")
    commands.add_parser("list", help="list the recipes")
    given = parser.parse_args(arguments)
    try:
        return _run(given)
    except TrainingError as error:
        _say(f"understudy_training: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _say("cancelled; the same command goes on from here")
        return 130
    except ModuleNotFoundError as error:
        if error.name not in {"torch", "numpy"}:
            raise
        _say(f"understudy_training: {error.name} is not installed; pip install torch numpy")
        return 2


def _run(given: argparse.Namespace) -> int:
    from understudy_training.recipe import read_recipe, recipe_names

    if given.command == "list":
        sys.stdout.write("".join(f"{name}\n" for name in recipe_names()))
        return 0
    recipe = read_recipe(given.recipe, given.set)
    if given.command == "sheet":
        from understudy_training.contact_sheet import contact_sheet
        from understudy_training.png import write_png

        write_png(given.png, contact_sheet(recipe, given.seed))
        return 0
    from understudy_training.loop import RunOptions, train

    options = RunOptions(given.device, given.threads, given.stop_after, given.init, given.workers)
    train(recipe, given.out or Path("runs") / recipe.name, options, _write_json if given.json else _tell)
    return 0


def _write_json(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _tell(event: dict[str, Any]) -> None:
    facts = (f"{key} {_shown(value)}" for key, value in event.items() if key != "event")
    _say(f"{event['event']:<10} {'  '.join(facts)}")


def _shown(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
