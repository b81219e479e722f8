# SPDX-License-Identifier: Apache-2.0
"""The record: what it holds comes back, merges keep what is there, files are whole."""

import json
import threading
from hashlib import sha256

import pytest

from understudy.contracts.errors import MissingFileError, UnreadableFileError, UsageError
from understudy.contracts.shot_rights import ShotRights
from understudy.graph.document import digest_of
from understudy.graph.parsing import parse_graph
from understudy.provenance.merge import merged, settled
from understudy.provenance.record import Record
from understudy.provenance.record_file import (
    find_records,
    locked,
    read_record,
    record_bytes,
    record_name,
    record_of,
    stem_of,
    write_record,
)
from understudy.provenance.source_types import COMPOSITE, ENHANCED, TRAINED, SourceTypes, strongest
from unit.provenance.records import JOB, entry, job_of, record_with

OTHER = sha256(b"other").hexdigest()


def without_times(record: Record) -> dict[str, object]:
    document = json.loads(record_bytes(record))
    del document["created"], document["updated"]
    for job in document["jobs"].values():
        del job["started"], job["finished"]
    return document


def test_a_record_comes_back_from_its_file(tmp_path):
    record = record_with([1001, 1002, 1003], rights=ShotRights(talent=True, consent=("urn:consent:1",)))
    path = tmp_path / "Schnittflächen 日本" / record_name(record.sequence.pattern)
    write_record(record, path)
    assert read_record(path) == record
    assert record_of(path.parent, "sh.%04d.exr") == (path, record)
    assert record_of(path.parent, "other.%04d.exr") is None
    assert path.name == "sh.provenance.json"


def test_what_all_headers_say_stands_once():
    record = record_with([1001, 1002, 1003])
    assert record.header["compression"] == "zip"
    assert record.frames[0].header == {"smpte:TimeCode": [1001, 0]}
    assert record.header_of(record.frames[0]) == {
        "compression": "zip", "understudy:job": JOB, "smpte:TimeCode": [1001, 0],
    }  # fmt: skip


def test_two_chunks_in_two_orders_are_one_record():
    a, b = (
        record_with([1001, 1002], when="2026-01-01T00:00:00Z"),
        record_with([1003, 1004], when="2026-01-02T00:00:00Z"),
    )
    one, two = merged(a, b), merged(b, a)
    assert without_times(one) == without_times(two)
    assert (one.created, one.updated) == ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    assert [run.frames for run in one.runs] == ["1001-1004"]
    assert (one.sequence.first, one.sequence.last, one.sequence.step) == (1001, 1004, 1)
    assert [file.frame for file in one.jobs[JOB].inputs[0].files] == [1001, 1002, 1003, 1004]
    assert [env.frames for env in one.jobs[JOB].environments] == ["1001-1004"]


def test_frames_of_another_job_keep_their_run():
    before = record_with([1001, 1002, 1003])
    after = merged(before, record_with([1002], job=OTHER))
    assert after.id == before.id
    assert {(run.job, run.frames) for run in after.runs} == {(JOB, "1001,1003"), (OTHER, "1002")}
    assert set(after.jobs) == {JOB, OTHER}
    assert after.header_of(after.by_frame[1002])["understudy:job"] == OTHER
    assert after.by_frame[1001].blake3 == before.by_frame[1001].blake3


def test_a_job_without_frames_is_forgotten():
    assert set(merged(record_with([1001]), record_with([1001], job=OTHER)).jobs) == {OTHER}


def test_a_frame_made_again_stands_with_what_made_it_last():
    again = record_with([1002], jobs={JOB: job_of("1002", [1002], device="cuda:0")})
    environments = merged(record_with([1001, 1002, 1003]), again).jobs[JOB].environments
    assert [(one.device, one.frames) for one in environments] == [("cpu", "1001,1003"), ("cuda:0", "1002")]


def test_a_merge_is_never_signed_and_never_loses_rights():
    rights = ShotRights(talent=True, use="final", approval="A-1")
    after = merged(record_with([1001], rights=rights, signed=True), record_with([1002]))
    assert not after.signed
    assert after.rights == rights


def test_a_render_that_was_killed_stays_pending_until_its_frames_are_there():
    begun = record_with([1001], pending={"a": "1001-1003"})
    assert begun.pending
    assert merged(begun, record_with([1002])).pending
    assert not merged(begun, record_with([1002, 1003])).pending


