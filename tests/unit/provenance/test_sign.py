# SPDX-License-Identifier: Apache-2.0
"""Signatures: trusted, untrusted, ended, broken; nothing ever looks signed that is not."""

import io
import json
import shutil
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization

from understudy.contracts.errors import UnsupportedFileError, UsageError
from understudy.contracts.shot_rights import ShotRights
from understudy.frames.read import read_plate
from understudy.frames.write import WriteOptions, write_plate
from understudy.provenance import content_credentials
from understudy.provenance.content_credentials import Signer, read_anchors, read_manifest
from understudy.provenance.job import PackEntry
from understudy.provenance.manifest import ingredients_of, manifest_of
from understudy.provenance.record_file import (
    definition_path,
    find_records,
    read_record,
    signature_path,
    write_record,
)
from understudy.provenance.sign import embed_manifest, sign_record
from understudy.provenance.store import write_folder_list
from understudy.provenance.verify import verify
from unit.provenance.authorities import Authority, Identity, make_key, pem
from unit.provenance.shots import grade, render, retime, write_shot

pytest.importorskip("c2pa")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "studio")


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    return authority.signer("signer")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shot")
    render(retime(write_shot(folder / "in", range(1001, 1004)), str(folder / "out" / "r.%04d.exr")))
    return folder


@pytest.fixture
def shot(rendered: Path, tmp_path: Path) -> Path:
    shutil.copytree(rendered, tmp_path / "shot")
    return tmp_path / "shot" / "out"


def record_file(folder: Path) -> Path:
    return find_records(folder)[0]


def sign(folder: Path, identity: Identity) -> Path:
    done = sign_record(record_file(folder), Signer(identity.certificate, identity.key))
    assert done.signed
    assert done.file == signature_path(record_file(folder))
    return done.file


def checks(folder: Path, anchors: Path | None) -> list[tuple[str, str]]:
    verdict = verify(folder, anchors=read_anchors(anchors) if anchors else "")
    return [(finding.check, finding.severity) for finding in verdict.findings]


def test_a_signed_record_is_trusted_under_its_authority(shot: Path, authority: Authority, identity: Identity) -> None:
    manifest = sign(shot, identity)
    verdict = verify(shot, anchors=read_anchors(authority.file))
    assert (verdict.findings, verdict.signed, verdict.trusted) == ([], True, True)
    assert manifest.stat().st_size < 20_000
    assert read_record(record_file(shot)).signed


def test_it_is_valid_and_not_trusted_where_nobody_is(shot: Path, identity: Identity) -> None:
    sign(shot, identity)
    verdict = verify(shot)
    assert [(one.check, one.severity) for one in verdict.findings] == [("signature-untrusted", "warning")]
    assert (verdict.signed, verdict.trusted) == (True, False)


def test_a_signer_of_another_authority_is_not_trusted(shot: Path, identity: Identity, tmp_path: Path) -> None:
    sign(shot, identity)
    assert checks(shot, Authority(tmp_path, "other").file) == [("signature-untrusted", "error")]


def test_an_ended_certificate_signs_nothing(shot: Path, authority: Authority) -> None:
    ended = authority.signer("ended", days=-1)
    with pytest.raises(UsageError, match="the certificate ended on"):
        sign(shot, ended)
    assert not signature_path(record_file(shot)).exists()
    assert not read_record(record_file(shot)).signed
    assert checks(shot, authority.file) == []


def test_a_certificate_that_ends_later_is_told(shot: Path, authority: Authority) -> None:
    brief = authority.signer("brief", days=0, seconds=3)
    sign(shot, brief)
    time.sleep(4.3)  # a certificate's times are whole seconds
    assert [check for check, _ in checks(shot, authority.file)] == ["signature-expired"]


def test_every_frame_is_under_the_signature(shot: Path, authority: Authority, identity: Identity) -> None:
    """A forger who rewrites record and hash list so that they fit is caught by the signature."""
    sign(shot, identity)
    path = record_file(shot)
    write_record(read_record(path).model_copy(update={"rights": ShotRights(use="final", approval="A-1")}), path)
    write_folder_list(shot)
    assert checks(shot, authority.file) == [("signature-broken", "error")]


