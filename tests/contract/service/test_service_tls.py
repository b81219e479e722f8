# SPDX-License-Identifier: Apache-2.0
"""TLS between a real client and a real server, and what is said when the two do not trust each other."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from contract.service.certificates import Authority, Pair
from contract.service.rig import FakeEngine, make_request
from understudy.client.engine import RemoteEngine
from understudy.contracts.errors import AccessError, UnderstudyError, UsageError
from understudy.service.access import AccessSettings
from understudy.service.access_file import add_token
from understudy.service.credentials import TlsFiles, TlsSettings
from understudy.service.server import Service

Client = Callable[..., RemoteEngine]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("studio"), "studio")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def server_pair(studio: Authority) -> Pair:
    return studio.issue("gpu-box", hosts=("127.0.0.1",))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Opens a client with this environment; closed at the end."""
    with ExitStack() as stack:

        def connect(address: str, **environment: object) -> RemoteEngine:
            with monkeypatch.context() as patch:
                for name, value in environment.items():
                    patch.setenv(f"UNDERSTUDY_{name}", str(value))
                engine = RemoteEngine(address, timeout_s=20)
            stack.callback(engine.close)
            return engine

        yield connect


def serve(engine: FakeEngine, tls: TlsSettings, access: AccessSettings | None = None) -> Service:
    return Service(engine, "127.0.0.1:0", tls=tls, access=access)


def tls_of(pair: Pair, client_ca: Path | None = None) -> TlsSettings:
    return TlsSettings(certificate=pair.certificate, key=pair.key, client_ca=client_ca)


def why(client: RemoteEngine) -> str:
    with pytest.raises(AccessError) as caught:
        client.info()
    assert caught.value.exit_code == 77
    return str(caught.value)


def test_a_trusted_service_answers_over_tls(
    engine: FakeEngine, server_pair: Pair, studio: Authority, client: Client
) -> None:
    with serve(engine, tls_of(server_pair)) as service:
        remote = client(service.address, TLS_CA=studio.file)
        assert remote.info().version == "1.2.3"
        assert remote.run(make_request("echo")).confidence == 0.75


def test_what_a_client_does_not_trust_is_said(
    engine: FakeEngine, server_pair: Pair, studio: Authority, stranger: Authority, client: Client
) -> None:
    with serve(engine, tls_of(server_pair)) as service:
        assert "of an authority that this client does not trust" in why(client(service.address, TLS_CA=stranger.file))
        assert "does not trust; set UNDERSTUDY_TLS_CA" in why(client(service.address, TLS=1))
        assert "it may want TLS (UNDERSTUDY_TLS_CA)" in why(client(service.address))
    expired = studio.issue("gpu-box", hosts=("127.0.0.1",), days=-2, file="expired")
    with serve(engine, tls_of(expired)) as service:
        assert "has expired; have it renewed" in why(client(service.address, TLS_CA=studio.file))
    other = studio.issue("gpu-box", hosts=("gpu.example",), file="other")
    with serve(engine, tls_of(other)) as service:
        assert "for another name" in why(client(service.address, TLS_CA=studio.file))
        assert client(service.address, TLS_CA=studio.file, TLS_NAME="gpu.example").info().version == "1.2.3"
    with Service(engine, "127.0.0.1:0") as service:
        assert "does not use TLS; unset UNDERSTUDY_TLS" in why(client(service.address, TLS_CA=studio.file))


def test_a_client_certificate_is_required_and_names_the_caller(
    engine: FakeEngine, server_pair: Pair, studio: Authority, stranger: Authority, client: Client
) -> None:
    mira = studio.issue("mira")
    with serve(engine, tls_of(server_pair, studio.file)) as service:
        good = client(service.address, TLS_CA=studio.file, TLS_CERT=mira.certificate, TLS_KEY=mira.key)
        assert good.info().version == "1.2.3"
        for pair in (None, studio.issue("late", days=-2), stranger.issue("mira")):
            shown = {} if pair is None else {"TLS_CERT": pair.certificate, "TLS_KEY": pair.key}
            assert "a client certificate that it trusts" in why(client(service.address, TLS_CA=studio.file, **shown))


def test_replicas_are_balanced_and_checked_over_tls(
    engine: FakeEngine, server_pair: Pair, studio: Authority, client: Client, tmp_path: Path
) -> None:
    """gRPC's own health check carries no token; it is let in all the same."""
    token = add_token(tmp_path / "access.toml", "mira", ("render",))
    access = AccessSettings(file=tmp_path / "access.toml")
    with ExitStack() as stack:
        services = [stack.enter_context(serve(engine, tls_of(server_pair), access)) for _ in range(2)]
        addresses = ",".join(service.address for service in services)
        remote = client(addresses, TLS_CA=studio.file, TOKEN=token)
        for _ in range(4):
            assert remote.run(make_request("echo")).confidence == 0.75
        assert "does not know who calls" in why(client(addresses, TLS_CA=studio.file, TOKEN="ust_wrong"))


