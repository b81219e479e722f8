# SPDX-License-Identifier: Apache-2.0
"""Renders write their records: complete, merged, resumed, and never blessing what they did not make."""

import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.contracts.engine import Control
from understudy.contracts.errors import JobCancelledError, OutputError, UnreadableFileError, UsageError
from understudy.contracts.plate import blank_plate
from understudy.contracts.shot_rights import ShotRights
from understudy.frames.header import read_header
from understudy.graph.parsing import parse_graph
from understudy.graph.render import render_graph
from understudy.graph.steps.step import Outcome
from understudy.graph.witness import Made
from understudy.packs.bom import bom_sha256
from understudy.provenance.diff import differences_of
from understudy.provenance.job import Environment
from understudy.provenance.merge import merged
from understudy.provenance.mhl import CHAIN_NAMESPACE, NAMESPACE, c4_id
from understudy.provenance.record import Record
from understudy.provenance.record_file import find_records, read_record, record_bytes, write_record
from understudy.provenance.recorder import Recorder
from understudy.provenance.scene import machine_of, on_machine
from understudy.provenance.source_types import COMPOSITE, ENHANCED, TRAINED
from understudy.provenance.verify import verify
from understudy.roles.engine import LocalEngine
from unit.packs.policies import policy
from unit.provenance.records import record_with
from unit.provenance.shots import grade, render, retime, write_shot


@pytest.fixture
def source(tmp_path: Path) -> str:
    return write_shot(tmp_path / "in", range(1001, 1005))


def only_record(folder: Path) -> Record:
    (path,) = find_records(folder)
    return read_record(path)


def checks(folder: Path) -> set[str]:
    return {finding.check for finding in verify(folder).findings}


def without_times(folder: Path) -> dict[str, Any]:
    document = json.loads(record_bytes(only_record(folder)))
    del document["created"], document["updated"]
    for job in document["jobs"].values():
        del job["started"], job["finished"]
    return json.loads(json.dumps(document).replace(str(folder), "OUT"))


def test_a_record_tells_what_was_made_of_what(source: str, tmp_path: Path) -> None:
    rights = {"talent": True, "use": "final", "consent": ["urn:consent:7"], "approval": "A-7"}
    document = retime(source, str(tmp_path / "out/r.%04d.exr")) | {"rights": rights}
    render(document)
    record = only_record(tmp_path / "out")
    (identity, job) = next(iter(record.jobs.items()))
    assert (record.sequence.pattern, record.sequence.frames, record.sequence.fps) == (
        "r.%04d.exr", "1001-1007", "24000/1001",
    )  # fmt: skip
    assert [(run.frames, run.origin, run.source_type) for run in record.runs] == [
        ("1001-1007x2", "source", ""),
        ("1002-1006x2", "synthesized", ENHANCED),
    ]
    assert record.rights == ShotRights(**rights)
    assert [operation.type for operation in job.operations] == ["read", "interpolate", "write"]
    assert job.operations[1].parameters == {"speed": "1/2"}
    assert not job.operations[1].learned
    assert job.operations[1].generative == "no"
    assert {pack.pin: pack.bom_sha256 for pack in job.packs} == {
        pin: bom_sha256(bom) for pin, bom in record.boms.items()
    }
    for pack in job.packs:
        shipped = Path(__file__).parents[3] / "models" / pack.pin.partition("@")[0] / "pack.cdx.json"
        if shipped.is_file():
            assert pack.bom_sha256 == hashlib.sha256(shipped.read_bytes()).hexdigest(), "the very file"
    (machine,) = job.environments
    assert (machine.device, machine.precision, machine.platform) == (
        "cpu", "float32", f"{platform.system()} {platform.machine()}",
    )  # fmt: skip
    assert machine.processor
    assert machine.instructions
    assert machine.runtimes.keys() >= {"numpy"}
    assert {pack.role for pack in job.packs} == {"interpolate", "motion"}
    assert all(pack.training_basis == "none" and len(pack.pin.partition("#")[2]) == 64 for pack in job.packs)
    assert [file.file for file in job.inputs[0].files] == [f"plate.{n}.exr" for n in range(1001, 1005)]
    assert (job.inputs[0].colorspace, job.inputs[0].rule) == ("ACEScg", "colorInteropID")
    assert (job.color.output, job.environments[0].frames) == ("ACEScg", "1001-1007")
    assert record.quality.confidence_p05 is not None
    assert record.source_type == ENHANCED
    assert not record.pending
    header = read_header(tmp_path / "out/r.1002.exr").metadata
    assert header["understudy:job"] == identity
    assert header["understudy:recordId"] == record.id
    assert header["understudy:record"] == find_records(tmp_path / "out")[0].name
    assert (header["understudy:origin"], header["understudy:sourceType"]) == ("synthesized", ENHANCED)
    assert "understudy:sourceType" not in read_header(tmp_path / "out/r.1001.exr").metadata


