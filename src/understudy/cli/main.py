# SPDX-License-Identifier: Apache-2.0
"""The entry point ``understudy``: the commands, and how errors end.

Nothing heavy is imported here or at the top of any command's module: ``--help`` must answer at once.
"""

import os
import signal
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from understudy import __version__
from understudy.cli.cache import cache_app
from understudy.cli.conform import conform
from understudy.cli.curve import curve
from understudy.cli.demo import demo
from understudy.cli.doctor import doctor
from understudy.cli.ending import silence_stdout, tell
from understudy.cli.env import env
from understudy.cli.estimate import estimate
from understudy.cli.farm import farm_app
from understudy.cli.inspect import inspect
from understudy.cli.install import install
from understudy.cli.integrate import integrate
from understudy.cli.interpolate import interpolate
from understudy.cli.motion import motion
from understudy.cli.packs import packs_app
from understudy.cli.provenance import provenance_app
from understudy.cli.publish import publish
from understudy.cli.relight import relight
from understudy.cli.render import render
from understudy.cli.review import review
from understudy.cli.serve import serve
from understudy.cli.session import session_app
from understudy.cli.submit import submit
from understudy.cli.tokens import tokens_app
from understudy.cli.train import train
from understudy.cli.upscale import upscale
from understudy.contracts.errors import JobCancelledError, MemoryBudgetError, OutputError, UnderstudyError


class _Commands(TyperGroup):
    """The commands; what the parser's library would end with a bare exit code 1 reaches ``main`` as one of ours."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ReaderGoneError from None
        except KeyboardInterrupt:
            raise JobCancelledError("cancelled") from None


class _ReaderGoneError(Exception):
    """The reader of our output, such as ``head``, had enough."""


app = typer.Typer(
    name="understudy",
    cls=_Commands,
    help="Motion vectors, retimes, upscales and relights of film plates: exact in float, pinned, offline.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 internal error, 2 usage, 3 input missing or unreadable, 4 out of memory, "
    "5 quality gate failed, 6 pack missing or not the pinned one, 7 rights refused, 75 try again, 77 access denied, "
    "130 cancelled.",
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


_WORK = (demo, upscale, interpolate, motion, relight, render, estimate)
for _command in (
    *_WORK,
    conform,
    curve,
    submit,
    serve,
    inspect,
    doctor,
    publish,
    review,
    integrate,
    train,
    env,
    install,
):
    app.command()(_command)
app.add_typer(packs_app, name="packs")
app.add_typer(cache_app, name="cache")
app.add_typer(farm_app, name="farm", hidden=True)
app.add_typer(provenance_app, name="provenance")
app.add_typer(session_app, name="session")
app.add_typer(tokens_app, name="tokens")


def main() -> NoReturn:
    """Runs the command line and exits with one of the documented codes."""
    _open_streams()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else it looks through all that is installed
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, until a command knows better
    try:
        app()
    except UnderstudyError as error:
        _fail(error)
    except KeyboardInterrupt:
        _fail(JobCancelledError("cancelled"))
    except MemoryError:
        _fail(MemoryBudgetError("out of memory", fix="use smaller tiles (--tile) or fewer channels"))
    except (_ReaderGoneError, BrokenPipeError):
        silence_stdout()
        sys.exit(0)
    except OSError as error:
        where = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else None
        _fail(
            OutputError(
                f"the system refused: {error.strerror or error}", where=where, fix="check the path and the disk"
            )
        )
    except Exception as error:
        if os.environ.get("UNDERSTUDY_DEBUG"):
            raise
        hint = "set UNDERSTUDY_DEBUG=1 to see where, and report it"
        _fail(UnderstudyError(f"internal error: {type(error).__name__}: {error}", fix=hint))
    sys.exit(0)


def _fail(error: UnderstudyError) -> NoReturn:
    """Tells the error and ends the process with its exit code."""
    tell(error)
    sys.exit(error.exit_code)


def _open_streams() -> None:
    """Puts something in place of a stdout or stderr that the parent closed: print would fail on it."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - lives as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
