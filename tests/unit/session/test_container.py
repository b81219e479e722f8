# SPDX-License-Identifier: Apache-2.0
"""Files that are no sessions, or sessions made to do harm: a sentence, and nothing is written."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from understudy.contracts.errors import InputError, MissingFileError, UnreadableFileError
from understudy.session import container
from understudy.session.container import SessionFile, write_session
from understudy.session.document import Session, parse_session
from unit.session.shot import rewritten

_DOCUMENT = {
    "schema": "understudy.session/1",
    "saved": "2026-01-01T00:00:00+00:00",
    "version": "1",
    "device": "cpu",
    "graph": "${SHOT}/shot.yaml",
    "variables": {"SHOT": {"folder": "/shot"}},
    "ocio": {"name": "ocio://x", "cache_id": "y"},
    "packs": [{"pin": f"lanczos@1.0.0#{'a' * 64}", "final": ["big"]}],
    "inputs": [{"place": "plate", "file": "${SHOT}/p.%04d.exr", "frames": {"1001": "b" * 32}}],
    "outputs": [],
}
_GRAPH = """\
schema: understudy.graph/1
nodes:
  plate: {type: read, file: '${SHOT}/p.%04d.exr'}
  out: {type: write, input: plate, file: '${SHOT}/out/o.%04d.exr'}
"""


@pytest.fixture
def session(tmp_path: Path) -> Path:
    picture = tmp_path / "picture"
    picture.write_bytes(b"pixels" * 1000)
    from blake3 import blake3

    result = {
        "write": "out",
        "quality": "draft",
        "frame": 1001,
        "part": "picture",
        "key": "c" * 32,
        "member": "results/0.exr",
        "size": 6000,
        "content": blake3(picture.read_bytes()).hexdigest()[:32],
    }
    made = parse_session(json.dumps(_DOCUMENT | {"results": [result]}).encode(), "x")
    path = tmp_path / "a.session"
    write_session(path, made, _GRAPH, b"", [(made.results[0], picture)])
    return path


def _set(*place: str | int, to: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for part in place[:-1]:
            document = document[part]
        document[place[-1]] = to

    return change


def test_what_was_written_is_read(session: Path, tmp_path: Path) -> None:
    with SessionFile(session) as file:
        assert isinstance(file.session, Session)
        file.extract(file.session.results[0], tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == (tmp_path / "picture").read_bytes()
    with pytest.raises(MissingFileError):
        SessionFile(tmp_path / "none.session")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_set("schema", to="understudy.session/9"), "schema: .*newer"),
        (_set("sadev", to=1), "sadev: there is no such field"),
        (_set("packs", 0, "pin", to="lanczos"), r"packs\[0\]: a pin is id@version#sha256"),
        (_set("inputs", 0, "frames", "1001", to="zz"), r"inputs\[0\]\.frames\.1001"),
        (_set("inputs", 0, "file", to="${SHOT}/../../etc/x"), r"inputs\[0\]\.file: .* leads out"),
        (_set("graph", to="/etc/passwd"), "graph: .* does not start at"),
        (_set("results", 0, "member", to="../x.exr"), r"results\[0\]\.member"),
        (_set("results", 0, "member", to="results/7.exr"), "results/7.exr is missing"),
        (_set("results", 0, "size", to=5), "is not 5 bytes"),
        (_set("variables", to={}), "graph: "),
    ],
)
def test_a_wrong_document_names_its_field(session: Path, tmp_path: Path, change: Any, says: str) -> None:
    with pytest.raises(UnreadableFileError, match=says):
        SessionFile(rewritten(session, tmp_path / "b.session", session=change))


@pytest.mark.parametrize(
    ("old", "new"),
    [("${SHOT}/out", "/root/out"), ("${SHOT}/out", "${SHOT}/../out"), ("type: read", "type: raed"), ("nodes:", "- ["),
     ("nodes:", "frames: &a '1'\nocio: *a\nnodes:")],
)  # fmt: skip
def test_a_wrong_graph_is_refused(session: Path, tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(UnreadableFileError):
        SessionFile(
            rewritten(session, tmp_path / "b.session", graph=lambda text: text.replace(old.encode(), new.encode()))
        )


def test_hostile_zips_are_refused_and_nothing_is_written(
    session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "_LARGEST_CONFIG", 1 << 20)
    bad = tmp_path / "bad" / "b.session"
    bad.parent.mkdir()

    def refused(says: str) -> None:
        with pytest.raises(UnreadableFileError, match=says):
            SessionFile(bad)
        assert list(bad.parent.iterdir()) == [bad]

    def with_member(name: str, content: bytes, how: int = zipfile.ZIP_DEFLATED) -> None:
        bad.write_bytes(session.read_bytes())
        with zipfile.ZipFile(bad, "a") as archive:
            archive.writestr(name, content, how)

    for name in ("../evil", "/tmp/evil", "results/../../evil.exr", "x", "results/0.exr/x"):
        with_member(name, b"")
        refused("it holds")
    with_member("results/1.exr", b"\0" * 100_000)
    refused("is packed")
    with_member("ocio/config.ocio", b"\0" * ((1 << 20) + 1))
    refused("would be")
    with pytest.warns(UserWarning, match="Duplicate"):
        with_member("graph.yaml", b"")
    refused("it holds 'graph.yaml'")
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("session.json", b"[" * 100_000)
    refused("holds no graph.yaml")
    with zipfile.ZipFile(bad, "a") as archive:
        archive.writestr("graph.yaml", b"")
    refused("is no sound session")
    bad.write_bytes(b"")
    refused("is no sound session")


def test_no_cut_and_no_flipped_bit_ends_in_anything_but_a_sentence(session: Path, tmp_path: Path) -> None:
    content, bad, target = session.read_bytes(), tmp_path / "b.session", tmp_path / "back"
    whole = (tmp_path / "picture").read_bytes()
    damaged = [content[:length] for length in range(0, len(content), 211)]
    damaged += [content[:at] + bytes([content[at] ^ 0x41]) + content[at + 1 :] for at in range(0, len(content), 37)]
    refused = 0
    for some in damaged:
        bad.write_bytes(some)
        try:
            with SessionFile(bad) as file:
                file.extract(file.session.results[0], target)
            assert target.read_bytes() == whole
        except InputError:
            refused += 1
            assert not target.exists()
        target.unlink(missing_ok=True)
    assert refused > len(damaged) * 0.8
