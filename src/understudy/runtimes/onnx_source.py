# SPDX-License-Identifier: Apache-2.0
"""A model's bytes and those of its weight files, read once, checked, and handed to a runtime in memory.

So a runtime opens no file itself: what it runs are the bytes whose hashes were compared, and a file that somebody
writes to later can't change or end a running model, as it could if it were mapped.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from understudy.contracts.errors import PackError
from understudy.contracts.manifest import RuntimeSpec, WeightFile
from understudy.runtimes.onnx_file import BUILT_IN_DOMAINS, MOST_FILE_BYTES, OnnxFacts, onnx_facts


@dataclass(frozen=True, slots=True)
class OnnxSource:
    """A model that was looked into.

    Attributes:
        data: The model file.
        files: Weight files that its tensors lie in, by the name the model has for them.
        facts: What it is.
        where: How messages name it.
    """

    data: bytes
    files: Mapping[str, bytes]
    facts: OnnxFacts
    where: str


def read_source(folder: Path, graph: RuntimeSpec | WeightFile, weights: tuple[WeightFile, ...]) -> OnnxSource:
    """Reads a graph and the declared files it needs.

    Args:
        folder: The pack's.
        graph: Its file and hash.
        weights: What else the manifest declares.

    Raises:
        PackError: A file has other bytes than declared, or the model is broken, unsafe or too large.
    """
    path = folder / graph.file
    where = path.as_posix()
    data = _read(path, graph.sha256, MOST_FILE_BYTES)
    facts = onnx_facts(data, where=where)
    if foreign := sorted(facts.domains - BUILT_IN_DOMAINS):
        fix = "export the model with standard ONNX operators"
        raise PackError(f'uses custom operators of the domain "{foreign[0][:80]}"', where=where, fix=fix)
    declared = {weight.file: weight for weight in weights}
    files: dict[str, bytes] = {}
    for part in facts.outside:
        inside = (Path(graph.file).parent / part.location).as_posix()
        if inside not in declared:
            fix = "list it under [[weights]], or save the model as one file"
            raise PackError(f'reads the undeclared file "{part.location[:80]}"', where=where, fix=fix)
        if part.location not in files:
            files[part.location] = _read(folder / inside, declared[inside].sha256)
        if part.offset + part.length > len(files[part.location]):
            problem = f'reads beyond the end of "{part.location[:80]}", at byte {part.offset}'
            raise PackError(problem, where=where, fix="export the model again")
    return OnnxSource(data, files, facts, where)


def _read(path: Path, sha256: str, most: int | None = None) -> bytes:
    where = path.as_posix()
    try:
        if most is not None and path.stat().st_size > most:
            raise PackError("is over 2 GiB", where=where, fix="keep the weights in a file of their own")
        data = path.read_bytes()
    except OSError as error:
        raise PackError(f"can't be read: {error.strerror}", where=where) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PackError("changed while the pack was loading", where=where, fix="load the pack again")
    return data
