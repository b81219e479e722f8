# SPDX-License-Identifier: Apache-2.0
"""The generator version: SHA-256 over the sources that draw a task's data."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

_PACKAGE = "understudy_training"


def generator_sources(task: str) -> tuple[Path, ...]:
    """The modules in ``generators/`` that a task reaches through its imports, in the order of their names."""
    root = Path(__file__).parent
    seen: set[Path] = set()
    waiting = [root / "tasks" / f"{task}.py"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        waiting += [found for found in _imported(path, root) if found not in seen]
    folder = root / "generators"
    return tuple(sorted(path for path in seen if path.is_relative_to(folder) and path.name != "__init__.py"))


def generator_version(task: str) -> str:
    """SHA-256 over names and bytes of the generator sources of a task, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent / "generators"
    for path in generator_sources(task):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _imported(path: Path, root: Path) -> Iterator[Path]:
    """Modules of this package that a source file imports, anywhere in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    for name in names:
        first, *rest = name.split(".")
        if first == _PACKAGE and rest:
            place = root.joinpath(*rest)
            for candidate in (place.with_suffix(".py"), place / "__init__.py"):
                if candidate.is_file():
                    yield candidate
