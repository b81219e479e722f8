# SPDX-License-Identifier: Apache-2.0
"""Reads ``pack.toml`` and says everything that is wrong with it at once, by field and with a suggestion."""

import math
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from understudy.contracts.document_problems import Problem, joined, problems_of, quoted
from understudy.contracts.errors import ManifestError, UsageError
from understudy.contracts.manifest import SCHEMA, PackManifest, Role
from understudy.packs.licenses import is_expression
from understudy.packs.options import settle_value
from understudy.packs.toml_file import read_toml_file, shown

MANIFEST_NAME = "pack.toml"
_PAPERS = ("README*", "LICENSE*", "NOTICE*")

_PATTERNS = {
    "id": "lower-case letters and digits in words joined by hyphens, such as dis-best",
    "version": "a semantic version such as 1.0.0",
    "sha256": "64 lower-case hexadecimal digits; `understudy packs pin FOLDER` fills it in",
}
# Pickles, mostly. The raw data beside an ONNX model is often named .bin, and is never unpickled.
_PICKLES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill"})
_PICKLED = {
    "python": _PICKLES | {".bin"},
    "onnx": _PICKLES,
    "torchscript": _PICKLES - {".pt"},  # an archive that torch reads by itself, without Python's unpickler
    "spandrel": _PICKLES | {".bin"},
    "remote": _PICKLES,
}
_SUFFIXES = {"python": ".py", "onnx": ".onnx", "torchscript": ".pt", "spandrel": ".safetensors"}


def read_toml(folder: Path) -> dict[str, Any]:
    """The parsed ``pack.toml`` of a folder, not yet validated.

    Raises:
        ManifestError: There is none, it can't be read, or it is not TOML.
    """
    try:
        return read_toml_file(folder / MANIFEST_NAME, "manifest", ManifestError)
    except FileNotFoundError:
        fix = "write one as docs/guides/write-a-pack.md shows"
        raise ManifestError("there is no pack.toml", where=shown(folder), fix=fix) from None


def read_manifest(folder: Path) -> PackManifest:
    """Reads and validates the manifest of a pack folder.

    Args:
        folder: The pack's folder.

    Returns:
        The manifest; files it names are inside the folder and exist. Their hashes are not checked here.

    Raises:
        ManifestError: Anything is wrong; the message lists every problem.
    """
    raw = read_toml(folder)
    where = shown(folder / MANIFEST_NAME)
    try:
        manifest = PackManifest.model_validate(raw)
    except ValidationError as error:
        raise _error(where, problems_of(error, raw, PackManifest, schema=SCHEMA, hints=_PATTERNS)) from None
    if problems := list(_further_problems(manifest, folder)):
        raise _error(where, problems)
    return manifest


def _error(where: str, problems: Sequence[Problem]) -> ManifestError:
    text, place, fix = joined(where, problems)
    return ManifestError(text, where=place, fix=fix)


def _further_problems(manifest: PackManifest, folder: Path) -> Iterator[Problem]:
    """What the schema alone can't say."""
    yield from _runtime_problems(manifest)
    yield from _file_problems(manifest, folder)
    contract = manifest.contract
    if contract.domain and not all(math.isfinite(value) for value in contract.domain):
        yield Problem("contract.domain", "holds a value that is not finite", "leave domain out for every finite float")
    if manifest.role is not Role.UPSCALE and contract.channels != 3:
        fix = "write channels = 3"
        yield Problem("contract.channels", f"a {manifest.role} pack takes RGB, not {contract.channels}", fix)
    if any(not (math.isfinite(scale) and scale > 0) for scale in contract.scales):
        yield Problem("contract.scales", "holds a factor that is not over 0", "leave scales out for any factor")
    if manifest.role is not Role.UPSCALE and contract.scales:
        yield Problem("contract.scales", f"a {manifest.role} pack has no scale factors", "leave it out")
    for name, spec in manifest.options.items():
        field = f"options.{name}"
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            yield Problem(field, "an option's name is lower-case words joined by underscores")
        if spec.type == "choice" and not spec.choices:
            yield Problem(f"{field}.choices", "is missing", "list the values to choose from")
        elif spec.minimum is not None and spec.maximum is not None and spec.minimum > spec.maximum:
            yield Problem(f"{field}.minimum", f"{spec.minimum:g} is over the maximum {spec.maximum:g}")
        else:
            try:
                settle_value(name, spec, spec.default)
            except UsageError as error:
                yield Problem(f"{field}.default", error.problem, error.fix or "")
    yield from _license_problems(manifest)
    yield from _rights_problems(manifest, folder)
    if manifest.draft == manifest.id:
        yield Problem("draft", "a pack can't be its own draft", "leave it out")


