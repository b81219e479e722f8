# SPDX-License-Identifier: Apache-2.0
"""How a training run is told to people: a bar over its steps, and a line for each validation."""

from types import TracebackType
from typing import Any, Self


class TrainingBar:
    """A bar over steps with the loss beside it; validations stay above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("eta"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task: Any = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._progress.stop()

    def hear(self, event: dict[str, Any]) -> None:
        """Shows one event."""
        tell = getattr(self, "_" + event["event"].replace("-", "_"), None)
        if tell:
            tell(event)

    def _start(self, event: dict[str, Any]) -> None:
        self._print(f"{event['recipe']}: {event['parameters']:,} numbers, on {event['device']}")
        self._task = self._progress.add_task("steps", total=event["steps"], completed=event["step"])

    def _resumed(self, event: dict[str, Any]) -> None:
        self._print(f"goes on at step {event['step']}")

    def _warning(self, event: dict[str, Any]) -> None:
        self._print(f"warning: {event['message']}", style="yellow")

    def _init(self, event: dict[str, Any]) -> None:
        fresh = f", {len(event['fresh'])} are new" if event["fresh"] else ""
        self._print(f"takes {event['taken']} tensors of {event['file']}{fresh}")

    def _step(self, event: dict[str, Any]) -> None:
        self._progress.update(
            self._task, completed=event["step"], total=event["steps"], description=f"loss {event['loss']:.5g}"
        )

    def _rollback(self, event: dict[str, Any]) -> None:
        self._print(f"step {event['step']}: the loss is not finite; back to the last weights that were", style="yellow")

    def _ending(self, event: dict[str, Any]) -> None:
        self._print(f"step {event['step']}: cools down, to be done at step {event['steps']}")

    def _validation(self, event: dict[str, Any]) -> None:
        known = {"event", "step", "seconds", "best"}
        figures = "  ".join(f"{name} {value:.5g}" for name, value in event.items() if name not in known)
        self._print(f"step {event['step']}: {figures}{'  best' if event['best'] else ''}")

    def _skipped(self, event: dict[str, Any]) -> None:
        self._print(f"done already: {event['file']}")

    def _done(self, event: dict[str, Any]) -> None:
        best = f"score {event['score']:.5g} at step {event['best_step']}"
        self._print(f"{event['step']} steps in {event['seconds']:.1f} s, {best}")

    def _reproduced(self, event: dict[str, Any]) -> None:
        within = "within the recipe's tolerance" if event["within"] else "more than the recipe's tolerance"
        self._print(f"differs from the shipped score by {event['difference']:+.3g}, {within}")

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, markup=False, soft_wrap=True)
