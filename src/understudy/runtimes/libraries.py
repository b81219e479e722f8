# SPDX-License-Identifier: Apache-2.0
"""Which numeric libraries a pack's model runs in, told from the pack and not from what a process happens to hold."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from understudy.contracts.manifest import PackManifest

_DISTRIBUTIONS = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
    "torch": ("torch",),
    "numpy": ("numpy",),
    "cv2": ("opencv-python-headless", "opencv-python"),
}
"""Module to the distributions that it may come from."""

_ROLES = frozenset({"numpy", "cv2"})
"""What the roles themselves compute with, whatever the pack."""


def libraries_of(manifest: PackManifest, folder: Path, device: str) -> frozenset[str]:
    """Modules that decide what a model computes.

    Args:
        manifest: Of the pack.
        folder: Of the pack; the code of a Python pack is looked through for what it imports.
        device: Where the model runs.
    """
    runtime = manifest.runtime
    graphs = "openvino" if device == "openvino" else "onnxruntime"
    match runtime.kind:
        case "onnx":
            own = {graphs}
        case "torchscript" | "spandrel":
            own = {"torch"}
        case "remote":
            own = set()
        case "python":
            own = {graphs} if runtime.graph is not None or runtime.graphs else set()
            own |= _imports(folder, manifest)
    return _ROLES | own


def versions_of(modules: frozenset[str]) -> dict[str, str]:
    """Library to version of those that are installed, by name."""
    return dict(found for module in sorted(modules) if (found := _distribution(module)))


def _imports(folder: Path, manifest: PackManifest) -> set[str]:
    files = [manifest.runtime.file, *(one.file for one in manifest.weights if one.file.endswith(".py"))]
    return {name for file in files for name in _imported(folder / file)} & _DISTRIBUTIONS.keys()


def _imported(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # loading it has told, or will
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@cache
def _distribution(module: str) -> tuple[str, str] | None:
    for name in _DISTRIBUTIONS[module]:
        try:
            return name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None