def test_an_edited_record_is_told_once(shot: Path, authority: Authority, identity: Identity) -> None:
    sign(shot, identity)
    path = record_file(shot)
    path.write_bytes(path.read_bytes().replace(b'"temporary"', b'"final"'))
    assert checks(shot, authority.file) == [("record-altered", "error")]


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
def test_a_damaged_manifest_is_broken(damage: str, shot: Path, authority: Authority, identity: Identity) -> None:
    path = sign(shot, identity)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flipped": bytes(content), "cut": bytes(content[:500]), "empty": b""}[damage])
    assert checks(shot, authority.file) == [("signature-broken", "error")]


def test_a_removed_manifest_is_missed(shot: Path, authority: Authority, identity: Identity) -> None:
    sign(shot, identity).unlink()
    assert checks(shot, authority.file) == [("signature-missing", "error")]


def test_a_manifest_beside_an_unsigned_record_is_broken(shot: Path, authority: Authority, identity: Identity) -> None:
    kept = record_file(shot).read_bytes()
    sign(shot, identity)
    record_file(shot).write_bytes(kept)
    write_folder_list(shot)
    assert checks(shot, authority.file) == [("signature-broken", "error")]


def test_a_render_after_it_takes_the_signature_away(rendered: Path, shot: Path, identity: Identity) -> None:
    sign(shot, identity)
    told: list[dict[str, Any]] = []
    document = retime(str(rendered / "in/plate.%04d.exr"), str(shot / "r.%04d.exr"))
    render(document, frames="1002", listener=told.append)
    assert not signature_path(record_file(shot)).exists()
    assert not read_record(record_file(shot)).signed
    assert any("sign it again" in event.get("message", "") for event in told)
    assert checks(shot, None) == []


def test_without_a_signer_the_definition_says_that_it_is_unsigned(shot: Path) -> None:
    done = sign_record(record_file(shot), None)
    assert not done.signed
    document = json.loads(definition_path(record_file(shot)).read_bytes())
    assert document["signed"] is False
    assert document["assertions"][0]["label"] == "c2pa.actions.v2"
    verdict = verify(shot)
    assert (verdict.findings, verdict.signed) == ([], False)


