# SPDX-License-Identifier: Apache-2.0
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

_DOCS = Path(__file__).parents[3] / "docs"


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


def test_the_manifest_reference_is_up_to_date(generator: ModuleType) -> None:
    written = generator.PAGE.read_text(encoding="utf-8")
    assert written == generator.page(), "run: python docs/generate_reference.py"


def test_every_field_is_documented(generator: ModuleType) -> None:
    for _, model in generator._TABLES:
        assert set(generator.descriptions(model)) == set(model.model_fields), model.__name__
