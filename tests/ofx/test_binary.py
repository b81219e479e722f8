# SPDX-License-Identifier: Apache-2.0
"""What the plug-in's binary shows to others, and what it needs."""

import re
import subprocess
from pathlib import Path

import pytest

from understudy.graph.pins import DEFAULT_PACKS

pytestmark = pytest.mark.ofx
SOURCES = Path(__file__).resolve().parents[2] / "host_bridge" / "ofx"


def test_only_the_entry_points_are_exported(binary: Path) -> None:
    symbols = subprocess.run(["nm", "-D", "--defined-only", binary], capture_output=True, text=True, check=True).stdout
    assert {line.split()[-1] for line in symbols.splitlines()} == {
        "OfxGetNumberOfPlugins",
        "OfxGetPlugin",
        "OfxSetHost",
    }


def test_it_needs_libc_alone(binary: Path) -> None:
    needed = subprocess.run(["readelf", "-d", binary], capture_output=True, text=True, check=True).stdout
    libraries = set(re.findall(r"NEEDED.*\[(.+)\]", needed))
    assert libraries <= {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}  # all of them parts of glibc
    assert "libc.so.6" in libraries


@pytest.mark.timeout(900)
def test_wire_decoders_survive_a_fuzzer(sanitized_build: Path) -> None:
    done = subprocess.run([sanitized_build / "fuzz_wire", "100000"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    counts = re.findall(r"^(\w+): (\d+) read, (\d+) refused$", done.stdout, re.MULTILINE)
    assert [name for name, _, _ in counts] == ["Run", "ShareMemory", "Info", "status", "JSON"]
    assert sum(int(read) + int(refused) for _, read, refused in counts) == 100_000
    assert all(int(read) for _, read, _ in counts)


def test_default_packs_are_those_of_the_command_line() -> None:
    text = "".join(path.read_text() for path in (SOURCES / "src" / "nodes").glob("*.cpp"))
    named = dict(re.findall(r'PackKnobs one\("\w+", "(\w+)", "[\w ]+", "([\w-]+)"\)', text))
    assert named == {role.value: pack for role, pack in DEFAULT_PACKS.items()}


def test_no_file_is_longer_than_a_person_reads() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in SOURCES.rglob("*.cpp")}
    assert max(lengths.values()) <= 400