def test_without_the_library_a_signature_is_unchecked(
    shot: Path, identity: Identity, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(shot, identity)
    monkeypatch.setattr("understudy.provenance.signature_checks.is_available", lambda: False)
    assert checks(shot, authority.file) == [("signature-unchecked", "warning")]
    monkeypatch.setattr(content_credentials, "is_available", lambda: False)
    with pytest.raises(UsageError, match="not installed"):
        Signer(identity.certificate, identity.key)


def test_classical_packs_disclose_nothing_and_learned_ones_do(shot: Path) -> None:
    record = read_record(record_file(shot))
    labels = [one["label"] for one in manifest_of(record, "x", "application/json")["assertions"]]
    assert labels == ["c2pa.actions.v2", "cawg.training-mining", "org.understudy.record"]
    (name, job) = next(iter(record.jobs.items()))
    learned = PackEntry(pin="net@1.0.0#" + "0" * 64, role="upscale", title="Net", training_basis="licensed")
    with_net = record.model_copy(update={"jobs": {name: job.model_copy(update={"packs": (learned,)})}})
    document = manifest_of(with_net.model_copy(update={"rights": ShotRights(do_not_train=False)}), "x", "y")
    found = {one["label"]: one["data"] for one in document["assertions"]}
    assert found["c2pa.ai-disclosure"]["modelIdentifier"] == "pkg:generic/net@1.0.0"
    assert "cawg.training-mining" not in found


def test_a_manifest_holds_no_path(shot: Path) -> None:
    record = read_record(record_file(shot))
    text = json.dumps(manifest_of(record, "x", "y")) + str(ingredients_of(record))
    assert str(shot.parent) not in text
    assert "/plate" not in text
    assert "plate.1001.exr" in text


@pytest.mark.parametrize("kind", ["p384", "ed25519", "rsa"])
def test_other_kinds_of_keys_sign(kind: str, shot: Path, authority: Authority) -> None:
    sign(shot, authority.signer(kind, kind=kind))
    assert checks(shot, authority.file) == []


def test_wrong_keys_are_refused_and_never_told(shot: Path, identity: Identity, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"

    def refused(content: bytes, mode: int, match: str) -> None:
        key.write_bytes(content)
        key.chmod(mode)
        with pytest.raises(UsageError, match=match) as caught:
            sign_record(record_file(shot), Signer(identity.certificate, key))
        secrets = [line for line in content.decode("ascii", "replace").splitlines() if len(line) > 40]
        assert not any(secret in f"{caught.value}{caught.value.fix}" for secret in secrets)

    good = identity.key.read_bytes()
    refused(good, 0o644, "others can read")
    refused(b"nonsense", 0o600, "PKCS #8")
    refused(pem(make_key(), serialization.PrivateFormat.TraditionalOpenSSL), 0o600, "PKCS #8")
    refused(pem(make_key()), 0o600, "does not hold")
    assert checks(shot, None) == []
    with pytest.raises(UsageError, match="no certificate"):
        Signer(identity.key, identity.key)
    with pytest.raises(UsageError, match="can't be read"):
        Signer(tmp_path / "none", identity.key)


def picture(shot: Path, path: Path) -> Path:
    plate = read_plate(shot / "r.1002.exr", frame=1002, colorspace="ACEScg").only(("R", "G", "B"))
    write_plate(plate, path, WriteOptions(sample_type="uint8"))
    return path


def movie(path: Path) -> Path:
    av = pytest.importorskip("av")
    codec, kind = ("prores_ks", "yuv422p10le") if path.suffix == ".mov" else ("mpeg4", "yuv420p")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = 64, 48, kind
        for value in range(8):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), value * 20, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tif", "x.mp4", "x.mov"])
def test_review_files_carry_their_manifest(
    name: str, shot: Path, authority: Authority, identity: Identity, tmp_path: Path
) -> None:
    path = tmp_path / name
    movie(path) if name in ("x.mp4", "x.mov") else picture(shot, path)
    embed_manifest(path, read_record(record_file(shot)), Signer(identity.certificate, identity.key))
    media_type = content_credentials.media_type_of(path)
    found = read_manifest(media_type, io.BytesIO(path.read_bytes()), None, read_anchors(authority.file))
    assert (found.trusted, found.broken, found.signer) == (True, "", "signer of Studio")
    labels = {one["label"] for one in found.definition["assertions"]}
    assert {"c2pa.actions.v2", "org.understudy.record"} <= labels
    content = bytearray(path.read_bytes())
    content[content.index(b"mdat") + 64 if name == "x.mov" else -30] ^= 1
    assert read_manifest(media_type, io.BytesIO(content), None, read_anchors(authority.file)).broken
    if name in ("x.mp4", "x.mov"):
        import av

        with av.open(str(path)) as played:
            assert sum(1 for _ in played.decode(video=0)) == 8, "it plays as before"


def test_frames_take_no_manifest(shot: Path, identity: Identity) -> None:
    before = (shot / "r.1002.exr").read_bytes()
    with pytest.raises(UnsupportedFileError):
        embed_manifest(shot / "r.1002.exr", read_record(record_file(shot)), Signer(identity.certificate, identity.key))
    assert (shot / "r.1002.exr").read_bytes() == before


def test_a_still_can_be_signed(tmp_path: Path, authority: Authority, identity: Identity) -> None:
    source = write_shot(tmp_path / "in", range(1, 2))
    render(grade(source.replace("%04d", "1"), str(tmp_path / "out/still.exr")))
    sign(tmp_path / "out", identity)
    assert checks(tmp_path / "out", authority.file) == []
