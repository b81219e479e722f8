# SPDX-License-Identifier: Apache-2.0
"""Certificates that can't sign are refused, each with its own sentence; chains and time stamps are understood."""

import datetime as dt
import http.server
import io
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from understudy.contracts.errors import UnavailableError, UsageError
from understudy.provenance.certificate import problem_of
from understudy.provenance.content_credentials import Signer, read_anchors, read_manifest
from understudy.provenance.manifest import ingredients_of, manifest_of
from unit.provenance.authorities import Authority, Identity
from unit.provenance.records import record_with

pytest.importorskip("c2pa")

NOW = dt.datetime.now(dt.UTC)
DOCUMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
ASSET = b"{}"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "studio")


def signed(identity: Identity, tsa: str = "") -> bytes:
    record = record_with([1])
    manifest = manifest_of(record, "x", "application/json")
    return Signer(identity.certificate, identity.key, tsa).sign(
        manifest, ingredients_of(record), "application/json", ASSET
    )


def read(manifest: bytes, *authorities: Authority) -> Any:
    anchors = "".join(read_anchors(authority.file) for authority in authorities)
    return read_manifest("application/json", io.BytesIO(ASSET), manifest, anchors)


REFUSED: dict[str, tuple[Callable[[Authority], Identity], str]] = {
    "ended": (lambda a: a.issue("1", start=NOW - dt.timedelta(9), end=NOW - dt.timedelta(1)), "certificate ended on"),
    "not yet": (lambda a: a.issue("2", start=NOW + dt.timedelta(3), end=NOW + dt.timedelta(9)), "is not valid before"),
    "no purpose": (lambda a: a.issue("3", purposes=()), "has no extended key usage"),
    "a server's": (lambda a: a.issue("4", purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), "is serverAuth, so it is not"),
    "any purpose": (lambda a: a.issue("5", purposes=(x509.ObjectIdentifier("2.5.29.37.0"),)), "is 2.5.29.37.0, so"),
    "may not sign": (lambda a: a.issue("6", may_sign=False), "does not have digitalSignature"),
    "an authority's": (lambda a: a.issue("7", is_authority=True, above=()), "is an authority's, which may not sign"),
    "another's chain": (lambda a: a.below("i").issue("8", above=(a.certificate,)), "chain is broken: O=Studio,CN=8"),
    "wrong order": (lambda a: backwards(a.issue("9")), "the chain begins with an authority's certificate"),
}  # fmt: skip


def backwards(identity: Identity) -> Identity:
    mark = b"-----BEGIN"
    parts = [mark + part for part in identity.certificate.read_bytes().split(mark)[1:]]
    identity.certificate.write_bytes(b"".join(reversed(parts)))
    return identity


@pytest.mark.parametrize("what", REFUSED)
def test_a_certificate_that_can_not_sign_is_refused_with_its_sentence(what: str, authority: Authority) -> None:
    make, sentence = REFUSED[what]
    identity = make(authority)
    with pytest.raises(UsageError) as caught:
        signed(identity)
    assert sentence in caught.value.problem
    assert caught.value.fix
    assert caught.value.where == str(identity.certificate)


def test_a_self_signed_one_is_refused(authority: Authority) -> None:
    assert problem_of(authority.file.read_bytes()) == (
        "the certificate is self-signed", "have one issued by an authority of your studio",
    )  # fmt: skip


@pytest.mark.parametrize("purpose", [ExtendedKeyUsageOID.EMAIL_PROTECTION, DOCUMENTS], ids=["mail", "documents"])
def test_both_purposes_that_c2pa_knows_are_taken(purpose: x509.ObjectIdentifier, authority: Authority) -> None:
    assert read(signed(authority.issue("p", purposes=(purpose,))), authority).trusted


def test_an_intermediate_leads_to_the_authority_that_is_trusted(authority: Authority) -> None:
    lower = authority.below("department")
    assert read(signed(lower.issue("artist")), authority).trusted
    assert read(signed(lower.issue("artist", above=(lower.certificate, authority.certificate))), authority).trusted
    lost = read(signed(lower.issue("artist", above=())), authority)
    assert (lost.broken, lost.trusted) == ("", False), "nobody knows who issued it"


@pytest.fixture
def stamps(tmp_path: Path, authority: Authority) -> Iterator[tuple[str, Authority, list[int]]]:
    """A time-stamping authority (RFC 3161) on this machine, its own certificate authority, and what it was asked."""
    openssl = shutil.which("openssl") or ""
    if not openssl:
        pytest.skip("needs openssl")
    own = Authority(tmp_path, "time")
    identity = own.issue("stamps", purposes=(ExtendedKeyUsageOID.TIME_STAMPING,), only_purpose=True, above=())
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "tsa.cnf").write_text(
        f"[tsa]\ndefault_tsa = t\n[t]\nserial = {tmp_path}/serial\nsigner_cert = {identity.certificate}\n"
        f"certs = {own.file}\nsigner_key = {identity.key}\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\n"
        "digests = sha256, sha384, sha512\ness_cert_id_alg = sha256\n"
    )
    asked: list[int] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(len(query))
            (tmp_path / "q").write_bytes(query)
            options = ["-config", str(tmp_path / "tsa.cnf"), "-queryfile", str(tmp_path / "q")]
            reply = subprocess.run([openssl, "ts", "-reply", *options], capture_output=True, check=True).stdout
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            return

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", own, asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_time_stamp_outlives_the_certificate(authority: Authority, stamps: tuple[str, Authority, list[int]]) -> None:
    url, clock, asked = stamps
    ends = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(seconds=3)
    brief = authority.issue("brief", end=ends)
    without, manifest = signed(brief), signed(brief, url)
    assert len(asked) == 1
    told = read(manifest, authority, clock)
    assert told.trusted
    assert told.time.startswith(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}")
    assert read(manifest, authority).time == "", "a clock that nobody trusts tells no time"
    while dt.datetime.now(dt.UTC) <= ends + dt.timedelta(seconds=1):  # it is good to the end of its last second
        time.sleep(0.1)
    assert read(without, authority, clock).expired
    assert read(manifest, authority).expired
    told = read(manifest, authority, clock)
    assert (told.expired, told.trusted, told.broken) == (False, True, "")
    assert len(asked) == 1, "reading asks nobody"


def test_an_authority_that_does_not_answer_is_told_and_nothing_is_signed(authority: Authority) -> None:
    url = "http://127.0.0.1:9/"
    with pytest.raises(UnavailableError, match="nothing was signed: no time stamp came") as caught:
        signed(authority.issue("late"), url)
    assert caught.value.where == url
    with pytest.raises(UsageError, match="is no address"):
        signed(authority.issue("late"), "no address")
