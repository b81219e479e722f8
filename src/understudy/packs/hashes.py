# SPDX-License-Identifier: Apache-2.0
"""Writes the hashes of a pack's files into its ``pack.toml``, leaving every comment and every other line alone."""

import os
import re
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from understudy.contracts.errors import ManifestError, OutputError
from understudy.packs.file_hash import file_sha256
from understudy.packs.manifest import MANIFEST_NAME, file_problem, read_toml
from understudy.packs.toml_file import shown

_TABLES = {"runtime", "runtime.float16", "runtime.graph", "weights"}
_HEADER = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\- ]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^(?P<head>\s*(?P<key>file|sha256)\s*=\s*)(?P<value>"[^"]*"|'[^']*')(?P<tail>\s*(#.*)?)$""")


def write_hashes(folder: Path) -> tuple[str, ...]:
    """Sets every ``sha256`` of ``pack.toml`` to that of the file beside it, atomically.

    Args:
        folder: The pack's folder. Its manifest may lack hashes or have wrong ones; the rest is not looked at.

    Returns:
        The files whose hash was new.

    Raises:
        ManifestError: There is no readable manifest, it names no runtime file, or a file is not in the folder.
        OutputError: The manifest can't be written.
    """
    path = folder / MANIFEST_NAME
    before = dict(_declared(read_toml(folder), folder))
    wanted = {file: file_sha256(folder / file) for file in before}
    changed = tuple(file for file, sha256 in wanted.items() if before[file] != sha256)
    if not changed:
        return ()
    text = _edited(path.read_bytes().decode(), wanted)  # not read_text: line endings stay as they are
    if dict(_declared(tomllib.loads(text), folder)) != wanted:
        lines = "; ".join(f'{file}: sha256 = "{sha256}"' for file, sha256 in wanted.items())
        fix = f"write [runtime] and [[weights]] as tables of their own, or paste: {lines}"
        raise ManifestError("the hashes can't be set in this layout", where=shown(path), fix=fix)
    _replace(path, text)
    return changed


def _declared(raw: dict[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    where = shown(folder / MANIFEST_NAME)
    runtime, weights = raw.get("runtime", {}), raw.get("weights", [])
    half, graph = (runtime.get(name) if isinstance(runtime, dict) else None for name in ("float16", "graph"))
    graphs = runtime.get("graphs", {}) if isinstance(runtime, dict) else {}
    remote = isinstance(runtime, dict) and runtime.get("kind") == "remote"
    tables = [
        *([] if remote else [("runtime", runtime)]),
        *([] if half is None else [("runtime.float16", half)]),
        *([] if graph is None else [("runtime.graph", graph)]),
        *((f"runtime.graphs.{name}", one) for name, one in (graphs.items() if isinstance(graphs, dict) else ())),
        *((f"weights[{n}]", weight) for n, weight in enumerate(weights)),
    ]
    for name, table in tables:
        file = table.get("file") if isinstance(table, dict) else None
        if not isinstance(file, str) or not file:
            raise ManifestError("is missing", where=f"{where}: {name}.file", fix="name the file to hash")
        if problem := file_problem(folder, file):
            raise ManifestError(problem[0], where=f"{where}: {name}.file", fix=problem[1])
        yield file, str(table.get("sha256", ""))


def _edited(text: str, wanted: dict[str, str]) -> str:
    """The text with each table's ``sha256`` set, added after its ``file`` line where there was none."""
    blocks: list[tuple[str, list[str]]] = [("", [])]
    for line in text.splitlines(keepends=True):
        if header := _HEADER.match(line):
            blocks.append((header[2].replace(" ", ""), []))
        blocks[-1][1].append(line)
    edited = (
        _edited_block(lines, wanted) if name in _TABLES or name.startswith("runtime.graphs.") else lines
        for name, lines in blocks
    )
    return "".join(line for lines in edited for line in lines)


def _edited_block(lines: list[str], wanted: dict[str, str]) -> list[str]:
    matches = {match["key"]: (n, match) for n, line in enumerate(lines) if (match := _KEY.match(line.rstrip("\r\n")))}
    if "file" not in matches:
        return lines
    number, match = matches["file"]
    ending = lines[number][len(lines[number].rstrip("\r\n")) :] or "\n"
    sha256 = wanted.get(match["value"][1:-1], "")
    if "sha256" in matches:
        at, old = matches["sha256"]
        return [*lines[:at], f'{old["head"]}"{sha256}"{old["tail"]}{ending}', *lines[at + 1 :]]
    indent = match["head"][: len(match["head"]) - len(match["head"].lstrip())]
    first = lines[number].rstrip("\r\n") + ending
    return [*lines[:number], first, f'{indent}sha256 = "{sha256}"{ending}', *lines[number + 1 :]]


def _replace(path: Path, text: str) -> None:
    temporary = None
    try:
        mode = path.stat().st_mode
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=path.parent, prefix=".pack-", delete=False
        ) as stream:
            temporary = Path(stream.name)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise OutputError(f"can't be written: {error.strerror}", where=shown(path)) from None
