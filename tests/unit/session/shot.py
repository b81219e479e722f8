# SPDX-License-Identifier: Apache-2.0
"""A small shot to save: three plates, an upscale that is quick, and an engine for it."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

from shots import write_plates

GRAPH: dict[str, Any] = {
    "schema": "understudy.graph/1",
    "frames": "1001-1003",
    "nodes": {
        "plate": {"type": "read", "file": "plate/plate.%04d.exr"},
        "big": {"type": "upscale", "input": "plate", "pack": "lanczos", "scale": 2},
        "out": {"type": "write", "input": "big", "file": "out/sh.%04d.exr"},
    },
}


def write_shot(folder: Path, **fields: Any) -> Path:
    """Writes plates and a graph; its path."""
    write_plates(folder / "plate", 3)
    graph = folder / "shot.yaml"
    graph.write_text(json.dumps(GRAPH | fields), encoding="utf-8")
    return graph


def move(shot: Path, folder: Path) -> Path:
    """Takes plates, graph and session elsewhere, outputs not; the session's path there."""
    shutil.rmtree(shot / "out", ignore_errors=True)
    shutil.move(shot, folder)
    return next(folder.glob("*.session"))


def rewritten(source: Path, target: Path, **members: Any) -> Path:
    """A copy with other members: bytes, or for ``session`` a function that changes the document."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename == "session.json" and "session" in members:
                document = json.loads(content)
                members["session"](document)
                content = json.dumps(document).encode()
            if info.filename == "graph.yaml" and "graph" in members:
                content = members["graph"](content)
            new.writestr(info.filename, content, info.compress_type)
    return target