def test_quality_and_runs_are_computed_from_frames():
    frames = (
        entry(1, confidence_mean=1.0, confidence_p05=1.0),
        entry(2, origin="synthesized", source_type=ENHANCED, confidence_mean=0.5, confidence_p05=0.25, clamped=3),
    )
    record = settled(record_with([1, 2], frames=frames))
    assert record.quality.confidence_mean == 0.75
    assert record.quality.confidence_p05 == 0.25
    assert (record.quality.synthesized, record.quality.clamped) == (1, 3)
    assert [(run.origin, run.frames) for run in record.runs] == [("source", "1"), ("synthesized", "2")]
    assert record.source_type == ENHANCED


def test_invented_frames_among_others_make_a_composite():
    some = record_with([1, 2], frames=(entry(1), entry(2, source_type=TRAINED)))
    every = record_with([1, 2], frames=(entry(1, source_type=TRAINED), entry(2, source_type=TRAINED)))
    assert (some.source_type, every.source_type) == (COMPOSITE, TRAINED)


@pytest.mark.parametrize(
    ("pattern", "stem"),
    [("sh010.%04d.exr", "sh010"), ("%d.exr", "frames"), ("a_####.png", "a"), ("still.exr", "still")],
)
def test_names_start_with_the_stem(pattern, stem):
    assert stem_of(pattern) == stem


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("sh010.%04d.exr", "sh010.provenance.json"),
        ("sh010.%04d.PNG", "sh010.png.provenance.json"),
        ("still.exr", "still.provenance.json"),
    ],
)
def test_a_record_is_named_for_its_pictures_and_not_for_frames(pattern, name):
    assert record_name(pattern) == name
    assert record_name(pattern, alone=False) != name


@pytest.mark.parametrize("content", [b"", b"[]", b'{"schema": "understudy.record/2"}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_record_is_refused_with_a_sentence(tmp_path, content):
    path = tmp_path / "a.1-2.provenance.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError):
        read_record(path)


def test_a_wrong_field_is_named(tmp_path):
    path = tmp_path / "a.1-2.provenance.json"
    document = json.loads(record_bytes(record_with([1])))
    document["frames"][0]["blake3"] = "short"
    path.write_text(json.dumps(document))
    with pytest.raises(UnreadableFileError, match=r"frames\[0\].blake3"):
        read_record(path)
    with pytest.raises(MissingFileError):
        read_record(tmp_path / "none.provenance.json")


def test_one_writer_at_a_time_and_no_lock_left(tmp_path):
    inside: list[int] = []

    def work() -> None:
        for _ in range(20):
            with locked(tmp_path, "x"):
                inside.append(1)
                assert len(inside) == 1
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(tmp_path.iterdir()) == []
    assert find_records(tmp_path / "none") == []


def test_source_types_are_a_policy():
    ours, theirs = SourceTypes(), SourceTypes({"upscale": "", "motion": "dataDrivenMedia"})
    assert (ours.of("upscale"), ours.of("upscale", generative=True), ours.of("motion")) == (ENHANCED, COMPOSITE, "")
    assert (theirs.of("upscale"), theirs.of("motion")[-15:]) == ("", "dataDrivenMedia")
    assert strongest(["", TRAINED, ENHANCED]) == TRAINED
    assert strongest([]) == ""
    for wrong in ({"paint": ""}, {"upscale": "not a term"}):
        with pytest.raises(UsageError):
            SourceTypes(wrong)


def test_rights_do_not_change_the_job():
    nodes = {"a": {"type": "read", "file": "/a.exr"}, "out": {"type": "write", "input": "a", "file": "/b.exr"}}
    plain = parse_graph({"nodes": nodes})
    ruled = parse_graph({"nodes": nodes, "rights": {"talent": True, "use": "final"}, "frames": "1-2"})
    assert plain.digest == ruled.digest == digest_of(json.loads(json.dumps(ruled.document)))
    assert ruled.rights == ShotRights(talent=True, use="final")


def test_files_of_a_record_are_frames_and_what_lies_beside(tmp_path):
    record = record_with([1, 2])
    assert [file.file for file in record.files] == ["sh.0001.exr", "sh.0002.exr"]
