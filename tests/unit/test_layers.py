# SPDX-License-Identifier: Apache-2.0
"""The import rules can fail: a copy of the sources that breaks each rule is refused for each."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("importlinter")

_ROOT = Path(__file__).resolve().parents[2]

_VIOLATIONS = {
    "Layers run one way": ("understudy/contracts/seeded.py", "import understudy.roles.engine"),
    "Only codec, service and client see generated code": (
        "understudy/conformance/seeded.py",
        "import understudy.wire.understudy.v1.understudy_pb2",
    ),
    "The client is thin": ("understudy/client/seeded.py", "import understudy.codec.seeded"),
    "Each library has one home": ("understudy/packs/seeded.py", "import torch"),
    "The training code has two doors": ("understudy/roles/seeded.py", "import understudy_training.recipe"),
    "Host code stands alone": ("understudy_bridge/seeded.py", "import numpy"),
    "Understudy never imports host code": ("understudy/frames/seeded.py", "import understudy_bridge"),
}
_MORE = {"understudy/codec/seeded.py": "import understudy.graph.render"}  # the client reaches it through the codec


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of both packages and of the rules."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_ROOT / "src" / "understudy", tmp_path / "understudy", ignore=ignore)
    shutil.copytree(
        _ROOT / "host_bridge" / "python" / "understudy_bridge", tmp_path / "understudy_bridge", ignore=ignore
    )
    shutil.copy(_ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _verdicts(sources: Path) -> dict[str, bool]:
    """What import-linter says of each rule: kept or not."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=sources,
        env=os.environ | {"PYTHONPATH": str(sources)},
        capture_output=True,
        text=True,
    )
    verdicts = re.findall(r"^(.+) (KEPT|BROKEN)(?: \(.*\))?$", done.stdout, re.MULTILINE)
    assert verdicts, done.stdout + done.stderr
    return {name: verdict == "KEPT" for name, verdict in verdicts}


def test_every_rule_is_kept_and_every_rule_can_break(sources: Path) -> None:
    rules = tomllib.loads((sources / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {rule["name"] for rule in rules} == set(_VIOLATIONS)
    assert _verdicts(sources) == dict.fromkeys(_VIOLATIONS, True)
    for file, line in [*_VIOLATIONS.values(), *_MORE.items()]:
        (sources / file).write_text(f"{line}\n")
    assert _verdicts(sources) == dict.fromkeys(_VIOLATIONS, False)


def test_a_package_that_no_layer_names_is_refused(sources: Path) -> None:
    package = sources / "understudy" / "extra"
    package.mkdir()
    (package / "__init__.py").touch()
    assert _verdicts(sources)["Layers run one way"] is False


def test_siblings_do_not_import_each_other(sources: Path) -> None:
    (sources / "understudy" / "frames" / "seeded.py").write_text("import understudy.color.config\n")
    assert _verdicts(sources)["Layers run one way"] is False
