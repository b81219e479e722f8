# SPDX-License-Identifier: Apache-2.0
"""``understudy provenance`` as people and programs call it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from unit.provenance.authorities import Authority
from unit.provenance.shots import write_shot

pytestmark = pytest.mark.e2e


def understudy(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "understudy", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def events(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graded shot on record, its rights from a file."""
    folder = tmp_path_factory.mktemp("Aufnahme 7")
    source = write_shot(folder / "in", range(1001, 1004))
    rights = folder / "rights.yaml"
    rights.write_text("talent: true\nuse: final\nconsent: [urn:consent:1]\napproval: A-12\n")
    done = understudy("interpolate", source, folder / "out/r.%04d.exr", "--speed", "0.5", "--rights", rights)
    assert done.returncode == 0, done.stderr
    return folder


def test_show_tells_a_person_and_a_program(shot: Path) -> None:
    done = understudy("provenance", "show", shot / "out")
    assert done.returncode == 0, done.stderr
    for text in ("1002,1004: synthesized", "Apache-2.0, not learned", "A-12", "urn:consent:1", "not signed"):
        assert text in done.stdout
    (event,) = events(understudy("provenance", "show", shot / "out", "--json"))
    assert (event["event"], event["schema"], event["rights"]["use"]) == ("record", "understudy.record/1", "final")


def test_verify_ends_with_a_summary_and_an_exit_code(shot: Path, tmp_path: Path) -> None:
    done = understudy("provenance", "verify", shot / "out", "--json")
    assert done.returncode == 0, done.stdout
    assert events(done) == [
        {"event": "verified", "frames": 5, "errors": 0, "warnings": 0, "signed": False, "trusted": False}
    ]
    (tmp_path / "out").mkdir()
    for path in (shot / "out").iterdir():
        if path.is_file():
            (tmp_path / "out" / path.name).write_bytes(path.read_bytes()[: 999 if path.name == "r.1002.exr" else None])
    done = understudy("provenance", "verify", tmp_path / "out", "--json")
    assert done.returncode == 5
    told = events(done)
    assert {event["check"] for event in told[:-1]} == {"frame-unreadable", "list-missing"}
    assert set(told[0]) == {"event", "check", "severity", "file", "frame", "problem", "fix"}
    person = understudy("provenance", "verify", tmp_path / "out")
    assert person.returncode == 5
    assert "error  frame-unreadable  r.1002.exr: " in person.stdout


def test_sign_and_trust(shot: Path, tmp_path: Path) -> None:
    pytest.importorskip("c2pa")
    authority = Authority(tmp_path, "studio")
    identity = authority.signer("signer")
    command = ("provenance", "sign", shot / "out", "--certificate", identity.certificate, "--key", identity.key)
    (event,) = events(understudy(*command, "--json"))
    assert event["signed"] is True
    done = understudy("provenance", "verify", shot / "out", "--trust", authority.file, "--json")
    assert (done.returncode, events(done)[-1]["signed"], events(done)[-1]["trusted"]) == (0, True, True)
    identity.key.chmod(0o640 | 0o004)
    refused = understudy(*command)
    assert refused.returncode == 2
    assert "others can read" in refused.stderr
    assert understudy("provenance", "sign", shot / "out", "--key", identity.key).returncode == 2


def test_diff_says_what_changed(shot: Path) -> None:
    source = str(shot / "in/plate.%04d.exr")
    assert understudy("interpolate", source, shot / "other/r.%04d.exr", "--speed", "0.25").returncode == 0
    done = understudy("provenance", "diff", shot / "out", shot / "other", "--json")
    told = events(done)
    assert done.returncode == 0
    assert told[-1] == {"event": "compared", "differences": len(told) - 1}
    assert {"operations", "sequence", "rights", "frames"} <= {event["what"] for event in told[:-1]}
    assert "retime.speed: 1/2 -> 1/4" in understudy("provenance", "diff", shot / "out", shot / "other").stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "nothing.json"), 3),
        (("verify", "nothing"), 3),
        (("verify", ".", "--trust", "nothing.pem"), 2),
        (("sign", "nothing.json"), 3),
        (("diff", "a.json", "b.json"), 3),
    ],
)
def test_bad_input_ends_in_a_sentence(arguments: tuple[str, ...], code: int) -> None:
    done = understudy("provenance", *arguments)
    assert done.returncode == code
    assert done.stderr.startswith("understudy: ")
    assert "Traceback" not in done.stderr


def test_wrong_rights_are_refused_before_anything_is_rendered(shot: Path, tmp_path: Path) -> None:
    source = str(shot / "in/plate.%04d.exr")
    rights = tmp_path / "rights.yaml"
    for text, more in (("use: forever", ()), ("talents: true", ()), ("[]", ()), ("talent: true", ("--no-record",))):
        rights.write_text(text)
        done = understudy("upscale", source, tmp_path / "out/r.%04d.exr", "--rights", rights, *more)
        assert done.returncode == 2, done.stderr
        assert not (tmp_path / "out").exists()
    done = understudy("upscale", source, tmp_path / "out/r.%04d.exr", "--no-record", "--frames", "1001")
    assert done.returncode == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["r.1001.exr"]