def test_the_hash_list_is_one_of_the_standard(source: str, tmp_path: Path) -> None:
    render(grade(source, str(tmp_path / "out/r.%04d.exr")))
    folder = tmp_path / "out/ascmhl"
    (path,) = folder.glob("0001_out_*Z.mhl")
    root = ET.fromstring(path.read_bytes())
    name = f"{{{NAMESPACE}}}"
    assert (root.tag, root.get("version")) == (f"{name}hashlist", "2.0")
    assert [child.tag for child in root] == [f"{name}creatorinfo", f"{name}processinfo", f"{name}hashes"]
    assert [child.tag for child in root[0]] == [f"{name}creationdate", f"{name}hostname", f"{name}tool"]
    assert root[1][0].text == "in-place"
    for entry in root[2]:
        assert [child.tag.removeprefix(name) for child in entry] in (["path", "xxh128"], ["path", "c4"])
        file = tmp_path / "out" / str(entry[0].text)
        assert int(str(entry[0].get("size"))) == file.stat().st_size
        assert entry[1].get("action") == "original"
    chain = ET.fromstring((folder / "ascmhl_chain.xml").read_bytes())
    listed = f"{{{CHAIN_NAMESPACE}}}"
    assert chain[0].get("sequencenr") == "1"
    assert chain[0].findtext(f"{listed}path") == path.name
    assert chain[0].findtext(f"{listed}c4") == c4_id(path.read_bytes())


def test_a_c4_id_is_that_of_the_standard() -> None:
    # SMPTE ST 2114: the empty input, and two short ones of the reference implementation's tests
    empty = "c459dsjfscH38cYeXXYogktxf4Cd9ibshE3BHUo6a58hBXmRQdZrAkZzsWcbWtDg5oQstpDuni4Hirj75GEmTc1sFT"
    assert c4_id(b"") == empty
    assert len(c4_id(b"a")) == 90


def test_two_chunks_in_two_orders_give_one_record(source: str, tmp_path: Path) -> None:
    for folder, chunks in (("a", ("1001-1003", "1004-1007")), ("b", ("1004-1007", "1001-1003"))):
        for chunk in chunks:
            render(retime(source, str(tmp_path / folder / "r.%04d.exr")), frames=chunk)
        assert checks(tmp_path / folder) == set()
    assert without_times(tmp_path / "a") == without_times(tmp_path / "b")
    (path,) = find_records(tmp_path / "a")
    render(retime(source, str(tmp_path / "whole" / "r.%04d.exr")))
    for number in range(1001, 1008):
        assert read_header(tmp_path / f"a/r.{number}.exr").metadata["understudy:record"] == path.name
        one, two, whole = ((tmp_path / folder / f"r.{number}.exr").read_bytes() for folder in ("a", "b", "whole"))
        assert one == two == whole, "the same job gives the same bytes, in however many chunks"


