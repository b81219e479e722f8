# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest

from understudy.packs import open_pack
from understudy.runtimes.remote_tokens import TOKENS_VARIABLE, token_for
from understudy.service.config import load_config

_GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "remote-packs.md"


def test_the_documents_of_the_guide_are_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not _GUIDE.is_file():
        pytest.skip("docs/ is not beside these tests")
    pack, packs, tokens = re.findall(
        r"^```toml\n(.*?)^```$", _GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    (tmp_path / "pack.toml").write_text(pack, encoding="utf-8")
    assert open_pack(tmp_path).manifest.runtime.remote.version == "3"
    (tmp_path / "service.toml").write_text(f'schema = "understudy.service/1"\n\n{packs}', encoding="utf-8")
    assert load_config(tmp_path / "service.toml").packs.allow_remote_packs
    (tmp_path / "tokens.toml").write_text(tokens, encoding="utf-8")
    (tmp_path / "tokens.toml").chmod(0o600)
    monkeypatch.setenv(TOKENS_VARIABLE, str(tmp_path / "tokens.toml"))
    assert token_for(open_pack(tmp_path).manifest.runtime.remote.address, tls=True)
