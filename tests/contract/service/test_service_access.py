# SPDX-License-Identifier: Apache-2.0
"""Who gets in: tokens, roles, certificates, and what a stranger is told."""

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from contract.service.certificates import Authority
from contract.service.rig import FakeEngine, make_request
from understudy.client.credentials import Credentials
from understudy.client.engine import RemoteEngine
from understudy.codec.protocol import INFO_METHOD, RUN_METHOD, SERVICE
from understudy.contracts.errors import AccessError, PackError, UnavailableError, UsageError
from understudy.service import access as access_module
from understudy.service.access import Access, AccessSettings
from understudy.service.access_file import add_token, read_access_file, revoke_tokens, token_hash
from understudy.service.caller import Caller, caller_of
from understudy.service.credentials import TlsSettings
from understudy.service.server import Service

UNKNOWN = "the service does not know who calls; set UNDERSTUDY_TOKEN or UNDERSTUDY_TOKEN_FILE to a token that it knows"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "access.toml"


@pytest.fixture
def service(engine: FakeEngine, file: Path) -> Iterator[Service]:
    add_token(file, "first", ("admin",))
    with Service(engine, "127.0.0.1:0", access=AccessSettings(file=file), reflection=True) as running:
        yield running


Client = Callable[..., RemoteEngine]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with ExitStack() as stack:

        def connect(address: str, token: str = "", **environment: object) -> RemoteEngine:
            with monkeypatch.context() as patch:
                for name, value in {"TOKEN": token, **environment}.items():
                    patch.setenv(f"UNDERSTUDY_{name}", str(value))
                engine = RemoteEngine(address, timeout_s=20)
            stack.callback(engine.close)
            return engine

        yield connect


@pytest.fixture
def callers(monkeypatch: pytest.MonkeyPatch) -> list[Caller]:
    """Everybody who was admitted."""
    seen: list[Caller] = []
    admit = Access.admit

    def note(self: Access, context: Any) -> Caller:
        seen.append(admit(self, context))
        return seen[-1]

    monkeypatch.setattr(Access, "admit", note)
    return seen


def test_a_token_names_the_caller_and_its_role(
    service: Service, file: Path, client: Client, callers: list[Caller], tmp_path: Path
) -> None:
    client(service.address, add_token(file, "mira", ("render",))).info()
    in_file = tmp_path / "token"
    in_file.write_text(add_token(file, "chief", ("render", "admin")) + "\n")
    client(service.address, TOKEN_FILE=in_file).run(make_request("echo"))
    assert callers == [Caller(name="mira", local=True), Caller(name="chief", admin=True, local=True)]


def test_missing_wrong_and_expired_are_told_the_same(service: Service, file: Path, client: Client) -> None:
    over = add_token(file, "late", ("admin",), datetime.now(UTC) - timedelta(seconds=1))
    for token in ("", "ust_wrong", over, token_hash("ust_wrong")):
        remote = client(service.address, token)
        for call in (remote.info, lambda remote=remote: remote.run(make_request("echo"))):
            with pytest.raises(AccessError) as caught:
                call()
            assert str(caught.value) == UNKNOWN


