# SPDX-License-Identifier: Apache-2.0
"""Writes the manifest and the card of a model that somebody brought: what was measured, and what is left open."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.contracts.manifest import SCHEMA, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A pack to be.

    Attributes:
        id: Its id.
        role: Its role.
        title: For people.
        description: For people.
        kind: Of the runtime.
        file: The runtime's file in the pack.
        weights: Further files.
        tensors: ``[runtime.tensors]``; only what differs.
        contract: ``[contract]``, in order: value and comment.
        found: What was measured or read, one sentence each, for the card.
        open: What nobody knows, one sentence each.
    """

    id: str
    role: Role
    title: str
    description: str
    kind: str
    file: str
    weights: tuple[str, ...] = ()
    tensors: Mapping[str, Any] = field(default_factory=dict)
    contract: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    found: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


def manifest_text(draft: Draft) -> str:
    """``pack.toml``, without hashes."""
    return "\n".join(_manifest(draft)) + "\n"


def _manifest(draft: Draft) -> Iterator[str]:
    yield "# Written by `understudy packs add`. Correct what is wrong; the reference has every field."
    yield f"schema = {_value(SCHEMA)}"
    yield f"id = {_value(draft.id)}"
    yield 'version = "1.0.0"'
    yield f"role = {_value(draft.role.value)}"
    yield f"title = {_value(draft.title)}"
    yield f"description = {_value(draft.description)}"
    yield from ("", "[runtime]", f"kind = {_value(draft.kind)}", f"file = {_value(draft.file)}")
    if draft.tensors:
        yield from ("", "[runtime.tensors]", *(f"{name} = {_value(value)}" for name, value in draft.tensors.items()))
    for name in draft.weights:
        yield from ("", "[[weights]]", f"file = {_value(name)}")
    yield from ("", "[contract]")
    for name, (value, comment) in draft.contract.items():
        yield f"{name} = {_value(value)}" + (f" # {comment}" if comment else "")
    yield from (
        "",
        "# To find out, and to write as an SPDX identifier such as MIT. Until then the badge is red.",
        "[license]",
    )
    yield from ('declared = "NOASSERTION"', 'concluded = "NOASSERTION"')
    yield from ("", "# To find out: synthetic, licensed, own, public-domain, scraped or none.", "[training]")
    yield from ('basis = "unknown"', 'evidence = "self-declared"', 'note = "Nobody said what it learned from."')


def card_text(draft: Draft) -> str:
    """``README.md`` with the headings that the conformance suite wants."""
    return "\n".join(_card(draft)) + "\n"


def _card(draft: Draft) -> Iterator[str]:
    yield from (f"# {draft.title}", "", draft.description, "", "## Contract", "")
    yield from (f"- {sentence}" for sentence in draft.found)
    yield from ("", "## Limits", "")
    yield from (f"- {sentence}" for sentence in draft.open)
    yield "- Write here where it fails."
    yield from ("", "## License", "", "Unknown. Find out who made it and under which terms, and write both here.")
    yield from ("", "## Training basis", "", "Unknown. Find out what it learned from.")


def _value(value: Any) -> str:
    """A TOML value; texts of JSON are texts of TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_value(str(name))} = {_value(part)}" for name, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(part) for part in value) + "]"
    return repr(value)
