# SPDX-License-Identifier: Apache-2.0
"""Every single change is caught by exactly the check that is meant for it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from understudy.contracts.errors import MissingFileError
from understudy.frames.pixel_hash import pixel_hash
from understudy.frames.read import read_plate
from understudy.frames.write import WriteOptions, write_plate
from understudy.provenance.mhl import CHAIN, Listed, c4_id, write_list
from understudy.provenance.record import Record
from understudy.provenance.record_file import find_records, read_record, record_bytes
from understudy.provenance.store import write_folder_list
from understudy.provenance.verify import verify
from unit.provenance.shots import grade, render, retime, write_shot

FRAME = "r.1002.exr"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A retime of three frames, five frames long, and beside it another render."""
    folder = tmp_path_factory.mktemp("Schnitt 日本")
    source = write_shot(folder / "in", range(1001, 1004))
    render(retime(source, str(folder / "out" / "r.%04d.exr")))
    render(grade(source, str(folder / "other" / "r.%04d.exr")))
    return folder


@pytest.fixture
def shot(rendered: Path, tmp_path: Path) -> Path:
    """A copy of the render, to be tampered with."""
    shutil.copytree(rendered, tmp_path / "shot")
    return tmp_path / "shot" / "out"


def checks(folder: Path) -> dict[str, int]:
    """Check to how many findings."""
    found: dict[str, int] = {}
    for finding in verify(folder).findings:
        found[finding.check] = found.get(finding.check, 0) + 1
    return found


def rewrite(path: Path, change: Callable[[oiio.ImageBuf], None]) -> None:
    """Has the picture library write a file anew, as a host would."""
    buffer = oiio.ImageBuf(str(path))
    buffer.read(0, 0, True)
    change(buffer)
    assert buffer.write(str(path)), buffer.geterror()


def record_file(folder: Path) -> Path:
    return find_records(folder)[0]


