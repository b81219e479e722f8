# SPDX-License-Identifier: Apache-2.0
"""``understudy demo``: a shot, all four roles, a report to look at."""

import sys
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

import typer

Out = Annotated[str, typer.Argument(metavar="OUT", help="Folder to write to; made when it is not there.")]
Open = Annotated[bool, typer.Option("--open", help="Show the report in the browser when it is done.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]


Quick = Annotated[bool, typer.Option("--quick", help="A quarter of the pixels and 5 frames: a look in half a minute.")]


def demo(out: Out = "understudy-demo", quick: Quick = False, show: Open = False, as_json: Json = False) -> None:
    """Render a shot, run all four roles on it and write a report to look at: OUT/report.html.

    Takes about two minutes on two cores, with no network and no GPU. A folder that holds anything but an earlier
    demo is left alone.
    """
    from understudy.cli.cancel import cancel_on_signal
    from understudy.cli.job import open_engine
    from understudy.cli.progress import JsonLines
    from understudy.contracts.engine import Control
    from understudy.demo.run import run_demo
    from understudy.demo.scope import FULL, QUICK

    scope = QUICK if quick else FULL
    with cancel_on_signal() as caught, open_engine("") as engine, JsonLines() if as_json else _Bar() as listener:
        control = Control(cancelled=lambda: bool(caught))
        report = run_demo(Path(out), engine, scope=scope, on_event=listener.hear, control=control)
    if not as_json:
        sys.stdout.write(_next_steps(Path(out), report))
    if show:
        import webbrowser

        webbrowser.open(report.resolve().as_uri())


class _Bar:
    """One bar over the whole demo, with what is being done beside it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._progress.stop()

    def hear(self, event: dict[str, Any]) -> None:
        """Shows one event."""
        if event["event"] == "stage":
            self._progress.update(self._task, description=event["title"], completed=event["done"], total=event["total"])
        elif event["event"] == "role":
            style = "" if event["holds"] else "bold red"
            self._console.print(
                f"{event['role']:<12} {event['probe']} · {event['headline']}", style=style, markup=False, soft_wrap=True
            )
        elif event["event"] == "warning":
            self._console.print(f"warning: {event['message']}", style="yellow", markup=False, soft_wrap=True)


def _next_steps(out: Path, report: Path) -> str:
    return (
        f"\nOpen {report}\n\n"
        f"Then try, in {out}:\n"
        "  understudy render graphs/retime.yaml --draft\n"
        "  understudy interpolate shot/plate.%04d.exr quarter/plate.%04d.exr --speed 0.25\n"
        "  understudy inspect shot/plate.1012.exr\n"
        "  understudy packs list\n"
    )