def test_a_running_service_follows_the_file(
    service: Service, file: Path, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    token = add_token(file, "mira", ("render",))
    remote = client(service.address, token)
    remote.info()
    assert revoke_tokens(file, "mira") == 1
    with pytest.raises(AccessError, match="does not know who calls"):
        remote.info()
    good = file.read_text()
    token = add_token(file, "mira", ("render",))
    remote = client(service.address, token)
    remote.info()
    for spoil in (lambda: file.chmod(0o644), lambda: file.write_text("["), file.unlink):
        spoil()
        with pytest.raises(UnavailableError, match="can't check who calls"):
            remote.info()  # closed rather than open
    file.write_text(good)
    file.chmod(0o600)
    with pytest.raises(AccessError):
        remote.info()
    assert any("access file refused" in record.message for record in caplog.records)


def test_every_method_is_behind_the_door_but_the_two_that_balancers_ask(service: Service) -> None:
    """Whatever is added to the server: the door stands before all handlers, not in each."""
    methods = {
        f"/{SERVICE}/{INFO_METHOD}": "unary_unary",
        f"/{SERVICE}/{RUN_METHOD}": "stream_stream",
        "/grpc.health.v1.Health/List": "unary_unary",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "stream_stream",
    }
    with grpc.insecure_channel(service.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest(), timeout=20).status == 1
        for method, kind in methods.items():
            call = getattr(channel, kind)(method)
            with pytest.raises(grpc.RpcError) as caught:
                call(b"", timeout=20) if kind == "unary_unary" else next(call(iter([b""]), timeout=20))
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, method


def test_a_stranger_s_request_stream_is_not_read(service: Service, engine: FakeEngine) -> None:
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        while len(sent) < 1000:
            sent.append(1)
            yield b"\x12" + b"\x80\x80\x40" + bytes(1 << 20)

    with grpc.insecure_channel(service.address) as channel, pytest.raises(grpc.RpcError) as caught:
        list(channel.stream_stream(f"/{SERVICE}/{RUN_METHOD}")(endless(), timeout=20))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert len(sent) < 1000
    assert engine.seen == []


def test_two_credentials_are_none(service: Service, file: Path) -> None:
    token = add_token(file, "mira", ("render",))
    entry = ("authorization", f"Bearer {token}")
    with grpc.insecure_channel(service.address) as channel:
        info = channel.unary_unary(f"/{SERVICE}/{INFO_METHOD}")
        info(b"", timeout=20, metadata=(entry,))
        for metadata in ((entry, entry), (("authorization", f"Basic {token}"),), (("authorization", token),)):
            with pytest.raises(grpc.RpcError) as caught:
                info(b"", timeout=20, metadata=metadata)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_certificates_stand_in_the_same_file(
    engine: FakeEngine, file: Path, client: Client, callers: list[Caller], tmp_path: Path
) -> None:
    studio = Authority(tmp_path, "studio")
    server, farm, guest = studio.issue("s", hosts=("127.0.0.1",)), studio.issue("farm.studio"), studio.issue("guest")
    token = add_token(file, "mira", ("render",))
    entry = '\n[[certificate]]\nname = "farm"\nroles = ["admin"]\ncommon_name = "farm.studio"\n'
    file.write_text(file.read_text() + entry)
    tls = TlsSettings(certificate=server.certificate, key=server.key, client_ca=studio.file)

    running: list[Service] = []

    def connect(pair: Any, token: str = "") -> RemoteEngine:
        files = {"TLS_CA": studio.file, "TLS_CERT": pair.certificate, "TLS_KEY": pair.key}
        return client(running[-1].address, token, **files)

    with Service(engine, "127.0.0.1:0", tls=tls, access=AccessSettings(file=file)) as both:
        running.append(both)
        connect(farm).info()
        connect(guest, token).info()
        with pytest.raises(AccessError, match="does not know who calls"):
            connect(guest).info()
        with pytest.raises(AccessError, match="does not know who calls"):
            connect(farm, "ust_wrong").info()  # a wrong token is not made good by a certificate
    with Service(engine, "127.0.0.1:0", tls=tls) as certificates_alone:
        running.append(certificates_alone)
        connect(guest).info()
    assert callers == [
        Caller(name="farm", admin=True, local=True),
        Caller(name="mira", local=True),
        Caller(name="guest", local=True),
    ]


def test_without_settings_local_callers_are_admins(
    engine: FakeEngine, client: Client, callers: list[Caller], tmp_path: Path
) -> None:
    with Service(engine, ["127.0.0.1:0", f"unix:{tmp_path}/s"]) as service:
        for address in service.addresses:
            client(address).info()
    assert callers == [Caller(admin=True, local=True)] * 2


def test_a_call_that_nobody_admitted_is_a_nobody_s() -> None:
    assert caller_of(object()) == Caller()


def test_attempts_are_logged_with_the_peer_and_not_without_end(
    service: Service, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    remote = client(service.address, "ust_wrong")
    for _ in range(9):
        with pytest.raises(AccessError):
            remote.info()
    fields = [record.__dict__["fields"] for record in caplog.records if record.message == "turned away"]
    assert [entry["attempts"] for entry in fields] == [1, 2, 4, 8]
    assert all(entry["peer"].startswith("ipv4:127.0.0.1:") for entry in fields)
    assert "ust_wrong" not in json.dumps(fields)


def test_the_list_of_hosts_is_bounded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    denials = access_module._Denials()
    for number in range(3 * access_module._MOST_HOSTS):
        denials.note(f"ipv4:10.0.{number >> 8}.{number & 255}:99")
    assert len(denials._hosts) == access_module._MOST_HOSTS


def test_the_file_holds_no_token_and_is_private(file: Path) -> None:
    token = add_token(file, "mira", ("render",), datetime(2030, 1, 2, tzinfo=UTC))
    other = add_token(file, "mira", ("render", "admin"))
    text = file.read_text()
    assert token not in text
    assert token_hash(token) in text
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in read_access_file(file).token] == ["mira", "mira"]
    assert read_access_file(file).token[0].expires == datetime(2030, 1, 2, tzinfo=UTC)
    assert revoke_tokens(file, token_hash(other)[:8]) == 1
    assert [entry.sha256 for entry in read_access_file(file).token] == [token_hash(token)]
    assert revoke_tokens(file, "nobody") == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[tokens]]\n", 'tokens: unknown field; did you mean "token"?'),
        ('[[token]]\nname = "a"\nroles = ["rendr"]\nsha256 = "%s"\n' % ("0" * 64), 'did you mean "render"?'),
        ('[[token]]\nname = "a b"\nroles = ["render"]\nsha256 = "%s"\n' % ("0" * 64), "such as mira or farm-01"),
        ('[[token]]\nname = "a"\nroles = ["render"]\nsha256 = "secret"\n', "64 lower-case hexadecimal digits"),
        ('[[token]]\nname = "a"\nroles = []\nsha256 = "%s"\n' % ("0" * 64), "token[0].roles"),
    ],
)
def test_a_wrong_access_file_is_told_by_field(file: Path, text: str, message: str) -> None:
    file.touch(0o600)
    file.write_text('schema = "understudy.access/1"\n' + text)
    with pytest.raises(UsageError) as caught:
        Access(AccessSettings(file=file))
    assert message in str(caught.value)


