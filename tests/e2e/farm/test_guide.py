# SPDX-License-Identifier: Apache-2.0
"""The guide "Render on your farm", typed from its page."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shots import write_plates

_GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "render-on-your-farm.md"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(not _GUIDE.is_file(), reason="docs/ is not beside these tests"),
    pytest.mark.skipif(not importlib.util.find_spec("openjd"), reason="needs openjd-cli"),
    pytest.mark.skipif(not importlib.util.find_spec("pyblish"), reason="needs the extra publish"),
]


def commands(text: str) -> list[tuple[list[str], list[str]]]:
    """Of each console block up to the heading Dask, its commands and what the last of them tells."""
    own = text.partition("\n## Dask")[0]
    blocks = [block.splitlines() for block in re.findall(r"^```console\n(.*?)^```", own, re.DOTALL | re.MULTILINE)]
    return [
        ([line[2:] for line in block if line.startswith("$ ")], [line for line in block if not line.startswith("$ ")])
        for block in blocks
    ]


def test_every_command_of_the_guide_does_what_it_says(tmp_path: Path) -> None:
    write_plates(tmp_path / "plate", 5)
    for path in (tmp_path / "plate").glob("*.exr"):
        path.rename(path.with_name(path.name.replace("plate", "sh010")))
    for name in ("understudy", "openjd"):
        (tmp_path / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    text = _GUIDE.read_text(encoding="utf-8")
    (graph,) = re.findall(r"^```yaml\n# slow.yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (tmp_path / "slow.yaml").write_text(graph)
    blocks = commands(text)
    assert len(blocks) == 5
    for typed, told in blocks:
        for command in typed:
            done = subprocess.run(
                ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert all(line in done.stdout for line in told), f"{typed}\n{done.stdout}"
    assert len(list((tmp_path / "out").glob("*.exr"))) == 9
    assert len(list((tmp_path / "published/sh010/v001").glob("*.exr"))) == 9