def test_records_of_pictures_with_one_stem_do_not_meet(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for pattern in ("r.%04d.exr", "r_%04d.exr", "r.%04d.exr"):
        render(grade(source, str(out / pattern)), frames="1001-1002")
    first, second = find_records(out)
    assert {read_record(path).sequence.pattern for path in (first, second)} == {"r.%04d.exr", "r_%04d.exr"}
    assert checks(out) == set()
    for path in (first, second):
        frame = out / read_record(path).sequence.pattern.replace("%04d", "1001")
        assert read_header(frame).metadata["understudy:record"] == path.name


def test_a_record_that_was_named_for_its_range_is_taken_over(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(grade(source, str(out / "r.%04d.exr")), frames="1001-1002")
    (path,) = find_records(out)
    path.rename(out / "r.1001-1002.provenance.json")
    render(grade(source, str(out / "r.%04d.exr")), frames="1003")
    assert [one.name for one in find_records(out)] == ["r.provenance.json"]
    assert checks(out) == set()


def test_chunks_of_a_document_know_the_whole(source: str, tmp_path: Path) -> None:
    document = retime(source, str(tmp_path / "out/r.%04d.exr")) | {"frames": "1002-1006", "handles": 1}
    render(document, frames="1003-1004")
    record = only_record(tmp_path / "out")
    assert (record.sequence.frames, record.sequence.handles) == ("1001-1007", 1)
    assert checks(tmp_path / "out") == {"frame-missing"}
    first = (tmp_path / "out/r.1003.exr").read_bytes()
    render(document)
    assert checks(tmp_path / "out") == set()
    assert (tmp_path / "out/r.1003.exr").read_bytes() == first


def test_a_frame_by_another_job_keeps_its_run(source: str, tmp_path: Path) -> None:
    out = str(tmp_path / "out/r.%04d.exr")
    render(grade(source, out))
    render(grade(source, out, metadata={"comments": "again"}), frames="1002")
    record = only_record(tmp_path / "out")
    assert sorted(run.frames for run in record.runs) == ["1001,1003-1004", "1002"]
    assert len(record.jobs) == 2
    assert checks(tmp_path / "out") == set()


def test_an_edited_frame_is_not_blessed_by_a_resume(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(grade(source, str(out / "r.%04d.exr")))
    with (out / "r.1002.exr").open("ab") as file:
        file.write(b"\0")
    summary = render(grade(source, str(out / "r.%04d.exr")), redo=False)
    assert summary.skipped == 4
    assert checks(out) == {"frame-rewrapped"}


def test_frames_of_a_render_without_record_are_adopted(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    document = grade(source, str(out / "r.%04d.exr"))
    render(document | {"record": False})
    assert sorted(path.name for path in out.iterdir()) == [f"r.{n}.exr" for n in range(1001, 1005)]
    assert "understudy:recordId" not in read_header(out / "r.1001.exr").metadata
    render(document, redo=False)
    record = only_record(out)
    assert [entry.adopted for entry in record.frames] == [True] * 4
    assert checks(out) == set()


def test_a_killed_render_is_told_and_taken_up(tmp_path: Path) -> None:
    source = write_shot(tmp_path / "in", range(1001, 1004))
    out = tmp_path / "out"
    command = [
        sys.executable, "-m", "understudy", "interpolate", source, str(out / "r.%05d.exr"), "--speed", "1/60",
    ]  # fmt: skip
    process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        seen += json.loads(line)["event"] == "frame"
        if seen == 20:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert checks(out) == {"render-unfinished", "frame-unrecorded"}
    identity = only_record(out).id
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    record = only_record(out)
    assert checks(out) == set()
    assert (record.id, len(record.frames), record.pending) == (identity, 121, {})
    assert not any(entry.adopted for entry in record.frames)
    assert all(entry.confidence_mean is not None for entry in record.frames)
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_a_cancelled_render_says_what_is_missing(source: str, tmp_path: Path) -> None:
    out, asked = tmp_path / "out", [0]

    def cancelled() -> bool:  # asked before each plate: two for the first frame, then the second
        asked[0] += 1
        while asked[0] > 2 and not (out / "r.1001.exr").exists():
            time.sleep(0.01)
        return asked[0] > 2

    with pytest.raises(JobCancelledError):
        render(grade(source, str(out / "r.%04d.exr")), control=Control(cancelled=cancelled))
    record = only_record(out)
    assert 0 < len(record.frames) < 4
    assert not record.pending
    assert checks(out) == {"frame-missing"}


def test_a_render_that_made_nothing_leaves_no_record(source: str, tmp_path: Path) -> None:
    with pytest.raises(JobCancelledError):
        render(grade(source, str(tmp_path / "out/r.%04d.exr")), control=Control(cancelled=lambda: True))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_damaged_record_stops_the_render_before_its_first_frame(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(grade(source, str(out / "r.%04d.exr")))
    path = find_records(out)[0]
    path.write_bytes(b"{")
    before = (out / "r.1001.exr").stat().st_mtime_ns
    with pytest.raises(UnreadableFileError):
        render(grade(source, str(out / "r.%04d.exr")))
    assert path.read_bytes() == b"{"
    assert (out / "r.1001.exr").stat().st_mtime_ns == before


def test_a_record_that_cannot_be_written_stops_the_render(source: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError):
        render(grade(source, str(tmp_path / "out/r.%04d.exr")))


def test_two_outputs_of_one_folder_have_a_record_each(source: str, tmp_path: Path) -> None:
    document = grade(source, str(tmp_path / "out/r.%04d.exr"))
    document["nodes"]["proxy"] = {
        "type": "write", "input": "aces", "file": str(tmp_path / "out/r.%04d.png"), "colorspace": "texture_paint",
    }  # fmt: skip
    document["nodes"]["vectors"] = {"type": "motion", "input": "plate", "pack": "dis-draft"}
    document["nodes"]["v"] = {"type": "write", "input": "vectors", "file": str(tmp_path / "out/v.%04d.exr")}
    render(document)
    names = [path.name for path in find_records(tmp_path / "out")]
    assert names == [
        "r.png.provenance.json", "r.provenance.json", "v.provenance.json",
    ]  # fmt: skip
    assert checks(tmp_path / "out") == set()
    contents = [read_record(path).sequence.content for path in find_records(tmp_path / "out")]
    assert contents == ["picture", "picture", "data"]
    render(document, frames="1002-1003")
    assert [path.name for path in find_records(tmp_path / "out")] == names
    assert checks(tmp_path / "out") == set()


def test_layers_beside_a_frame_are_recorded(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(retime(source, str(out / "r.%04d.png"), colorspace="texture_paint"), frames="1002")
    (entry,) = only_record(out).frames
    assert [file.file for file in entry.beside] == ["r.layers.1002.exr"]
    assert checks(out) == set()
    with (out / "r.layers.1002.exr").open("ab") as file:
        file.write(b"\0")
    assert checks(out) == {"frame-rewrapped"}


def test_where_a_picture_stands_in_time_is_known_through_what_follows(source: str, tmp_path: Path) -> None:
    document = retime(source, str(tmp_path / "out/r.%04d.exr"))
    document["nodes"]["large"] = {"type": "upscale", "input": "slow", "pack": "lanczos"}
    document["nodes"]["out"]["input"] = "large"
    render(document)
    runs = only_record(tmp_path / "out").runs
    assert [(run.origin, run.frames, run.source_type) for run in runs] == [
        ("source", "1001-1007x2", ENHANCED), ("synthesized", "1002-1006x2", ENHANCED),
    ]  # fmt: skip


def test_what_an_input_says_of_itself_is_kept(tmp_path: Path) -> None:
    source = write_shot(
        tmp_path / "in",
        range(1001, 1003),
        metadata={"understudy:sourceType": TRAINED, "understudy:recordId": "of another"},
    )
    render(grade(source, str(tmp_path / "out/r.%d.exr")))
    record = only_record(tmp_path / "out")
    assert record.source_type == TRAINED
    header = read_header(tmp_path / "out/r.1001.exr").metadata
    assert (header["understudy:sourceType"], header["understudy:recordId"]) == (TRAINED, record.id)


def test_a_studio_has_its_own_source_types(source: str, tmp_path: Path) -> None:
    engine = LocalEngine(device="cpu")
    document = retime(source, str(tmp_path / "out/r.%04d.exr"))
    types = {"interpolate": "compositeWithTrainedAlgorithmicMedia"}
    render_graph(parse_graph(document), engine, frames="1002", witness=Recorder(types))
    engine.close()
    assert only_record(tmp_path / "out").source_type == COMPOSITE
    with pytest.raises(UsageError, match="no operation"):
        Recorder({"nothing": ""})


def test_an_engine_s_policy_has_its_source_types_put_on_record(source: str, tmp_path: Path) -> None:
    rules = policy('[record.source_types]\ninterpolate = "compositeWithTrainedAlgorithmicMedia"\n')
    engine = LocalEngine(device="cpu", policy=rules)
    try:
        render_graph(parse_graph(retime(source, str(tmp_path / "out/r.%04d.exr"))), engine, frames="1002",
                     witness=Recorder())  # fmt: skip
    finally:
        engine.close()
    assert only_record(tmp_path / "out").source_type == COMPOSITE


def test_frames_for_which_no_model_ran_name_no_device(source: str, tmp_path: Path) -> None:
    render(grade(source, str(tmp_path / "out/r.%04d.exr")))
    (job,) = only_record(tmp_path / "out").jobs.values()
    (machine,) = job.environments
    assert (machine.device, machine.precision, machine.providers, machine.frames) == ("", "", (), "1001-1004")
    assert machine.processor


def test_what_an_engine_tells_of_its_machine_is_taken_with_care() -> None:
    told = {"device": "cuda:0", "providers": ["CUDAExecutionProvider"], "runtimes": {"onnxruntime": "1.0"}, "gpu": "X"}
    wrong = {"device": 3, "providers": "none", "runtimes": ["x"], "else": object}
    plate = blank_plate(np.zeros((1, 1, 3), np.float32), ("R", "G", "B"), colorspace="ACEScg")
    first, last = Outcome(plate=plate, report={"machine": told}), Outcome(plate=plate, report={"machine": wrong})
    made = Made("out", 1, last, {("a", 1): first, ("b", 1): Outcome(plate=plate, report={"machine": 7})})
    machine = on_machine(Environment(platform="here"), machine_of(made), "1")
    assert (machine.device, machine.providers, machine.runtimes) == (
        "cuda:0, 3", ("CUDAExecutionProvider",), {"onnxruntime": "1.0"},
    )  # fmt: skip
    assert (machine.gpu, machine.platform, machine.frames) == ("X", "here", "1")


def test_values_that_were_no_numbers_are_counted(tmp_path: Path) -> None:
    import OpenImageIO as oiio

    source = write_shot(tmp_path / "in", range(1001, 1003))
    buffer = oiio.ImageBuf(str(tmp_path / "in/plate.1001.exr"))
    buffer.read(0, 0, True)
    buffer.setpixel(3, 3, 0, (float("nan"), float("inf"), 1, 1))
    buffer.write(str(tmp_path / "in/plate.1001.exr"))
    render(grade(source, str(tmp_path / "out/r.%d.exr")))
    record = only_record(tmp_path / "out")
    assert [(entry.nan, entry.inf) for entry in record.frames] == [(1, 1), (0, 0)]
    assert (record.quality.nan, record.quality.inf) == (1, 1)
    (job,) = record.jobs.values()
    assert any("NaN" in warning for warning in job.warnings)


def test_the_same_job_gives_the_same_bytes_anywhere(source: str, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        render(retime(source, str(tmp_path / folder / "r.%04d.exr")))
    for path in (tmp_path / "a").glob("*.exr"):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_thousand_frames_are_written_read_and_merged(tmp_path: Path) -> None:
    record = record_with(list(range(1, 1001)))
    path = tmp_path / "sh.1-1000.provenance.json"
    write_record(record, path)
    assert read_record(path) == record
    again = merged(record, record_with([500]))
    assert len(again.frames) == 1000
    assert path.stat().st_size < 600_000


def test_a_diff_names_parameters_inputs_and_frames(source: str, tmp_path: Path) -> None:
    render(retime(source, str(tmp_path / "a/r.%04d.exr")))
    document = retime(source, str(tmp_path / "b/r.%04d.exr"))
    document["nodes"]["slow"]["motion_pack"] = "dis-draft"
    render(document, frames="1001-1004")
    a, b = only_record(tmp_path / "a"), only_record(tmp_path / "b")
    assert differences_of(a, a) == []
    found = {(one.what, one.where): (one.before, one.after) for one in differences_of(a, b)}
    assert ("frames", "1005-1007: only in the first") in found
    assert ("frames", "1002,1004: other pixels") in found
    assert found["sequence", "frames"] == ("1001-1007", "1001-1004")
    assert found["packs", "motion: dis-draft"][0] is None
    assert not [where for what, where in found if what == "rights"]