def test_a_missing_or_open_access_file_is_refused(file: Path) -> None:
    with pytest.raises(UsageError, match="the access file can't be read"):
        Access(AccessSettings(file=file))
    add_token(file, "mira", ("render",))
    for mode in (0o604, 0o602, 0o620):
        file.chmod(mode)
        with pytest.raises(UsageError, match="others can read or change the access file"):
            Access(AccessSettings(file=file))
    file.chmod(0o640)  # its group may read: a key's group is how services share one
    Access(AccessSettings(file=file))


def test_credentials_come_from_the_environment(tmp_path: Path) -> None:
    assert Credentials.from_environment({}) == Credentials()
    assert Credentials.from_environment({"UNDERSTUDY_TLS": "0", "UNDERSTUDY_TLS_CA": "x"}).tls is False
    assert Credentials.from_environment({"UNDERSTUDY_TLS_CA": "x"}).tls is True


def test_a_guest_learns_no_path_of_the_machine_and_the_log_does(
    service: Service,
    engine: FakeEngine,
    file: Path,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(access_module, "is_local", lambda _peer: False)
    caplog.set_level(logging.INFO, "understudy.service")
    engine.failure = PackError("can't be read", where="/srv/packs/lanczos/model.onnx", fix="see /srv/log")
    guest, chief = (client(service.address, add_token(file, role, (role,))) for role in ("render", "admin"))
    with pytest.raises(PackError, match=r"^model\.onnx: can't be read; see log$"):
        guest.run(make_request("fail"))
    with pytest.raises(PackError, match=r"^/srv/packs/lanczos/model\.onnx: can't be read; see /srv/log$"):
        chief.run(make_request("fail"))
    assert "/packs" not in repr(guest.info())
    assert chief.info() == engine.info()
    problems = [record.__dict__["fields"].get("problem") for record in caplog.records if record.message == "run"]
    assert problems == ["/srv/packs/lanczos/model.onnx: can't be read; see /srv/log"] * 2


def test_a_stranger_s_single_message_is_not_read_either(file: Path) -> None:
    """It may be as large as the largest that any protocol on the port takes."""
    add_token(file, "mira", ("render",))
    read: list[int] = []

    def deserialize(data: bytes) -> bytes:
        read.append(len(data))
        return data

    method = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"done", request_deserializer=deserialize)
    server = grpc.server(
        ThreadPoolExecutor(2),
        handlers=(grpc.method_handlers_generic_handler("a", {"b": method}),),
        interceptors=(Access(AccessSettings(file=file)).interceptor(),),
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    token = add_token(file, "chief", ("render",))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/a/b")
        for metadata in ((), (("authorization", "Bearer ust_wrong"),)):
            with pytest.raises(grpc.RpcError) as caught:
                call(bytes(3 << 20), timeout=20, metadata=metadata)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert read == []
        assert call(bytes(1000), timeout=20, metadata=(("authorization", f"Bearer {token}"),)) == b"done"
    assert read == [1000]
    server.stop(None).wait()
