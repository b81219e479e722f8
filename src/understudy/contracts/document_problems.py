# SPDX-License-Identifier: Apache-2.0
"""Says what is wrong with a TOML document that pydantic refused: by field, in plain words, with a suggestion."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from understudy.contracts.fields import field_path


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document.

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


def problems_of(
    error: ValidationError, raw: Mapping[str, Any], model: type, *, schema: str, hints: Mapping[str, str]
) -> list[Problem]:
    """Everything that a document's model found.

    Args:
        error: What pydantic raised.
        raw: The parsed document.
        model: Its model; tables are pydantic models or dataclasses.
        schema: What its field ``schema`` must hold.
        hints: Field name to what a value must look like.
    """
    explain = _Explainer(raw, model, schema, hints)
    return [explain.problem(detail) for detail in error.errors(include_url=False)]


def joined(where: str, problems: Sequence[Problem]) -> tuple[str, str, str | None]:
    """Sentence, place and remedy of one error that tells all problems of the document ``where``."""
    if len(problems) == 1:
        only = problems[0]
        return only.text, f"{where}: {only.field}" if only.field else where, only.fix or None
    lines = "".join(f"\n  {problem}" for problem in problems)
    return f"{len(problems)} problems{lines}", where, None


def quoted(value: object) -> str:
    """A value as a message shows it, cut to 60 characters."""
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def table_fields(model: Any) -> dict[str, Any]:
    """The fields of a table as the document writes them, with their annotations."""
    if issubclass(model, BaseModel):
        return {info.alias or name: info.annotation for name, info in model.model_fields.items()}
    hints = get_type_hints(model, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(model)}


def is_table(annotation: Any) -> bool:
    """Whether a field holds a table of named fields."""
    return isinstance(annotation, type) and (issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation))


class _Explainer:
    def __init__(self, raw: Mapping[str, Any], model: type, schema: str, hints: Mapping[str, str]) -> None:
        self._raw = raw
        self._model = model
        self._schema = schema
        self._hints = hints

    def problem(self, detail: ErrorDetails) -> Problem:
        """A pydantic error in our words."""
        location, given, context = detail["loc"], detail["input"], detail.get("ctx", {})
        field = field_path(location)
        name = str(location[-1]) if location else ""
        match detail["type"]:
            case "missing":
                if field == "schema":
                    return Problem(field, "is missing", f'write schema = "{self._schema}" as the first line')
                return Problem(field, "is missing", self._hints.get(name, ""))
            case "extra_forbidden" | "unexpected_keyword_argument":
                here = self._table_at(location[:-1])
                known = [known for known in self._field_names(location[:-1]) if known not in here]
                return Problem(field, "unknown field", _did_you_mean(name, known))
            case "enum" | "literal_error":
                return Problem(
                    field, f"unknown {quoted(given)}", _did_you_mean(str(given), self._allowed_values(location))
                )
            case "string_pattern_mismatch":
                return Problem(field, f"{quoted(given)} does not fit", f"it must be {self._hints.get(name, '')}")
            case "string_too_short":
                return Problem(field, "is empty", "write what the reference says of it")
            case "dataclass_type" | "model_type":
                return Problem(field, f"{quoted(given)} is no table", f"write its fields under [{field}]")
            case "value_error":
                return Problem(field, str(context.get("error", detail["msg"])))
        message = detail["msg"][0].lower() + detail["msg"][1:]
        return Problem(field, f"{quoted(given)}: {message}")

    def _table_at(self, location: Sequence[int | str]) -> Mapping[str, Any]:
        here: Any = self._raw
        for part in location:
            here = here[part]
        return here if isinstance(here, Mapping) else {}

    def _model_at(self, location: Sequence[int | str]) -> type | None:
        """The model of the table at a location of the document."""
        model: type | None = self._model
        for part in location:
            if isinstance(part, int) or model is None:
                continue
            fields = table_fields(model)
            if part in fields:
                model = _model_in(fields[part])
            # else: a key of a mapping such as options.<name>, whose values have the model found already
        return model

    def _field_names(self, location: Sequence[int | str]) -> list[str]:
        model = self._model_at(location)
        return list(table_fields(model)) if model else []

    def _allowed_values(self, location: Sequence[int | str]) -> list[str]:
        names = [part for part in location if isinstance(part, str)]
        model = self._model_at(names[:-1])
        return list(_values_in(table_fields(model).get(names[-1]))) if model else []


def _did_you_mean(given: str, known: Sequence[str]) -> str:
    if close := get_close_matches(given, known, n=1, cutoff=0.6):
        return f'did you mean "{close[0]}"?'
    return f"known: {', '.join(known)}" if known else "remove it"


def _model_in(annotation: Any) -> type | None:
    if is_table(annotation):
        table: type = annotation
        return table
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _values_in(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from (str(member.value) for member in annotation)
    elif get_origin(annotation) is not None:
        for part in get_args(annotation):
            yield from [str(part)] if isinstance(part, (str, int)) else _values_in(part)
