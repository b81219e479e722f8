# SPDX-License-Identifier: Apache-2.0
"""Recipes: all that a run depends on, in one TOML file."""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from understudy_training.errors import TrainingError
from understudy_training.options import read_options
from understudy_training.schedule import Schedule
from understudy_training.toml_text import toml_text

SCHEMA = "understudy.recipe/1"


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How the loop runs: the recipe's ``[run]`` table.

    Attributes:
        steps: Optimizer steps of the whole run.
        warmup_steps: Steps over which the learning rate rises.
        cooldown_steps: Steps at the end over which it falls to zero.
        rate: The learning rate of AdamW between the two.
        betas: Its decay rates.
        weight_decay: Its weight decay, for tensors of two and more axes.
        gradient_clip: The largest norm of the gradient; 0 for any.
        ema: Decay of the averaged weights, which are validated and kept.
        precision: ``float32``, or ``bfloat16`` for autocast.
        channels_last: Keep pictures as NHWC in memory.
        validate_steps: Steps from one validation to the next.
        log_steps: Steps from one line of the log to the next.
        checkpoint_seconds: Seconds from one checkpoint to the next.
        echo: Steps taken from each drawn batch, for where drawing is what takes the time (Choi et al., Faster Neural
            Network Training with Data Echoing, 2019). A task that has ``vary`` gives each of them another view.
        threads: CPU threads; 0 leaves torch's own choice. 1 makes a CPU run repeatable bit for bit.
    """

    steps: int
    warmup_steps: int = 0
    cooldown_steps: int = 0
    rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    gradient_clip: float = 1.0
    ema: float = 0.999
    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = True
    validate_steps: int = 1000
    log_steps: int = 50
    checkpoint_seconds: float = 60.0
    echo: int = 1
    threads: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "validate_steps", "log_steps", "echo"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1")
        for name in ("warmup_steps", "cooldown_steps", "weight_decay", "gradient_clip", "threads"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: must not be negative")
        if self.cooldown_steps > self.steps:
            raise ValueError(f"cooldown_steps: {self.cooldown_steps} are more than all {self.steps} steps")
        if not self.rate > 0:
            raise ValueError("rate: must be over 0")
        if not 0 <= self.ema < 1:
            raise ValueError("ema: must be from 0 to under 1")

    @property
    def schedule(self) -> Schedule:
        """The learning rate's shape."""
        return Schedule(self.steps, self.warmup_steps, self.cooldown_steps)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What counts as the same: the recipe's ``[tolerance]`` table.

    Attributes:
        parity: The largest absolute difference between torch and the exported graph.
        score: How far the validation score of another run of this recipe may lie from the shipped one's.
    """

    parity: float = 1e-4
    score: float = 0.05


@dataclass(frozen=True, slots=True)
class Head:
    """The top of a recipe, before its tables.

    Attributes:
        schema: Always ``understudy.recipe/1``.
        name: The recipe's name, as its file's.
        task: The task's module in ``understudy_training/tasks``; it says what ``[options]`` holds.
        title: One line for people.
        pack: The pack in ``models/`` that its weights ship in; empty for none.
        seed: Where every random number comes from.
        generator: The generator version that made the shipped weights: SHA-256 over the sources that draw its data.
            Empty while it is in the making; ``understudy train --from`` writes it.
        init: The recipe whose weights it starts from, for people; ``--init`` names the file. Empty for none.
    """

    schema: str
    name: str
    task: str
    title: str = ""
    pack: str = ""
    seed: int = 1
    generator: str = ""
    init: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a run depends on.

    Attributes:
        name: The recipe's name, as its file's.
        task: The task's module in ``tasks/``.
        title: One line for people.
        pack: The pack its weights ship in; empty for none.
        seed: Where every random number comes from.
        generator: The generator version that it was run with; empty while it is in the making.
        init: The recipe whose weights it starts from; empty for none. ``--init`` names the file.
        run: How the loop runs.
        options: The ``[options]`` table, for the task to read.
        tolerance: What counts as the same.
        made: What made the shipped weights, from the run's result: versions, device, seconds, score. The loop does not
            read it.
        source: The file it was read from.
        document: The TOML document.
    """

    name: str
    task: str
    title: str
    pack: str
    seed: int
    generator: str
    init: str
    run: RunSettings
    options: Mapping[str, Any]
    tolerance: Tolerance
    made: Mapping[str, Any]
    source: Path
    document: Mapping[str, Any] = field(repr=False)

    @property
    def text(self) -> str:
        """The recipe as it is run, settings from the command line included, as TOML."""
        return toml_text({key: value for key, value in self.document.items() if key != "made"})

    @property
    def sha256(self) -> str:
        """SHA-256 of ``text``; two recipes that run alike have the same."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def recipe_folder() -> Path:
    """Where the recipes lie: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "recipes"
    return inside if inside.is_dir() else package.parent / "recipes"


def recipe_names() -> tuple[str, ...]:
    """The recipes that come with the package."""
    return tuple(path.stem for path in sorted(recipe_folder().glob("*.toml")))


def find_recipe(text: str) -> Path:
    """The file of a recipe, given as its path or its name.

    Raises:
        TrainingError: There is none.
    """
    path = Path(text)
    if path.is_file():
        return path
    named = recipe_folder() / f"{text}.toml"
    if re.fullmatch(r"[A-Za-z0-9_.-]+", text) and named.is_file():
        return named
    close = get_close_matches(path.stem, recipe_names(), n=1)
    fix = f'did you mean "{close[0]}"?' if close else f"recipes: {', '.join(recipe_names()) or 'none'}"
    raise TrainingError("there is no such recipe", where=text, fix=fix, exit_code=3)