def test_renewed_files_are_used_without_a_restart(
    engine: FakeEngine, studio: Authority, client: Client, tmp_path: Path
) -> None:
    old = studio.issue("gpu-box", hosts=("old.example",), file="old")
    new = studio.issue("gpu-box", hosts=("127.0.0.1",), file="new")
    live = Pair(tmp_path / "live.pem", tmp_path / "live.key")
    for source, target in ((old.certificate, live.certificate), (old.key, live.key)):
        shutil.copy(source, target)
    with serve(engine, tls_of(live)) as service:
        assert "another name" in why(client(service.address, TLS_CA=studio.file))
        for source, target in ((new.key, live.key), (new.certificate, live.certificate)):
            shutil.copy(source, tmp_path / "next")
            (tmp_path / "next").replace(target)
        assert client(service.address, TLS_CA=studio.file).info().version == "1.2.3"
        live.certificate.write_text("nonsense")  # a renewal that went wrong leaves the old pair in use
        assert client(service.address, TLS_CA=studio.file).info().version == "1.2.3"


def test_files_that_can_t_be_used_are_refused(studio: Authority, server_pair: Pair, tmp_path: Path) -> None:
    hidden = studio.issue("hidden", passphrase=b"secret")
    other = studio.issue("unlike")
    open_key = tmp_path / "open.key"
    shutil.copy(server_pair.key, open_key)
    open_key.chmod(0o644)
    cases = [
        (TlsSettings(certificate=server_pair.certificate), "there is no key"),
        (TlsSettings(key=server_pair.key), "there is no certificate"),
        (TlsSettings(certificate=server_pair.certificate, key=tmp_path / "none"), "the key can't be read: No such"),
        (TlsSettings(certificate=tmp_path / "none", key=server_pair.key), "can't be used: No such file"),
        (TlsSettings(certificate=server_pair.certificate, key=open_key), r"others can read .*chmod 600"),
        (TlsSettings(certificate=server_pair.certificate, key=other.key), "key values mismatch"),
        (TlsSettings(certificate=hidden.certificate, key=hidden.key), "the key has a passphrase"),
        (TlsSettings(certificate=server_pair.key, key=server_pair.key), "certificate and key can't be used"),
        (tls_of(server_pair, server_pair.key), "the clients' authority can't be used"),
    ]
    for settings, sentence in cases:
        with pytest.raises(UsageError, match=sentence):
            TlsFiles(settings)


def test_an_address_that_others_reach_needs_tls_and_a_check(
    engine: FakeEngine, server_pair: Pair, studio: Authority, tmp_path: Path
) -> None:
    add_token(tmp_path / "access.toml", "mira", ("render",))
    access = AccessSettings(file=tmp_path / "access.toml")
    with pytest.raises(UsageError, match="nothing would check who calls; set up TLS"):
        Service(engine, "0.0.0.0:0")
    with pytest.raises(UsageError, match="what travels can be read on the way; set up TLS"):
        Service(engine, "0.0.0.0:0", access=access)
    with pytest.raises(UsageError, match="nothing would check who calls; set up tokens"):
        Service(engine, "0.0.0.0:0", tls=tls_of(server_pair))
    Service(engine, "0.0.0.0:0", tls=tls_of(server_pair), access=access)
    Service(engine, "0.0.0.0:0", tls=tls_of(server_pair, studio.file))
    Service(engine, "0.0.0.0:0", anywhere=True)


def test_a_client_s_own_settings_are_checked(studio: Authority, client: Client, tmp_path: Path) -> None:
    mira = studio.issue("mira-2")
    (tmp_path / "junk").write_text("no pem")
    cases: list[tuple[dict[str, object], str]] = [
        ({"TLS_CERT": mira.certificate}, "needs its key"),
        ({"TLS": "yes"}, "UNDERSTUDY_TLS is 'yes'; set it to 1"),
        ({"TLS_CA": tmp_path / "none"}, "UNDERSTUDY_TLS_CA: .*No such file"),
        ({"TLS_CA": tmp_path / "junk"}, "UNDERSTUDY_TLS_CA: .*can't be used"),
        ({"TLS_CERT": mira.certificate, "TLS_KEY": studio.issue("mira-3").key}, "key values mismatch"),
        ({"TOKEN": "a", "TOKEN_FILE": "b"}, "both set"),
        ({"TOKEN_FILE": tmp_path / "none"}, "the token can't be read"),
        ({"TOKEN": "two words"}, "this is no token"),
    ]
    for environment, sentence in cases:
        with pytest.raises(UnderstudyError, match=sentence):
            client("127.0.0.1:1", **environment)


def test_a_token_never_travels_where_others_can_read_it(client: Client) -> None:
    for address in ("gpu-box:7433", "192.0.2.1:7433", "dns:///gpu-box:7433", "127.0.0.1:1,192.0.2.1:1"):
        with pytest.raises(UsageError, match="would travel unencrypted"):
            client(address, TOKEN="ust_x")
    client("127.0.0.1:1", TOKEN="ust_x")
    client("unix:/tmp/s", TOKEN="ust_x", TLS=1)
    client("gpu-box:7433", TOKEN="ust_x", TLS=1)
