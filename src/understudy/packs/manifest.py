# SPDX-License-Identifier: Apache-2.0
"""Reads ``pack.toml`` and says everything that is wrong with it at once, by field and with a suggestion."""

import math
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from understudy.contracts.errors import ManifestError, UsageError
from understudy.contracts.fields import field_path
from understudy.contracts.manifest import SCHEMA, PackManifest, Role
from understudy.packs.options import settle_value

MANIFEST_NAME = "pack.toml"

_MAX_BYTES = 1 << 20  # a manifest is a page of text; anything larger is another file under its name
_PATTERNS = {
    "id": "lower-case letters and digits in words joined by hyphens, such as dis-best",
    "version": "a semantic version such as 1.0.0",
    "sha256": "64 lower-case hexadecimal digits; `understudy packs pin FOLDER` fills it in",
}
# Operators, identifiers and brackets of an SPDX license expression (SPDX 2.3, annex D).
_SPDX = re.compile(r"^\(*[A-Za-z0-9.-]+\+?\)*(\s+(AND|OR|WITH)\s+\(*[A-Za-z0-9.-]+\+?\)*)*$")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a manifest.

    Attributes:
        field: Dotted path such as ``contract.encoding`` or ``weights[0].file``; empty for the file as a whole.
        text: What is wrong, without a final period.
        fix: What to do about it; may be empty.
    """

    field: str
    text: str
    fix: str = ""

    def __str__(self) -> str:
        head = f"{self.field}: {self.text}" if self.field else self.text
        return f"{head}; {self.fix}" if self.fix else head


def shown(path: Path) -> str:
    """A path as messages print it: relative when it lies under the working directory."""
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def read_toml(folder: Path) -> dict[str, Any]:
    """The parsed ``pack.toml`` of a folder, not yet validated.

    Raises:
        ManifestError: There is none, it can't be read, or it is not TOML.
    """
    path = folder / MANIFEST_NAME
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # reading a pipe would wait for its writer
            raise ManifestError("is no file", where=shown(path))
        if found.st_size > _MAX_BYTES:
            raise ManifestError("is larger than 1 MiB, so it is no manifest", where=shown(path))
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        fix = "write one as docs/guides/write-a-pack.md shows"
        raise ManifestError("there is no pack.toml", where=shown(folder), fix=fix) from None
    except OSError as error:
        raise ManifestError(f"can't be read: {error.strerror}", where=shown(path)) from None
    except UnicodeDecodeError:
        raise ManifestError("is not UTF-8 text", where=shown(path)) from None
    except ValueError as error:  # not only TOMLDecodeError: a whole number of 5000 digits is a plain one
        raise ManifestError(f"is not TOML: {error}", where=shown(path)) from None
    except RecursionError:
        raise ManifestError("is nested too deep for a manifest", where=shown(path)) from None


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
        problems = [_explain(detail, raw) for detail in error.errors(include_url=False)]
        raise _error(where, problems) from None
    if problems := list(_further_problems(manifest, folder)):
        raise _error(where, problems)
    return manifest


def _error(where: str, problems: Sequence[Problem]) -> ManifestError:
    if len(problems) == 1:
        only = problems[0]
        return ManifestError(only.text, where=f"{where}: {only.field}" if only.field else where, fix=only.fix or None)
    lines = "".join(f"\n  {problem}" for problem in problems)
    return ManifestError(f"{len(problems)} problems{lines}", where=where)


def _explain(detail: ErrorDetails, raw: Mapping[str, Any]) -> Problem:
    """A pydantic error in our words."""
    location, given, context = detail["loc"], detail["input"], detail.get("ctx", {})
    field = field_path(location)
    kind = detail["type"]
    if kind == "missing":
        if field == "schema":
            return Problem(field, "is missing", f'write schema = "{SCHEMA}" as the first line')
        return Problem(field, "is missing", _hint(str(location[-1])))
    if kind == "extra_forbidden":
        here = _table_at(raw, location[:-1])
        known = [name for name in _field_names(location[:-1]) if name not in here]
        return Problem(field, "unknown field", _did_you_mean(str(location[-1]), known))
    if kind in {"enum", "literal_error"}:
        allowed = _allowed_values(location)
        return Problem(field, f"unknown {_quoted(given)}", _did_you_mean(str(given), allowed))
    if kind == "string_pattern_mismatch":
        return Problem(field, f"{_quoted(given)} does not fit", f"it must be {_hint(str(location[-1]))}")
    if kind == "string_too_short":
        return Problem(field, "is empty", "write what the reference says of it")
    if kind == "value_error":
        return Problem(field, str(context.get("error", detail["msg"])))
    message = detail["msg"][0].lower() + detail["msg"][1:]
    return Problem(field, f"{_quoted(given)}: {message}")


def _hint(name: str) -> str:
    return _PATTERNS.get(name, "")


def _quoted(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _did_you_mean(given: str, known: Sequence[str]) -> str:
    if close := get_close_matches(given, known, n=1, cutoff=0.6):
        return f'did you mean "{close[0]}"?'
    return f"known: {', '.join(known)}" if known else "remove it"


def _table_at(raw: Mapping[str, Any], location: Sequence[int | str]) -> Mapping[str, Any]:
    here: Any = raw
    for part in location:
        here = here[part]
    return here if isinstance(here, Mapping) else {}


def _model_at(location: Sequence[int | str]) -> type[BaseModel] | None:
    """The pydantic model that describes the table at a location of the manifest."""
    model: type[BaseModel] | None = PackManifest
    for part in location:
        if isinstance(part, int) or model is None:
            continue
        info = _fields(model).get(part)
        if info is not None:
            model = _model_in(info)
        # else: a key of a mapping such as options.<name>, whose values have the model found already
    return model


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _field_names(location: Sequence[int | str]) -> list[str]:
    model = _model_at(location)
    return list(_fields(model)) if model else []


def _allowed_values(location: Sequence[int | str]) -> list[str]:
    names = [part for part in location if isinstance(part, str)]
    model = _model_at(names[:-1])
    return list(_values_in(_fields(model).get(names[-1]))) if model else []


def _values_in(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from (str(member.value) for member in annotation)
    elif get_origin(annotation) is not None:
        for part in get_args(annotation):
            yield from [str(part)] if isinstance(part, (str, int)) else _values_in(part)


def _further_problems(manifest: PackManifest, folder: Path) -> Iterator[Problem]:
    """What the schema alone can't say."""
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
    for name, expression in (("declared", manifest.license.declared), ("concluded", manifest.license.concluded)):
        if not _SPDX.match(expression):
            fix = "write one such as Apache-2.0 or LicenseRef-My-Terms"
            yield Problem(f"license.{name}", f"{_quoted(expression)} is no SPDX expression", fix)
    if manifest.draft == manifest.id:
        yield Problem("draft", "a pack can't be its own draft", "leave it out")


def declared_files(manifest: PackManifest) -> Iterator[tuple[str, str, str]]:
    """Field, file and SHA-256 of each file that a manifest names, the runtime's first."""
    yield "runtime.file", manifest.runtime.file, manifest.runtime.sha256
    for index, weight in enumerate(manifest.weights):
        yield f"weights[{index}].file", weight.file, weight.sha256


def _file_problems(manifest: PackManifest, folder: Path) -> Iterator[Problem]:
    seen: set[str] = set()
    suffix = {"python": ".py", "onnx": ".onnx"}[manifest.runtime.kind]
    if not manifest.runtime.file.endswith(suffix):
        yield Problem("runtime.file", f'a runtime of kind "{manifest.runtime.kind}" needs a file that ends in {suffix}')
    for field, file, _ in declared_files(manifest):
        if file in seen:
            yield Problem(field, f'"{file}" is named twice', "name each file once")
        seen.add(file)
        if problem := file_problem(folder, file):
            yield Problem(field, problem[0], problem[1])


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
