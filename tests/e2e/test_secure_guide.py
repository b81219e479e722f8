# SPDX-License-Identifier: Apache-2.0
"""The guide's own commands and files, as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.test_serve import started
from understudy.service.access_file import add_token, read_access_file
from understudy.service.config import load_config

pytestmark = pytest.mark.e2e
_GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "secure-the-service.md"

if not _GUIDE.is_file():
    pytest.skip("docs/ is not beside these tests", allow_module_level=True)


def blocks(language: str) -> list[str]:
    text = _GUIDE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_the_guide_s_service_serves(tmp_path: Path) -> None:
    (commands,) = blocks("sh")
    subprocess.run(["bash", "-euc", commands], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    service, certificates, access = blocks("toml")
    for name in ("shows", "renders"):
        (tmp_path / name).mkdir()
    (tmp_path / "service.toml").write_text(service.replace("0.0.0.0:7433", "127.0.0.1:0"))
    token = add_token(tmp_path / "access.toml", "mira", ("render",))
    environment = {
        **os.environ,
        "UNDERSTUDY_TLS_CA": str(tmp_path / "studio-ca.pem"),
        "UNDERSTUDY_TOKEN": token,
    }
    with started("--config", str(tmp_path / "service.toml")) as process:
        done = subprocess.run(
            [sys.executable, "-m", "understudy", "packs", "list", "--server", process.address],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert "lanczos" in done.stdout
    (tmp_path / "mutual.toml").write_text(certificates)
    assert load_config(tmp_path / "mutual.toml").tls.client_ca == tmp_path / "studio-ca.pem"
    (tmp_path / "listed.toml").touch(0o600)
    (tmp_path / "listed.toml").write_text(access)
    assert read_access_file(tmp_path / "listed.toml").certificate[0].name == "farm"
