# SPDX-License-Identifier: Apache-2.0
"""Versions appear whole or not at all, whoever is killed and however many publish at once."""

import errno
import fcntl
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xxhash import xxh3_128

import understudy
from understudy.contracts.errors import (
    MissingFileError,
    OutputError,
    QualityGateError,
    UnavailableError,
    UsageError,
)
from understudy.provenance.mhl import c4_id, read_list
from understudy.publish import integrate as module
from understudy.publish.integrate import integrate, next_version
from understudy.publish.listing import Listing, Representation, read_listing, read_version

_KILLS = Path(__file__).with_name("killed_publishes.py")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Three frames, a record and a movie."""
    folder = tmp_path / "work"
    (folder / "review").mkdir(parents=True)
    for frame in (1001, 1002, 1003):
        (folder / f"comp.{frame}.exr").write_bytes(b"pixels of %d" % frame * 3000)
    (folder / "comp.1001-1003.provenance.json").write_bytes(b"{}")
    (folder / "review" / "comp.mp4").write_bytes(b"movie" * 2000)
    return folder


def _listing(work: Path, **data: Any) -> Listing:
    return Listing.model_validate(
        {
            "name": "sh010_comp",
            "representations": [
                {
                    "name": "exr",
                    "ext": "exr",
                    "files": sorted(path.name for path in work.glob("*.exr")),
                    "stagingDir": str(work),
                    "frameStart": 1001,
                    "frameEnd": 1003,
                },
                {"name": "provenance", "files": "comp.1001-1003.provenance.json", "stagingDir": str(work)},
                {
                    "name": "h264",
                    "files": "comp.mp4",
                    "stagingDir": str(work / "review"),
                    "folder": "review",
                    "derived": True,
                },
            ],
            "data": data,
        }
    )


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_version_holds_the_files_and_says_so(work: Path, tmp_path: Path) -> None:
    done = integrate(_listing(work, fps=24.0), tmp_path / "root")
    assert done.folder == tmp_path / "root" / "sh010_comp" / "v001"
    assert not done.already
    (hash_list,) = (done.folder / "ascmhl").glob("0001_sh010_comp_v001_*Z.mhl")
    assert _names(done.folder) == [
        f"ascmhl/{hash_list.name}",
        "ascmhl/ascmhl_chain.xml",
        "comp.1001-1003.provenance.json",
        "comp.1001.exr",
        "comp.1002.exr",
        "comp.1003.exr",
        "review/comp.mp4",
        "version.json",
    ]
    for name in ("comp.1002.exr", "review/comp.mp4"):
        assert (done.folder / name).read_bytes() == (work / name).read_bytes()
    told = json.loads((done.folder / "version.json").read_bytes())
    assert (told["schema"], told["version"], told["data"]) == ("understudy.version/1", 1, {"fps": 24.0})
    exr = told["representations"][0]
    assert (exr["files"], exr["frameStart"], exr["frameEnd"]) == (
        ["comp.1001.exr", "comp.1002.exr", "comp.1003.exr"],
        1001,
        1003,
    )
    assert told["representations"][1]["files"] == "comp.1001-1003.provenance.json"
    assert read_version(done.folder) == done.version
    assert _entries(done.folder.parent) == ["v001"]


def test_the_hash_list_of_a_version_covers_exactly_its_files(work: Path, tmp_path: Path) -> None:
    (work / "ascmhl").mkdir()
    (work / "ascmhl" / "0001_work_2026-01-01_000000Z.mhl").write_text("it names files of others")
    copied = {"name": "hashlist", "files": "0001_work_2026-01-01_000000Z.mhl", "folder": "ascmhl"}
    ours = _listing(work).representations
    theirs = Representation.model_validate(copied | {"stagingDir": str(work / "ascmhl")})
    listing = _listing(work).model_copy(update={"representations": (*ours, theirs)})
    done = integrate(listing, tmp_path / "root")
    found = read_list(done.folder)
    assert found is not None
    assert sorted(found.files) == [name for name in _names(done.folder) if not name.startswith("ascmhl/")]
    for name, listed in found.files.items():
        content = (done.folder / name).read_bytes()
        assert listed.size == len(content)
        assert listed.value == (c4_id(content) if listed.kind == "c4" else xxh3_128(content).hexdigest())
    assert [one.name for one in done.version.representations] == ["exr", "provenance", "h264", "hashlist"]
    assert set(done.version.representations[-1].files) == {found.path.name, "ascmhl_chain.xml"}
    assert integrate(_listing(work), tmp_path / "root").already, "the list does not make a version"


def test_a_version_can_not_be_written_by_accident(work: Path, tmp_path: Path) -> None:
    done = integrate(_listing(work), tmp_path / "root")
    for name in _names(done.folder):
        assert stat.S_IMODE((done.folder / name).stat().st_mode) == 0o444
    before = (done.folder / "comp.1001.exr").read_bytes()
    with (work / "comp.1001.exr").open("r+b") as file:  # in place, as a careless program does
        file.write(b"new")
    assert (done.folder / "comp.1001.exr").read_bytes() == before


def test_the_same_content_is_the_same_version(work: Path, tmp_path: Path) -> None:
    first = integrate(_listing(work), tmp_path / "root")
    (work / "review" / "comp.mp4").write_bytes(b"encoded again")  # it is derived
    again = integrate(_listing(work), tmp_path / "root")
    assert (again.already, again.folder) == (True, first.folder)
    (work / "comp.1002.exr").write_bytes(b"another picture")
    third = integrate(_listing(work), tmp_path / "root")
    assert (third.already, third.folder.name) == (False, "v002")


def test_going_back_to_an_older_content_is_a_new_version(work: Path, tmp_path: Path) -> None:
    before = (work / "comp.1002.exr").read_bytes()
    for content, name in ((before, "v001"), (b"other", "v002"), (before, "v003")):
        (work / "comp.1002.exr").write_bytes(content)
        assert integrate(_listing(work), tmp_path / "root").folder.name == name


def test_numbers_go_on_after_the_highest_even_over_gaps_and_strangers(work: Path, tmp_path: Path) -> None:
    home = tmp_path / "root" / "sh010_comp"
    for name in ("v001", "v0007", "notes"):
        (home / name).mkdir(parents=True)
    assert next_version(home) == 8
    assert integrate(_listing(work), tmp_path / "root").folder.name == "v008"
    assert _entries(home) == ["notes", "v0007", "v001", "v008"]


def test_hard_links_share_the_bytes_and_leave_the_mode_alone(work: Path, tmp_path: Path) -> None:
    mode = (work / "comp.1001.exr").stat().st_mode
    done = integrate(_listing(work), tmp_path / "root", how="link")
    assert (done.folder / "comp.1001.exr").samefile(work / "comp.1001.exr")
    assert (work / "comp.1001.exr").stat().st_mode == mode


def test_without_hard_links_it_copies(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    done = integrate(_listing(work), tmp_path / "root", how="link")
    assert not (done.folder / "comp.1001.exr").samefile(work / "comp.1001.exr")
    assert (done.folder / "comp.1001.exr").read_bytes() == (work / "comp.1001.exr").read_bytes()


def test_a_name_that_is_taken_while_staging_gives_the_next(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, home = module._rename_new, tmp_path / "root" / "sh010_comp"

    def late(source: Path, target: Path) -> bool:
        monkeypatch.setattr(module, "_rename_new", rename)
        target.mkdir()  # somebody reserved it; even an empty folder is theirs
        return rename(source, target)

    monkeypatch.setattr(module, "_rename_new", late)
    assert integrate(_listing(work), tmp_path / "root").folder.name == "v002"
    assert _entries(home / "v001") == []


def test_a_number_that_is_burnt_in_is_kept_or_refused(work: Path, tmp_path: Path) -> None:
    assert integrate(_listing(work), tmp_path / "root", expected=1).folder.name == "v001"
    (work / "comp.1001.exr").write_bytes(b"new")
    with pytest.raises(UnavailableError, match="v001 was taken by another publish"):
        integrate(_listing(work), tmp_path / "root", expected=1)
    assert _entries(tmp_path / "root" / "sh010_comp") == ["v001"]


def test_a_file_that_is_not_the_checked_one_is_refused(work: Path, tmp_path: Path) -> None:
    listing = _listing(work)
    first = listing.representations[0].model_copy(update={"blake3": {"comp.1002.exr": "0" * 64}})
    with pytest.raises(QualityGateError, match="not the file that was checked"):
        integrate(listing.model_copy(update={"representations": (first,)}), tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_a_missing_file_is_refused(work: Path, tmp_path: Path) -> None:
    listing = _listing(work)
    (work / "comp.1003.exr").unlink()
    with pytest.raises(MissingFileError, match="is to be published and is not there"):
        integrate(listing, tmp_path / "root")


def test_two_files_of_one_name_are_refused(work: Path, tmp_path: Path) -> None:
    listing, other = _listing(work), work.with_name("other")
    shutil.copytree(work, other)
    two = (listing.representations[0], _listing(other).representations[0])
    twice = listing.model_copy(update={"representations": two})
    with pytest.raises(UsageError, match=r"two files of the version would be comp\.1001\.exr"):
        integrate(twice, tmp_path / "root")


def test_layers_of_the_same_files_are_representations_of_their_own(work: Path, tmp_path: Path) -> None:
    listing = _listing(work)
    layer = listing.representations[0].model_copy(update={"name": "confidence", "channels": ("confidence.Y",)})
    done = integrate(
        listing.model_copy(update={"representations": (*listing.representations, layer)}), tmp_path / "root"
    )
    assert len(_names(done.folder)) == 8
    assert done.version.representations[-2].channels == ("confidence.Y",)


@pytest.mark.parametrize("folder", ["..", "a/../../b", "/tmp"])
def test_a_representation_stays_inside(folder: str, tmp_path: Path) -> None:
    path = tmp_path / "listing.json"
    one = {"name": "exr", "files": "a.exr", "folder": folder}
    path.write_text(json.dumps({"schema": "understudy.listing/1", "name": "a", "representations": [one]}))
    with pytest.raises(UsageError, match="name a folder inside the version"):
        read_listing(path)


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_files_are_plain_names(name: str) -> None:
    with pytest.raises(ValueError, match="is no file name"):
        Representation(name="exr", files=name)


def test_a_full_disk_leaves_nothing(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("understudy.publish.staging.shutil.copyfileobj", full)
    monkeypatch.setattr("understudy.publish.staging.fcntl.ioctl", full)
    with pytest.raises(OutputError, match="the disk is full"):
        integrate(_listing(work), tmp_path / "root")
    assert _entries(tmp_path / "root" / "sh010_comp") == []


@pytest.fixture
def memory_folder() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of syncs to a disk would take most of the test's time."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if os.access(shm, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.mark.parametrize("how", ["copy", "link"])
def test_a_kill_at_any_step_shows_no_half_version_and_is_completed(work: Path, memory_folder: Path, how: str) -> None:
    work = Path(shutil.copytree(work, memory_folder / "work"))
    listing, scratch = memory_folder / "listing.json", memory_folder / "scratch"
    listing.write_text(_listing(work).model_dump_json(by_alias=True))
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, str(_KILLS), str(listing), str(scratch), how],
        env=os.environ | {"PYTHONPATH": str(Path(understudy.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["problems"] == []
    assert told["kills"] > 40
    assert told["with_staged_files"] > 10, "no kill left anything to take over"


_PUBLISH = """
import sys
from pathlib import Path
from understudy.publish.integrate import integrate
from understudy.publish.listing import read_listing
print("ready", flush=True)
sys.stdin.readline()
print(integrate(read_listing(Path(sys.argv[1])), Path(sys.argv[2])).folder.name)
"""


def _publisher(listing: Path, root: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PUBLISH, str(listing), str(root)],
        env=os.environ | {"PYTHONPATH": str(Path(understudy.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_publishers_at_once_get_a_version_each(work: Path, tmp_path: Path) -> None:
    processes = []
    for index in range(4):
        (work / "comp.1001-1003.provenance.json").write_text(json.dumps({"artist": index}))
        own = work.with_name(f"work{index}")
        own.mkdir()
        for path in work.glob("comp.*"):
            (own / path.name).write_bytes(path.read_bytes())
        (own / "review").mkdir()
        (own / "review" / "comp.mp4").write_bytes(b"m")
        listing = tmp_path / f"{index}.json"
        listing.write_text(_listing(own).model_dump_json(by_alias=True))
        processes.append(_publisher(listing, tmp_path / "root"))
    told = [process.communicate("go\n", timeout=60)[0].strip() for process in _all_go(processes)]
    assert sorted(told) == ["v001", "v002", "v003", "v004"]
    home = tmp_path / "root" / "sh010_comp"
    assert _entries(home) == ["v001", "v002", "v003", "v004"]
    assert len({read_version(home / name).digest for name in told}) == 4


def _all_go(processes: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def test_random_kills_of_a_large_publish_end_in_one_whole_version(work: Path, tmp_path: Path) -> None:
    for frame in range(1004, 1030):
        (work / f"comp.{frame}.exr").write_bytes(random.Random(frame).randbytes(400_000))
    listing, root = tmp_path / "listing.json", tmp_path / "root"
    listing.write_text(_listing(work).model_dump_json(by_alias=True))
    seed = random.Random(20)
    for _ in range(6):
        process = _publisher(listing, root)
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(seed.uniform(0.0, 0.08))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        shown = [name for name in _entries(root / "sh010_comp") if name[0] != "."] if root.exists() else []
        for name in shown:
            assert len(_names(root / "sh010_comp" / name)) == 34
    assert integrate(read_listing(listing), root).folder.name == "v001"
    assert _entries(root / "sh010_comp") == ["v001"]


def test_a_living_publisher_is_left_alone(work: Path, tmp_path: Path) -> None:
    home = tmp_path / "root" / "sh010_comp"
    home.mkdir(parents=True)
    journal = home / ".understudy-publish-0123456789abcdef.journal"
    journal.with_suffix("").mkdir()
    with journal.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        integrate(_listing(work), tmp_path / "root")
        assert journal.exists()
        assert journal.with_suffix("").is_dir()
    (work / "comp.1001.exr").write_bytes(b"new")
    integrate(_listing(work), tmp_path / "root")
    assert _entries(home) == ["v001", "v002"]
