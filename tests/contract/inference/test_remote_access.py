# SPDX-License-Identifier: Apache-2.0
"""Remote packs on a server with TLS and tokens: who is trusted, and where a token goes."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from contract.inference.rig import noise
from contract.inference.test_remote_packs import a_server, loaded, remote_pack
from contract.service.certificates import Authority, Pair
from understudy.contracts.errors import AccessError, UnavailableError, UsageError
from understudy.contracts.model import Call
from understudy.packs import Pack, open_pack
from understudy.roles.engine import LocalEngine
from understudy.runtimes.remote_tokens import token_for
from understudy.service.access import AccessSettings
from understudy.service.access_file import add_token
from understudy.service.credentials import TlsSettings
from understudy.service.server import Service

CALL = Call(options={"strength": 1.0, "mode": "soft"})


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("studio"), "studio")


@pytest.fixture(scope="module")
def pair(studio: Authority) -> Pair:
    return studio.issue("gpu-box", hosts=("127.0.0.1",))


@contextmanager
def server(engine: LocalEngine, pair: Pair | None, folder: Path) -> Iterator[tuple[str, str]]:
    """A service that wants a token; its address and a token."""
    folder.mkdir()
    file = folder / "access.toml"
    token = add_token(file, "farm", ("render",))
    tls = TlsSettings(certificate=pair.certificate, key=pair.key) if pair is not None else None
    with Service(engine, "127.0.0.1:0", tls=tls, access=AccessSettings(file=file)) as service:
        yield service.address, token


def tokens(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, mode: int = 0o600) -> Path:
    file = folder / "tokens.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    monkeypatch.setenv("UNDERSTUDY_REMOTE_TOKENS", str(file))
    return file


def trusting(folder: Path, address: str, authority: Path) -> Pack:
    """A pack that trusts the server of an authority alone."""
    remote_pack(folder, address, 'model = "twice"')
    (folder / "ca.pem").write_bytes(authority.read_bytes())
    digest = hashlib.sha256(authority.read_bytes()).hexdigest()
    manifest = folder / "pack.toml"
    text = manifest.read_text(encoding="utf-8").replace(
        'model = "twice"', 'model = "twice"\ntls = true\nauthority = "ca.pem"'
    )
    manifest.write_text(f'{text}\n[[weights]]\nfile = "ca.pem"\nsha256 = "{digest}"\n', encoding="utf-8")
    return open_pack(folder)


def test_a_pack_plays_over_tls_with_a_token(
    engine: LocalEngine, pair: Pair, studio: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(engine, pair, tmp_path / "service") as (address, token):
        pack = trusting(tmp_path / "p", address, studio.file)
        tokens(tmp_path, monkeypatch, f'"{address}" = "{token}"\n')
        model = loaded(pack)
        image = noise(6, 5, 3)
        assert np.array_equal(model.model.run({"image": image}, CALL)["image"], image * 2)
        model.model.close()


def test_without_its_token_or_with_another_it_is_turned_away(
    engine: LocalEngine, pair: Pair, studio: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(engine, pair, tmp_path / "service") as (address, token):
        pack = trusting(tmp_path / "p", address, studio.file)
        with pytest.raises(AccessError, match="refuses"):
            loaded(pack)
        for text in (f'"{address}" = "{token}x"\n', f'"localhost:1" = "{token}"\n', ""):
            tokens(tmp_path, monkeypatch, text)
            with pytest.raises(AccessError, match="refuses"):
                loaded(pack)


def test_a_server_of_another_authority_gets_neither_frame_nor_token(
    engine: LocalEngine, studio: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Authority(tmp_path / "stranger", "stranger").issue("gpu-box", hosts=("127.0.0.1",))
    with server(engine, stranger, tmp_path / "service") as (address, token):
        tokens(tmp_path, monkeypatch, f'"{address}" = "{token}"\n')
        with pytest.raises(UnavailableError, match="can't be reached"):
            loaded(trusting(tmp_path / "p", address, studio.file))


def test_a_token_goes_within_this_machine_without_tls(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(engine, None, tmp_path / "service") as (address, token):
        tokens(tmp_path, monkeypatch, f'"{address}" = "{token}"\n')
        loaded(remote_pack(tmp_path / "p", address)).model.close()


def test_a_server_without_an_entry_gets_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[list[str]] = []

    def listen(request: object, context: object) -> bytes:
        from contract.inference.test_remote_packs import honest

        heard.append([str(key) for key, _ in context.invocation_metadata()])  # type: ignore[attr-defined] # gRPC's
        return honest(request, context)  # type: ignore[arg-type] # as it came

    with a_server(listen) as address:
        tokens(tmp_path, monkeypatch, '"gpu-box:8001" = "secret"\n')
        loaded(remote_pack(tmp_path / "p", address, 'model = "m"')).model.close()
    assert heard
    assert not any("authorization" in keys for keys in heard)


def test_a_token_does_not_travel_unencrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens(tmp_path, monkeypatch, '"gpu-box.example:8001" = "secret"\n"[::1]:8001" = "here"\n')
    with pytest.raises(UsageError, match="would travel unencrypted") as caught:
        token_for("gpu-box.example:8001", tls=False)
    assert "secret" not in str(caught.value)
    assert token_for("gpu-box.example:8001", tls=True) == "secret"
    assert token_for("[::1]:8001", tls=False) == "here"
    assert token_for("other.example:8001", tls=False) == ""


@pytest.mark.parametrize(
    ("text", "mode", "problem"),
    [
        ('"a:1" = "t"\n', 0o644, "others may read the tokens"),
        ('"a:1" = "t"\n', 0o640, "chmod 600"),
        ("no toml", 0o600, "can't be read"),
        ('"a:1" = 5\n', 0o600, 'no token for "a:1"'),
        ('"a:1" = "two words"\n', 0o600, 'no token for "a:1"'),
        ('"a:1" = ""\n', 0o600, 'no token for "a:1"'),
    ],
)
def test_a_wrong_file_of_tokens_is_a_sentence(
    text: str, mode: int, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tokens(tmp_path, monkeypatch, text, mode)
    with pytest.raises(UsageError, match=problem):
        token_for("b:2", tls=True)
    file.unlink()
    with pytest.raises(UsageError, match="No such file"):
        token_for("b:2", tls=True)