def _license_problems(manifest: PackManifest) -> Iterator[Problem]:
    rights = manifest.rights
    expressions = [("license.declared", manifest.license.declared), ("license.concluded", manifest.license.concluded)]
    expressions += [(f"rights.datasets[{n}].license", data.license) for n, data in enumerate(rights.datasets)]
    expressions += [(f"rights.ancestors[{n}].license", model.license) for n, model in enumerate(rights.ancestors)]
    for field, expression in expressions:
        if not is_expression(expression) and (expression or field.startswith("license")):
            fix = "write one such as Apache-2.0 or LicenseRef-My-Terms"
            yield Problem(field, f"{quoted(expression)} is no SPDX expression", fix)


def _rights_problems(manifest: PackManifest, folder: Path) -> Iterator[Problem]:
    """Claims that contradict the rest of the manifest, and evidence that is not there."""
    rights = manifest.rights
    never_learned = manifest.training.basis == "none"
    if manifest.runtime.kind == "remote" and rights.network == "no":
        yield Problem("rights.network", "a remote pack's model is on another server", 'write network = "yes"')
    if never_learned and rights.datasets:
        fix = "leave them out, or correct training.basis"
        yield Problem("rights.datasets", 'lists data, and training.basis is "none"', fix)
    if rights.people == "no" and any(dataset.people != "no" for dataset in rights.datasets):
        yield Problem("rights.people", "says no, and a dataset does not", "write what is true of all datasets")
    for index, text in enumerate(rights.evidence):
        if "://" not in text and (problem := file_problem(folder, text)):
            yield Problem(f"rights.evidence[{index}]", problem[0], problem[1])


def declared_files(manifest: PackManifest) -> Iterator[tuple[str, str, str]]:
    """Field, file and SHA-256 of each file that a manifest names, the runtime's first."""
    if manifest.runtime.kind != "remote":
        yield "runtime.file", manifest.runtime.file, manifest.runtime.sha256
    if half := manifest.runtime.float16:
        yield "runtime.float16.file", half.file, half.sha256
    if graph := manifest.runtime.graph:
        yield "runtime.graph.file", graph.file, graph.sha256
    for name, graph in manifest.runtime.graphs.items():
        yield f"runtime.graphs.{name}.file", graph.file, graph.sha256
    for index, weight in enumerate(manifest.weights):
        yield f"weights[{index}].file", weight.file, weight.sha256


def papers(manifest: PackManifest, folder: Path) -> tuple[str, ...]:
    """Files that a pack holds for people: the card, license texts, and the evidence of its training basis."""
    beside = [path.name for pattern in _PAPERS for path in sorted(folder.glob(pattern)) if path.is_file()]
    evidence = [text for text in manifest.rights.evidence if "://" not in text]
    declared = {file for _, file, _ in declared_files(manifest)}
    return tuple(name for name in dict.fromkeys((*beside, *evidence)) if name not in declared)


def _runtime_problems(manifest: PackManifest) -> Iterator[Problem]:
    runtime = manifest.runtime
    if runtime.kind == "remote":
        yield from _remote_problems(manifest)
        return
    suffix = _SUFFIXES[runtime.kind]
    if not runtime.file:
        yield Problem("runtime.file", "is missing", f"name the pack's {suffix} file")
    elif not runtime.file.endswith(suffix):
        yield Problem("runtime.file", f'a runtime of kind "{runtime.kind}" needs a file that ends in {suffix}')
    if not runtime.sha256:
        yield Problem("runtime.sha256", "is missing", _PATTERNS["sha256"])
    if runtime.remote is not None:
        fix = 'leave it out, or write kind = "remote"'
        yield Problem("runtime.remote", f"a {runtime.kind} pack has no server", fix)
    yield from _tensor_problems(manifest)
    if runtime.kind == "spandrel" and manifest.role is not Role.UPSCALE:
        yield Problem("role", "spandrel's networks upscale or restore", 'write role = "upscale"')