def read_recipe(text: str, settings: Sequence[str] = ()) -> Recipe:
    """Reads a recipe.

    Args:
        text: Its path or name.
        settings: Changes such as ``run.steps=300``; the value is TOML, or text without quotes.

    Raises:
        TrainingError: It is not there, or is wrong; the message names file and field.
    """
    path = find_recipe(text)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"can't be read: {error}", where=str(path), exit_code=3) from None
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"is not TOML: {error}", where=str(path)) from None
    for setting in settings:
        _set(document, setting)
    return parse_recipe(document, path)


def parse_recipe(document: Mapping[str, Any], source: Path) -> Recipe:
    """The recipe in a document; errors as of ``read_recipe``."""
    if document.get("schema") != SCHEMA:
        fix = f'write schema = "{SCHEMA}"'
        raise TrainingError(f"is {document.get('schema')!r}, not a known one", where=f"{source.name}: schema", fix=fix)
    tables = ("run", "options", "tolerance", "made")
    try:
        _require_tables(document, tables)
        top = _read_head({key: value for key, value in document.items() if key not in tables}, tables)
        run = read_options(RunSettings, document.get("run", {}), where="run")
        tolerance = read_options(Tolerance, document.get("tolerance", {}), where="tolerance")
    except TrainingError as error:
        raise TrainingError(error.problem, where=f"{source.name}: {error.where}", fix=error.fix) from None
    return Recipe(
        name=top.name,
        task=top.task,
        title=top.title,
        pack=top.pack,
        seed=top.seed,
        generator=top.generator,
        init=top.init,
        run=run,
        options=document.get("options", {}),
        tolerance=tolerance,
        made=document.get("made", {}),
        source=source,
        document=document,
    )


def _require_tables(document: Mapping[str, Any], tables: Sequence[str]) -> None:
    for name in tables:
        if not isinstance(document.get(name, {}), dict):
            raise TrainingError("is no table", where=name, fix=f"write [{name}]")


def _read_head(values: Mapping[str, Any], tables: Sequence[str]) -> Head:
    for name, value in values.items():
        if isinstance(value, dict):
            close = get_close_matches(name, tables, n=1)
            fix = f"did you mean [{close[0]}]?" if close else f"known: {', '.join(f'[{table}]' for table in tables)}"
            raise TrainingError("there is no such table", where=f"[{name}]", fix=fix)
    try:
        return read_options(Head, values, where="")
    except TrainingError as error:
        raise TrainingError(error.problem, where=error.where.lstrip("."), fix=error.fix) from None


def _set(document: dict[str, Any], setting: str) -> None:
    """Changes one value of a document by ``table.field=value``."""
    place, equals, text = setting.partition("=")
    if not equals:
        raise TrainingError("has no =", where=f"--set {setting}", fix="write --set run.steps=300")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, name = place.strip().split(".")
    table = document
    for key in tables:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise TrainingError(f"{key} is no table", where=f"--set {setting}")
    table[name] = value


def corrected(text: str, changes: Mapping[str, Any]) -> str:
    """A recipe's text with some values set, every comment and other line left alone.

    Args:
        text: The file's text.
        changes: New values by ``name`` or ``table.name``; a name that is not in the text is added to its table.
    """
    lines = text.splitlines()
    for place, value in changes.items():
        table, _, name = place.rpartition(".")
        line = toml_text({name: value}).strip()
        at = _line_of(lines, table, name)
        if at is not None:
            _, hash_sign, comment = _split_comment(lines[at])
            lines[at] = f"{line}  # {comment.strip()}" if hash_sign else line
        else:
            lines.insert(_end_of(lines, table), line)
    return "\n".join(lines) + "\n"


def _split_comment(line: str) -> tuple[str, str, str]:
    """A line's value and its comment; a hash sign in quotes is no comment."""
    bare = re.sub(r'"[^"]*"', lambda match: "_" * len(match[0]), line)
    at = bare.find("#")
    return (line, "", "") if at < 0 else (line[:at], "#", line[at + 1 :])


def _line_of(lines: Sequence[str], table: str, name: str) -> int | None:
    current = ""
    for number, line in enumerate(lines):
        if header := _header(line):
            current = header
        elif current == table and re.match(rf"\s*{re.escape(name)}\s*=", line):
            return number
    return None


def _header(line: str) -> str:
    """The table that a line begins; of an array of tables ``[name``, which no table is called; empty for others."""
    match = re.match(r"\s*\[(\[?[A-Za-z0-9_.]+)\]", line)
    return match[1] if match else ""


def _end_of(lines: list[str], table: str) -> int:
    """Where a new line of a table goes: after its last line."""
    headers = [(n, name) for n, line in enumerate(lines) if (name := _header(line))]
    starts = [-1, *(n for n, _ in headers)]
    names = ["", *(name for _, name in headers)]
    if table not in names:
        lines += ["", f"[{table}]"]
        return len(lines)
    index = names.index(table)
    end = starts[index + 1] if index + 1 < len(starts) else len(lines)
    while end > starts[index] + 1 and not lines[end - 1].strip():
        end -= 1
    return end