def edit_record(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = record_file(folder)
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


def resign_list(folder: Path) -> None:
    """Does what a forger would who knows how the hash list is written."""
    write_folder_list(folder)


def edit_pixel(folder: Path) -> None:
    rewrite(folder / FRAME, lambda buffer: buffer.setpixel(5, 5, 0, (0.5, 0.5, 0.5, 1.0, 1.0)))


def put_nan(folder: Path) -> None:
    def change(buffer: oiio.ImageBuf) -> None:
        buffer.setpixel(0, 0, 0, (float("nan"), *buffer.getpixel(0, 0)[1:]))

    rewrite(folder / FRAME, change)


def move_window(folder: Path) -> None:
    def change(buffer: oiio.ImageBuf) -> None:
        buffer.set_origin(1, 0)

    rewrite(folder / FRAME, change)


def attribute(name: str, value: object) -> Callable[[Path], None]:
    return lambda folder: rewrite(folder / FRAME, lambda buffer: buffer.specmod().attribute(name, value))


def recompress(folder: Path) -> None:
    rewrite(folder / FRAME, lambda buffer: buffer.specmod().attribute("compression", "piz"))


def tile(folder: Path) -> None:
    path = folder / FRAME
    buffer = oiio.ImageBuf(str(path))
    buffer.read(0, 0, True)
    buffer.set_write_tiles(16, 16)
    assert buffer.write(str(path))


def append(folder: Path) -> None:
    with (folder / FRAME).open("ab") as file:
        file.write(b"\0")


def cut(folder: Path) -> None:
    path = folder / FRAME
    path.write_bytes(path.read_bytes()[:-200])


def other_job(folder: Path) -> None:
    shutil.copy(folder.parent / "other" / FRAME, folder / FRAME)


def swap_frames(folder: Path) -> None:
    (folder / FRAME).rename(folder / "x")
    (folder / "r.1004.exr").rename(folder / FRAME)
    (folder / "x").rename(folder / "r.1004.exr")


def forge_frame(folder: Path) -> None:
    """The entry in the list is another one, and the chain fits."""
    path = record_file(folder)
    record = read_record(path)
    listed = [Listed(file.file, file.size, "xxh128", file.xxh128) for file in record.files]
    listed[1] = Listed(listed[1].path, listed[1].size, "xxh128", "0" * 32)
    content = path.read_bytes()
    write_list(folder, [*listed, Listed(path.name, len(content), "c4", c4_id(content))])


def swap_record(folder: Path) -> None:
    """The record of another render of pictures of the same name, and a list that fits."""
    path = record_file(folder)
    path.write_bytes(record_file(folder.parent / "other").read_bytes())
    write_folder_list(folder)


def forge_summary(folder: Path) -> None:
    edit_record(folder, lambda document: document["quality"].update(synthesized=0))
    resign_list(folder)


def forge_graph(folder: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        for job in document["jobs"].values():
            job["graph"]["document"]["nodes"]["slow"]["speed"] = "1/4"

    edit_record(folder, change)
    resign_list(folder)


def unlist_record(folder: Path) -> None:
    record = read_record(record_file(folder))
    write_list(folder, [Listed(file.file, file.size, "xxh128", file.xxh128) for file in record.files])


def only_list(folder: Path) -> Path:
    return next((folder / "ascmhl").glob("*.mhl"))


def replace_list(folder: Path, content: bytes) -> None:
    """Another list, whose hash the chain has."""
    path = only_list(folder)
    old = c4_id(path.read_bytes())
    path.write_bytes(content)
    replace_in(folder / "ascmhl" / CHAIN, old.encode(), c4_id(content).encode())


def foreign_list(folder: Path) -> None:
    replace_list(folder, only_list(folder).read_bytes().replace(b">understudy<", b">silverstack<"))


def replace_in(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pixel": (edit_pixel, "frame-altered"),
    "a NaN where there was 0": (put_nan, "frame-altered"),
    "a moved data window": (move_window, "frame-altered"),
    "two frames swapped": (swap_frames, "frame-altered"),
    "recompressed": (recompress, "frame-recompressed"),
    "put into tiles": (tile, "frame-recompressed"),
    "an attribute added": (attribute("comments", "hello"), "frame-header"),
    "an attribute changed": (attribute("reelName", "B002"), "frame-header"),
    "the color space relabeled": (attribute("colorInteropID", "lin_rec709_scene"), "frame-header"),
    "a byte at the end": (append, "frame-rewrapped"),
    "cut short": (cut, "frame-unreadable"),
    "emptied": (lambda f: (f / FRAME).write_bytes(b""), "frame-unreadable"),
    "removed": (lambda f: (f / FRAME).unlink(), "frame-missing"),
    "a frame of another job": (other_job, "frame-foreign"),
    "a frame added": (lambda f: shutil.copy(f / FRAME, f / "r.1099.exr"), "frame-unrecorded"),
    "a file added": (lambda f: (f / "notes.txt").write_text("x"), "file-unlisted"),
    "rights in the record": (
        lambda f: edit_record(f, lambda d: d["rights"].update(approval="A-1")),
        "record-altered",
    ),
    "a frame's hash in the record": (
        lambda f: edit_record(f, lambda d: d["frames"][1].update(blake3="0" * 64)),
        "record-altered",
    ),
    "a space in the record": (lambda f: replace_in(record_file(f), b'"id": ', b'"id":  '), "record-altered"),
    "the record removed": (lambda f: record_file(f).unlink(), "record-missing"),
    "the record cut": (lambda f: record_file(f).write_bytes(record_file(f).read_bytes()[:900]), "record-unreadable"),
    "the record of another": (
        lambda f: shutil.copy(record_file(f.parent / "other"), record_file(f)),
        "record-altered",
    ),
    "the record of another, with a list": (swap_record, "record-swapped"),
    "a total, with a list": (forge_summary, "record-inconsistent"),
    "the graph, with a list": (forge_graph, "record-inconsistent"),
    "the record unlisted": (unlist_record, "record-unlisted"),
    "a hash in the list": (lambda f: replace_in(only_list(f), b"<xxh128", b"<xxh128 "), "list-altered"),
    "the chain": (lambda f: replace_in(f / "ascmhl" / CHAIN, b"<c4>c4", b"<c4>c5"), "list-altered"),
    "the list removed": (lambda f: only_list(f).unlink(), "list-altered"),
    "the chain removed": (lambda f: (f / "ascmhl" / CHAIN).unlink(), "list-altered"),
    "the folder ascmhl removed": (lambda f: shutil.rmtree(f / "ascmhl"), "list-missing"),
    "a hash in the list, with the chain": (forge_frame, "list-differs"),
    "another file as the list": (lambda f: only_list(f).write_bytes(b"<x/>"), "list-altered"),
    "another file as the list, with the chain": (lambda f: replace_list(f, b"<x/>"), "list-altered"),
    "the list cut": (lambda f: only_list(f).write_bytes(only_list(f).read_bytes()[:300]), "list-altered"),
    "the list cut, with the chain": (lambda f: replace_list(f, only_list(f).read_bytes()[:300]), "list-altered"),
    "the list of another namespace": (
        lambda f: replace_list(f, only_list(f).read_bytes().replace(b"MHL:v2.0", b"MHL:v3.0")),
        "list-altered",
    ),
    "the list of another program": (lambda f: replace_in(only_list(f), b">understudy<", b">y<"), "list-altered"),
    "the list of another program, with the chain": (foreign_list, "list-foreign"),
    "the list of nobody": (
        lambda f: replace_list(f, only_list(f).read_bytes().replace(b"creatorinfo", b"nobodyknows")),
        "list-foreign",
    ),
    "entities in the list": (lambda f: replace_list(f, b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'), "list-altered"),
    "a path out of the folder in the list": (
        lambda f: replace_list(f, only_list(f).read_bytes().replace(b">r.1002.exr<", b">../in/plate.1002.exr<")),
        "list-altered",
    ),
    "a second list": (
        lambda f: shutil.copy(only_list(f), f / "ascmhl" / "0002_out_2026-01-01_000000Z.mhl"),
        "list-altered",
    ),
    "another file as the chain": (lambda f: (f / "ascmhl" / CHAIN).write_bytes(b"<x/>"), "list-altered"),
    "the chain cut": (lambda f: (f / "ascmhl" / CHAIN).write_bytes(b"<?xml"), "list-altered"),
    "the chain of another namespace": (
        lambda f: replace_in(f / "ascmhl" / CHAIN, b"DIRECTORY:v2.0", b"DIRECTORY:v9.9"),
        "list-altered",
    ),
    "no number in the chain": (
        lambda f: replace_in(f / "ascmhl" / CHAIN, b'sequencenr="1"', b'sequencenr="one"'),
        "list-altered",
    ),
    "a path in the chain": (
        lambda f: replace_in(f / "ascmhl" / CHAIN, b"<path>0001", b"<path>../0001"),
        "list-altered",
    ),
}  # fmt: skip


def test_what_was_rendered_is_what_is_there(shot: Path) -> None:
    verdict = verify(shot)
    assert (verdict.findings, verdict.frames, verdict.signed, verdict.trusted) == ([], 5, False, False)
    assert verify(record_file(shot)).findings == []
    assert verdict.bytes == sum(path.stat().st_size for path in shot.glob("*.exr"))


@pytest.mark.parametrize("what", TAMPERED)
def test_a_single_change_is_caught_by_its_check(what: str, shot: Path) -> None:
    tamper, check = TAMPERED[what]
    tamper(shot)
    assert set(checks(shot)) == {check}
    finding = verify(shot).findings[0]
    assert finding.problem
    assert finding.fix
    assert finding.severity == ("warning" if check == "file-unlisted" else "error")


def test_the_differing_header_entries_are_named(shot: Path) -> None:
    attribute("reelName", "B002")(shot)
    (finding,) = verify(shot).findings
    assert "reelName B002, was A001" in finding.problem
    assert (finding.file, finding.frame) == (FRAME, 1002)


def test_a_recompressed_frame_says_how(shot: Path) -> None:
    recompress(shot)
    (finding,) = verify(shot).findings
    assert "compression piz, was zip" in finding.problem


def test_nothing_is_no_render(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        verify(tmp_path / "none")
    assert set(checks(tmp_path)) == {"record-missing"}


def test_a_list_of_another_program_is_left_alone(shot: Path, rendered: Path) -> None:
    foreign_list(shot)
    path = only_list(shot)
    before = path.read_bytes()
    render(grade(str(rendered / "in/plate.%04d.exr"), str(shot / "g.%04d.exr")))
    assert path.read_bytes() == before
    (finding,) = verify(shot).findings
    assert (finding.check, finding.severity) == ("list-foreign", "error")
    assert "written by silverstack" in finding.problem


def test_a_record_is_judged_alone_and_the_others_are_named(shot: Path, rendered: Path) -> None:
    render(grade(str(rendered / "in/plate.%04d.exr"), str(shot / "g.%04d.exr")))
    (shot / "g.1001.exr").unlink()
    (shot / "notes.txt").write_text("x")
    g, r = find_records(shot)
    verdict = verify(r)
    assert [(one.check, one.severity) for one in verdict.findings] == [("files-beside", "note")]
    assert "g.1001.exr, g.1002.exr, g.1003.exr and 2 more" in verdict.findings[0].problem
    assert (verdict.errors, verdict.warnings) == (0, 0)
    assert {one.check for one in verify(g).findings} == {"frame-missing", "files-beside"}
    assert set(checks(shot)) == {"frame-missing", "file-unlisted"}


def test_a_product_that_was_taken_away_is_told_once(shot: Path, rendered: Path) -> None:
    render(grade(str(rendered / "in/plate.%04d.exr"), str(shot / "g.%04d.exr")))
    for path in shot.glob("g.*"):
        path.unlink()
    (finding,) = verify(shot).findings
    assert (finding.check, finding.severity) == ("product-missing", "warning")
    assert "g.1001.exr, g.1002.exr, g.1003.exr and 1 more" in finding.problem


def test_a_record_of_two_that_was_removed_is_missed(shot: Path, rendered: Path) -> None:
    render(grade(str(rendered / "in/plate.%04d.exr"), str(shot / "g.%04d.exr")))
    (shot / "g.provenance.json").unlink()
    (finding,) = verify(shot).findings
    assert (finding.check, finding.file) == ("file-missing", "g.provenance.json")
    with (shot / "g.1001.exr").open("ab") as file:
        file.write(b"0")
    assert checks(shot) == {"file-missing": 1, "file-altered": 1}


def test_a_record_is_what_its_own_rules_make_of_it(shot: Path) -> None:
    record = read_record(record_file(shot))
    assert record_bytes(Record.model_validate_json(record_bytes(record))) == record_bytes(record)
    assert record_bytes(record) == record_file(shot).read_bytes()


@pytest.mark.parametrize("kind", ["half", "float", "mixed", "uint"])
@pytest.mark.parametrize("compression", ["zip", "piz", "none", "rle"])
def test_the_pixel_hash_told_at_writing_is_that_of_the_file(
    kind: str, compression: str, shot: Path, tmp_path: Path
) -> None:
    plate = read_plate(shot / FRAME, frame=1002, colorspace="ACEScg")
    types: list[Any] = [
        *["float" if kind == "float" else "half"] * 4,
        {"half": "half", "uint": "uint"}.get(kind, "float"),
    ]
    pixels = plate.pixels * np.float32(1.0001) - np.float32(0.3)
    plate = replace(plate, pixels=pixels, sample_types=tuple(types))
    path = tmp_path / "x.exr"
    report = write_plate(plate, path, WriteOptions(compression=compression, hash_pixels=True))
    assert report.pixel_hash == ("" if kind == "uint" else pixel_hash(path))
    first = pixel_hash(path)
    write_plate(plate, path, WriteOptions(compression="zips", metadata={"comments": "other"}))
    assert pixel_hash(path) == first


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.jpg", "x.dpx"])
def test_pictures_of_every_container_have_a_pixel_hash(name: str, shot: Path, tmp_path: Path) -> None:
    plate = read_plate(shot / FRAME, frame=1002, colorspace="ACEScg").only(("R", "G", "B"))
    dimmed = replace(plate, pixels=plate.pixels * np.float32(0.5))
    options = WriteOptions(sample_type="uint8" if name in ("x.jpg", "x.png") else "")
    hashes = []
    for picture in (plate, plate, dimmed):
        write_plate(picture, tmp_path / name, options)
        hashes.append(pixel_hash(tmp_path / name))
    assert hashes[0] == hashes[1] != hashes[2]