def _tensor_problems(manifest: PackManifest) -> Iterator[Problem]:
    """What ``[runtime.tensors]`` can't say."""
    runtime, spec = manifest.runtime, manifest.runtime.tensors
    if spec is None:
        return
    if runtime.kind == "python":
        yield Problem("runtime.tensors", "an adapter names and scales its tensors itself", "leave it out")
    numbers = (spec.input_gain, spec.input_offset, spec.output_gain, spec.output_offset, spec.vectors_gain)
    if not all(math.isfinite(number) for number in numbers):
        yield Problem("runtime.tensors", "holds a number that is not finite")


def _remote_problems(manifest: PackManifest) -> Iterator[Problem]:
    runtime, remote = manifest.runtime, manifest.runtime.remote
    for name in ("file", "sha256", "float16", "graph", "graphs"):
        if getattr(runtime, name):
            yield Problem(f"runtime.{name}", "a remote pack has no file: its model is on the server", "leave it out")
    if remote is None:
        yield Problem("runtime.remote", "is missing", "add [runtime.remote] with address and model")
        return
    if not 0 < int(remote.address.rpartition(":")[2]) < 65536:
        yield Problem("runtime.remote.address", "has no such port", "write host:port")
    knobs = {"scale", "time", *manifest.options}
    for name in remote.parameters:
        if name not in knobs:
            fix = f"known: {', '.join(sorted(knobs))}"
            yield Problem("runtime.remote.parameters", f'"{name}" is nothing that a call has', fix)
    if remote.authority and remote.authority not in {weight.file for weight in manifest.weights}:
        yield Problem("runtime.remote.authority", "is not pinned", "list the file under [[weights]]")


def _file_problems(manifest: PackManifest, folder: Path) -> Iterator[Problem]:
    seen: set[str] = set()
    if half := manifest.runtime.float16:
        if manifest.runtime.kind != "onnx" or not half.file.endswith(".onnx"):
            yield Problem("runtime.float16", "is a second graph of an ONNX pack", "leave it out, or name an .onnx file")
        if "float16" not in manifest.contract.precisions:
            yield Problem("contract.precisions", "lacks float16, which runtime.float16 is", 'add "float16"')
    yield from _graph_problems(manifest)
    for field, file, _ in declared_files(manifest):
        if PurePosixPath(file).suffix.lower() in _PICKLED[manifest.runtime.kind]:
            text = f'"{file}" is a kind of file that runs code when it is read'
            yield Problem(field, text, "keep weights as .safetensors, or the whole model as .onnx")
        if not file:
            continue  # told of already
        if file in seen:
            yield Problem(field, f'"{file}" is named twice', "name each file once")
        seen.add(file)
        if problem := file_problem(folder, file):
            yield Problem(field, problem[0], problem[1])


def _graph_problems(manifest: PackManifest) -> Iterator[Problem]:
    """Graphs that an adapter is to run."""
    runtime = manifest.runtime
    graphs = {f"runtime.graphs.{name}": graph for name, graph in runtime.graphs.items()}
    if runtime.graph:
        graphs["runtime.graph"] = runtime.graph
    for field, graph in graphs.items():
        if runtime.kind == "onnx" or not graph.file.endswith(".onnx"):
            yield Problem(field, "is an ONNX graph beside an adapter", "leave it out, or name an .onnx file")
    if runtime.graph and runtime.graphs:
        yield Problem("runtime.graphs", "stands beside runtime.graph", "list all graphs here, or have one alone")
    for name in runtime.graphs:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            yield Problem(f"runtime.graphs.{name}", "a graph's name is lower-case words joined by underscores")


def file_problem(folder: Path, file: str) -> tuple[str, str] | None:
    """What is wrong with a file name of a manifest, and what to do; None when it is a plain file within the folder."""
    if "\\" in file or PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
        return f'"{file}" leads out of the pack folder', "write a path relative to the folder, with forward slashes"
    if file == MANIFEST_NAME:
        return "the manifest can't name itself", "name the model's files"
    path = folder / file
    if not path.resolve().is_relative_to(folder.resolve()):
        return f'"{file}" is a link that leads out of the pack folder', "copy the file into the folder"
    if not path.exists():
        beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        close = get_close_matches(path.name, beside, n=1)
        return f'there is no file "{file}"', f'did you mean "{close[0]}"?' if close else "add it to the folder"
    if not path.is_file():
        return f'"{file}" is not a file', "name the files of a folder one by one"
    return None
