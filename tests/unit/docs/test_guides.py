# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest

from understudy.conformance import check_pack
from understudy.packs import open_pack, write_hashes
from unit.packs.pack_folders import write_record

_GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "write-a-pack.md"


def test_the_pack_of_the_guide_conforms(tmp_path: Path) -> None:
    if not _GUIDE.is_file():
        pytest.skip("docs/ is not beside these tests")
    blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```$", _GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
    for name, language in (("pack.toml", "toml"), ("adapter.py", "python"), ("README.md", "markdown")):
        (tmp_path / name).write_text(blocks[language], encoding="utf-8")
    assert write_hashes(tmp_path) == ("adapter.py",)
    write_record(tmp_path)
    report = check_pack(tmp_path)
    assert report.passed, report.failures
    assert open_pack(tmp_path).info().badge == "green"
