# SPDX-License-Identifier: Apache-2.0
"""The entry point ``understudy``: the commands, and how errors end.

Nothing heavy is imported here or at the top of any command's module: ``--help`` must answer at once.
"""

import os
import sys
from typing import Annotated, NoReturn

import typer

from understudy import __version__
from understudy.cli.demo import demo
from understudy.cli.doctor import doctor
from understudy.cli.inspect import inspect
from understudy.cli.interpolate import interpolate
from understudy.cli.motion import motion
from understudy.cli.packs import packs_app
from understudy.cli.relight import relight
from understudy.cli.render import render
from understudy.cli.serve import serve
from understudy.cli.upscale import upscale
from understudy.contracts.errors import JobCancelledError, MemoryBudgetError, UnderstudyError

app = typer.Typer(
    name="understudy",
    help="Motion vectors, retimes, upscales and relights of film plates: exact in float, pinned, offline.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 internal error, 2 usage, 3 input missing or unreadable, 4 out of memory, "
    "5 quality gate failed, 6 pack missing or not the pinned one, 7 rights refused, 75 try again, 130 cancelled.",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"understudy {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    return


for _command in (demo, upscale, interpolate, motion, relight, render, serve, inspect, doctor):
    app.command()(_command)
app.add_typer(packs_app, name="packs")


def main() -> NoReturn:
    """Runs the command line and exits with one of the documented codes."""
    try:
        app()
    except UnderstudyError as error:
        _fail(error)
    except KeyboardInterrupt:
        _fail(JobCancelledError("cancelled"))
    except MemoryError:
        _fail(MemoryBudgetError("out of memory", fix="use smaller tiles (--tile) or fewer channels"))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # a reader such as head went away
        sys.exit(0)
    except Exception as error:
        if os.environ.get("UNDERSTUDY_DEBUG"):
            raise
        hint = "set UNDERSTUDY_DEBUG=1 to see where, and report it"
        _fail(UnderstudyError(f"internal error: {type(error).__name__}: {error}", fix=hint))
    sys.exit(0)


def _fail(error: UnderstudyError) -> NoReturn:
    """Tells the error to a person on stderr, and to a program on stdout when it asked for JSON."""
    if "--json" in sys.argv:
        import json

        kind = type(error).__name__
        event = {"event": "error", "kind": kind, "problem": error.problem, "where": error.where, "fix": error.fix}
        sys.stdout.write(json.dumps(event | {"exit_code": error.exit_code}) + "\n")
        sys.stdout.flush()
    sys.stderr.write(f"understudy: {error}\n")
    sys.exit(error.exit_code)
