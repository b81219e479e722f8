# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest

from understudy.packs import open_pack
from understudy.service.config import load_config

_GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "remote-packs.md"


def test_the_documents_of_the_guide_are_sound(tmp_path: Path) -> None:
    if not _GUIDE.is_file():
        pytest.skip("docs/ is not beside these tests")
    pack, packs = re.findall(r"^```toml\n(.*?)^```$", _GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "pack.toml").write_text(pack, encoding="utf-8")
    assert open_pack(tmp_path).manifest.runtime.remote.version == "3"
    (tmp_path / "service.toml").write_text(f'schema = "understudy.service/1"\n\n{packs}', encoding="utf-8")
    assert load_config(tmp_path / "service.toml").packs.allow_remote_packs
