# SPDX-License-Identifier: Apache-2.0
"""Links lead somewhere, commands exist, pictures are small."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from understudy.cli.main import app

_ROOT = Path(__file__).parents[3]
_PAGES = [path for path in [*_ROOT.glob("*.md"), *sorted((_ROOT / "docs").rglob("*.md"))] if path.is_file()]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)

if not (_ROOT / "docs").is_dir():
    pytest.skip("docs/ is not beside these tests", allow_module_level=True)


def _name(path: Path) -> str:
    return path.relative_to(_ROOT).as_posix()


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", _BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in _LINK.findall(_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in _anchors(path.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


def _command_lines(text: str) -> Iterator[str]:
    """What a reader would type: ``understudy ...`` in blocks, lines joined at backslashes, without explanations."""
    for language, block in _BLOCK.findall(text):
        if language not in ("", "console", "sh", "bash"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            typed = re.split(r" {2,}", re.sub(r"^\s*(\$ )?", "", line))[0]
            if typed.startswith("understudy ") and (language != "console" or line.lstrip().startswith("$ ")):
                yield typed
    for typed in re.findall(r"^    (understudy .*)$", text, re.MULTILINE):
        yield re.split(r" {2,}", typed)[0]


def _parse(line: str) -> None:
    """Parses a line as the command line would, without running it."""
    words = shlex.split(re.split(r" [|>&] ?| 2>", line)[0], comments=True)[1:]
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            assert words[0] in ("--help", "-h", "--version"), f"no such option: {words[0]}"
            return
        assert words[0] in command.commands, f"no such command: {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    if words and words[-1] in ("--help", "-h"):
        return
    command.make_context(command.name, words)


@pytest.mark.parametrize("page", [page for page in _PAGES if page.parent.name != "reference"], ids=_name)
def test_commands_on_the_page_exist(page: Path) -> None:
    wrong = []
    for line in _command_lines(page.read_text(encoding="utf-8")):
        try:
            _parse(line)
        except Exception as error:
            wrong.append(f"{line}: {error}")
    assert wrong == []


@pytest.mark.parametrize(
    "line",
    [
        "understudy upscal IN OUT",
        "understudy upscale IN OUT --scal 2",
        "understudy upscale IN",
        "understudy --frames 1",
    ],
)
def test_a_wrong_command_is_caught(line: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|missing"):
        _parse(line)


def test_the_pictures_are_small() -> None:
    sizes = [path.stat().st_size for path in (_ROOT / "docs" / "images").iterdir()]
    assert max(sizes) < 300_000
    assert sum(sizes) < 1_000_000
