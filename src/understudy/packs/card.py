# SPDX-License-Identifier: Apache-2.0
"""What a program reads from a pack's card, ``README.md``: its limits and what was measured."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CARD_NAME = "README.md"

_MOST_BYTES = 1 << 20
_RULE = re.compile(r":?-{2,}:?")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+\.)\s+")


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a card.

    Attributes:
        type: What was measured, with its unit.
        value: The figure, as the card has it.
        slice: Of which data, or how; empty where the card does not say.
    """

    type: str
    value: str
    slice: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """The parts of a card that a rights record holds.

    Attributes:
        limits: Paragraphs and list items under the heading "Limits".
        metrics: Cells of the tables under "Measured". In a table whose first heading is empty a row names what was
            measured and a column the data; else the first heading names it, and a row the way.
    """

    limits: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()


def read_card(folder: Path) -> Card:
    """Reads a pack's card; one that is missing or no text has nothing to say."""
    try:
        with (folder / CARD_NAME).open("rb") as stream:
            text = stream.read(_MOST_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return Card()
    return Card(
        tuple(_paragraphs(_section(text, "limits"))),
        tuple(metric for table in _tables(_section(text, "measured")) for metric in _metrics(table)),
    )


def _section(text: str, name: str) -> list[str]:
    """The lines under the first heading that holds a word, to the next heading."""
    lines: list[str] = []
    inside = fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            if inside:
                break
            inside = name in line.lower()
        elif inside:
            lines.append(line)
    return lines


def _paragraphs(lines: list[str]) -> Iterator[str]:
    gathered: list[str] = []
    for line in [*lines, ""]:
        item = _ITEM.match(line)
        if (item or not line.strip()) and gathered:
            yield " ".join(gathered)
            gathered = []
        if text := " ".join((line[item.end() :] if item else line).split()):
            gathered.append(text)


def _tables(lines: list[str]) -> Iterator[list[list[str]]]:
    """Tables as rows of cells, the headings first, without the rule below them."""
    rows: list[list[str]] = []
    for line in [*lines, ""]:
        if line.lstrip().startswith("|"):
            rows.append([_plain(cell) for cell in line.strip().removeprefix("|").removesuffix("|").split("|")])
        elif rows:
            if len(rows) > 2 and all(_RULE.fullmatch(cell) for cell in rows[1]):
                yield [rows[0], *rows[2:]]
            rows = []


def _metrics(table: list[list[str]]) -> Iterator[Metric]:
    (first, *columns), *rows = table
    for label, *cells in rows:
        for column, value in zip(columns, cells, strict=False):
            if value and value != "-":
                where = (column, label) if first else (column,)
                yield Metric(first or label, value, ", ".join(part for part in where if part))


def _plain(cell: str) -> str:
    return " ".join(cell.replace("`", "").replace("**", "").split())
