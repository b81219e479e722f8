# SPDX-License-Identifier: Apache-2.0
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import understudy
from understudy.contracts.document_problems import table_fields

_ROOT = Path(__file__).parents[3]
_DOCS = _ROOT / "docs"
_PAGES = (
    *("pack-manifest.md", "graph.md", "command-line.md", "channel-kinds.md", "events.md"),
    *(
        "exit-codes.md",
        "environment.md",
        "policy.md",
        "service-config.md",
        "metrics.md",
        "record.md",
        "session.md",
        "recipe.md",
        "publish-checks.md",
    ),
)


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The script that writes the reference."""
    path = _DOCS / "generate_reference.py"
    if not path.is_file():
        pytest.skip("docs/ is not beside these tests")
    spec = importlib.util.spec_from_file_location("generate_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", _PAGES)
def test_a_page_is_up_to_date(generator: ModuleType, name: str) -> None:
    written = (generator.FOLDER / name).read_text(encoding="utf-8")
    assert written == generator.PAGES[name](), "run: python docs/generate_reference.py"


def test_every_page_is_tested(generator: ModuleType) -> None:
    assert set(generator.PAGES) == set(_PAGES)


def test_every_field_is_documented(generator: ModuleType) -> None:
    models = (*generator.MANIFEST, *generator.POLICY, *generator.GRAPH, *generator.RECORD, *generator.SESSION)
    for _, model in (*models, *generator.service_sections()):
        fields = set(table_fields(model)) - {"type", "schema"}
        assert fields <= set(generator.descriptions(model)), model.__name__


def test_every_option_is_documented(generator: ModuleType) -> None:
    bare = [
        f"{name} {param.name}" for name, command in generator.commands() for param in command.params if not param.help
    ]
    assert bare == []


def _sources() -> str:
    folders = (Path(understudy.__file__).parent, _ROOT / "host_bridge", _ROOT / "plugins", _ROOT / "training")
    return "\n".join(path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py"))


def test_every_event_is_on_its_page(generator: ModuleType) -> None:
    sent = set(re.findall(r'"event": "(\w+)"|_log\.write\(\s*"(\w+)"', _sources()))
    sent = {name for names in sent for name in names if name}
    assert sent
    assert sent == set(re.findall(r"^\| `(\w+)`", generator.events_page(), re.MULTILINE))


def test_every_variable_is_on_its_page(generator: ModuleType) -> None:
    read = set(re.findall(r"\bUNDERSTUDY_[A-Z]+(?:_[A-Z]+)*\b", _sources())) | {"OCIO", "XDG_CACHE_HOME"}
    assert read == set(re.findall(r"^\| `(\w+)`", generator.environment_page(), re.MULTILINE))
