# SPDX-License-Identifier: Apache-2.0
"""Recipes: what is read, what is refused and how it is told. No torch needed."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from understudy_training.errors import TrainingError
from understudy_training.options import read_options
from understudy_training.recipe import corrected, read_recipe, recipe_names
from understudy_training.schedule import Schedule

_RECIPE = """# A comment
schema = "understudy.recipe/1"
name = "mine" # named so
task = "sharpen"

[run]
steps = 100 # all
rate = 1e-3

[options]
width = 4
"""


def _written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_reads(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    assert read_recipe(name).sha256 == recipe.sha256


@pytest.mark.parametrize(
    ("before", "after", "where", "fix"),
    [
        ("steps = 100", "stpes = 100", "mine.toml: run.stpes", 'did you mean "steps"?'),
        ("steps = 100", "steps = 0", "mine.toml: run.steps", ""),
        ("steps = 100", 'steps = "many"', "mine.toml: run.steps", "write a whole number"),
        ("steps = 100", "warmup_steps = 3", "mine.toml: run.steps", "write a whole number"),
        ("steps = 100", "steps = 100\ncooldown_steps = 101", "mine.toml: run.cooldown_steps", ""),
        ("rate = 1e-3", "rate = inf", "mine.toml: run.rate", "write a finite number"),
        ("rate = 1e-3", 'precision = "bfloat61"', "mine.toml: run.precision", 'did you mean "bfloat16"?'),
        ("rate = 1e-3", "betas = [0.9]", "mine.toml: run.betas", ""),
        ("recipe/1", "recipe/9", "mine.toml: schema", 'write schema = "understudy.recipe/1"'),
        ("[options]", "[optoins]", "mine.toml: [optoins]", "did you mean [options]?"),
        ('task = "sharpen"', 'tusk = "sharpen"', "mine.toml: tusk", 'did you mean "task"?'),
        ('task = "sharpen"', "", "mine.toml: task", "write text in quotes"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, before: str, after: str, where: str, fix: str) -> None:
    assert before in _RECIPE
    with pytest.raises(TrainingError) as caught:
        read_recipe(_written(tmp_path, _RECIPE.replace(before, after)))
    assert caught.value.where == where
    assert caught.value.fix == fix
    assert caught.value.exit_code == 2


def test_a_missing_recipe_and_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match='did you mean "sharpen"') as caught:
        read_recipe("sharpne")
    assert caught.value.exit_code == 3
    with pytest.raises(TrainingError, match="is not TOML"):
        read_recipe(_written(tmp_path, "a = "))


def test_settings_change_the_recipe_and_its_hash(tmp_path: Path) -> None:
    path = _written(tmp_path, _RECIPE)
    plain, set_ = read_recipe(path), read_recipe(path, ["run.steps=7", "options.name=a b", "seed=3"])
    assert (set_.run.steps, set_.options["name"], set_.seed) == (7, "a b", 3)
    assert plain.sha256 != set_.sha256
    again = read_recipe(_written(tmp_path, set_.text))
    assert again.sha256 == set_.sha256
    with pytest.raises(TrainingError, match="has no ="):
        read_recipe(path, ["run.steps"])


def test_a_corrected_recipe_keeps_its_comments_and_other_lines() -> None:
    text = corrected(_RECIPE, {"generator": "ab", "run.steps": 90, "run.warmup_steps": 5, "made.device": "x # y"})
    assert text.splitlines() == [
        "# A comment",
        'schema = "understudy.recipe/1"',
        'name = "mine" # named so',
        'task = "sharpen"',
        'generator = "ab"',
        "",
        "[run]",
        "steps = 90  # all",
        "rate = 1e-3",
        "warmup_steps = 5",
        "",
        "[options]",
        "width = 4",
        "",
        "[made]",
        'device = "x # y"',
    ]
    assert corrected(text, {"made.device": "x # y"}) == text


def test_options_read_into_a_dataclass() -> None:
    @dataclass(frozen=True)
    class Options:
        scale: Literal[2, 3, 4]
        sizes: tuple[int, ...] = (1,)
        rate: float = 0.5
        deep: bool = False

    assert read_options(Options, {"scale": 3, "sizes": [4, 5], "rate": 1}) == Options(3, (4, 5), 1.0)
    for table, where in (
        ({}, "options.scale"),
        ({"scale": 5}, "options.scale"),
        ({"scale": 2, "deep": 1}, "options.deep"),
        ({"scale": 2, "sizes": [1, "2"]}, "options.sizes[1]"),
        ({"scale": 2, "sizes": 4}, "options.sizes"),
        ({"scale": 2, "rate": True}, "options.rate"),
    ):
        with pytest.raises(TrainingError) as caught:
            read_options(Options, table)
        assert caught.value.where == where


def test_the_rate_rises_stays_and_falls() -> None:
    schedule = Schedule(steps=100, warmup_steps=10, cooldown_steps=20)
    factors = [schedule.factor(step) for step in range(100)]
    assert factors[0] == 0.1
    assert factors[9:81] == [1.0] * 72
    assert factors[99] == pytest.approx(1 / 20)
    assert factors[80:] == sorted(factors[80:], reverse=True)
    early = schedule.ending(40, 10)
    assert early.steps == 50
    assert early.factor(49) == pytest.approx(0.1)
    assert early.factor(39) == early.factor(40) == 1


def test_a_new_value_goes_to_the_end_of_its_table_even_before_an_array_of_tables() -> None:
    text = '[rights]\npeople = "no"\n\n[[citation]]\ntext = "a"\n\n[[citation]]\ntext = "b"\n'
    changed = corrected(text, {"rights.text": "c", "rights.people": "yes"})
    assert tomllib.loads(changed) == {
        "rights": {"people": "yes", "text": "c"},
        "citation": [{"text": "a"}, {"text": "b"}],
    }
