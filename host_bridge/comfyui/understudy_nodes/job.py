# SPDX-License-Identifier: Apache-2.0
"""One run of the command from within ComfyUI: tensors to files, a graph, files to tensors."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from .bridge import BridgeError, run
from .exr import Picture, read_exr, write_exr

_NAMES = {1: ("Y",), 2: ("R", "G"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}
_CANCELLED = 130


class Job:
    """A temporary folder with the pictures of one run; use it as a context manager."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="understudy-comfyui-")
        self.folder = Path(self._folder.name)

    def __enter__(self) -> Job:  # noqa: PYI034 - Python 3.9 has no Self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def tap(self, name: str, images: torch.Tensor, first: int, channels: Sequence[str] = ()) -> str:
        """Writes a batch as numbered files, nothing clipped.

        Args:
            name: Of the files.
            images: ``(frames, height, width, channels)``.
            first: Number of the first frame.
            channels: Names; empty takes R, G, B, A.

        Returns:
            The pattern of the files.
        """
        names = tuple(channels) or _NAMES[images.shape[-1]]
        for index, image in enumerate(images):
            write_exr(self.folder / f"{name}.{first + index:04d}.exr", image, names)
        return str(self.folder / f"{name}.%04d.exr")

    def out(self, node: str, number: str = ".%04d", **fields: Any) -> dict[str, Any]:
        """A write node whose files :meth:`frames` can read; without a ``number`` for a still."""
        file = str(self.folder / f"{node}_out{number}.exr")
        return {"type": "write", "input": node, "file": file, "sample_type": "float", "compression": "none", **fields}

    def frames(self, node: str) -> list[Picture]:
        """What :meth:`out` of a node wrote, in order; drafts too."""
        return [read_exr(path) for path in sorted(self.folder.glob(f"{node}_out.*exr"))]

    def render(self, nodes: Mapping[str, Mapping[str, Any]], *, draft: bool = False, server: str = "") -> None:
        """Renders a graph with ComfyUI's progress bar and Cancel button.

        Raises:
            RuntimeError: With the command's sentence.
        """
        graph = self.folder / "graph.yaml"
        kept = {
            name: {field: value for field, value in node.items() if value not in ("", None)}
            for name, node in nodes.items()
        }
        graph.write_text(json.dumps({"schema": "understudy.graph/1", "record": False, "nodes": kept}), encoding="utf-8")
        options = ["--draft"] if draft else []
        options += ["--server", server] if server else []
        bar = _Bar()
        try:
            run(["render", str(graph), *options], on_event=bar.hear, cancelled=_interrupted)
        except BridgeError as error:
            if error.exit_code == _CANCELLED:
                _raise_interrupted()
            raise RuntimeError(f"Understudy: {error}") from None


class _Bar:
    """ComfyUI's progress bar, where there is one."""

    def __init__(self) -> None:
        self._bar: Any = None

    def hear(self, event: Mapping[str, Any]) -> None:
        if event.get("event") == "warning":
            print(f"Understudy: {event.get('message')}")  # noqa: T201 - ComfyUI's log is its standard output
        if event.get("event") != "frame":
            return
        if self._bar is None:
            try:
                from comfy.utils import ProgressBar
            except ImportError:
                return
            self._bar = ProgressBar(event["total"])
        self._bar.update_absolute(event["done"], event["total"])


def _interrupted() -> bool:
    try:
        from comfy.model_management import processing_interrupted
    except ImportError:
        return False
    return bool(processing_interrupted())


def _raise_interrupted() -> None:
    """Raises what ComfyUI knows as the user's own doing."""
    try:
        from comfy.model_management import throw_exception_if_processing_interrupted
    except ImportError:
        return
    throw_exception_if_processing_interrupted()
