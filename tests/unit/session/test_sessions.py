# SPDX-License-Identifier: Apache-2.0
"""Sessions that are saved and brought elsewhere, on a real engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from understudy.cli.main import app
from understudy.color.config import ColorConfig
from understudy.contracts.errors import MissingFileError, PackNotFoundError, PinMismatchError, UsageError
from understudy.graph.render import render_graph
from understudy.provenance.record_file import read_record
from understudy.provenance.recorder import Recorder
from understudy.roles.engine import LocalEngine
from understudy.session.arrival import arrive, locked
from understudy.session.bring_back import bring_back
from understudy.session.container import SessionFile
from understudy.session.differences import Difference, from_machine, from_session
from understudy.session.save import save_session
from understudy.session.told import lines_of
from unit.session.shot import move, rewritten, write_shot


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    made = LocalEngine(device="cpu")
    yield made
    made.close()


def render(path: Path, engine: LocalEngine, **how: Any) -> None:
    from understudy.graph.parsing import load_graph

    render_graph(load_graph(path), engine, witness=Recorder(), **how)


def told(differences: tuple[Difference, ...]) -> list[str]:
    return [f"{one.about} {one.where.split('/')[0].strip()} {one.frames}".strip() for one in differences]


def test_drafts_come_back_elsewhere_and_are_not_rendered_again(tmp_path: Path, engine: LocalEngine) -> None:
    shot = tmp_path / "here"
    graph = write_shot(shot)
    render(graph, engine, draft=True, frames="1001-1002")
    pictures = {path.name: path.read_bytes() for path in (shot / "out").glob("*.exr")}
    saved = save_session(graph, shot / "sh.session", engine, with_results=True)
    assert [(one.frame, one.state) for one in saved.outputs if one.quality == "draft"] == [
        (1001, "done"),
        (1002, "done"),
        (1003, "missing"),
    ]
    assert {name: v.beside for name, v in saved.variables.items()} == {"SHOT": "."}
    with SessionFile(move(shot, tmp_path / "there")) as file:
        assert file.session == saved
        assert any("draft out: 1001-1002 done" in line for line in lines_of(file.session, file.graph))
        arrival = arrive(file, {})
        assert from_machine(arrival, engine.info()) == ()
        again = locked(arrival.graph(), saved.packs, engine.info().packs, "draft")
        brought = bring_back(file, again, engine, "draft", frames="", policy=None)
        assert (brought.files, brought.stale, brought.why) == (3, 0, "")
        out = tmp_path / "there" / "out"
        assert {path.name: path.read_bytes() for path in out.glob("*.exr")} == pictures
        done = render_graph(again, engine, draft=True, witness=Recorder())
        assert (done.frames, done.skipped) == (1, 2)
        assert len(read_record(next(out.glob("*.provenance.json"))).frames) == 3
        assert bring_back(file, again, engine, "draft", frames="", policy=None).there == 2
        assert render_graph(again.model_copy(update={"lock": None}), engine).frames == 3  # a draft is no final


def test_what_differs_here_is_told(tmp_path: Path, engine: LocalEngine) -> None:
    shot = tmp_path / "here"
    graph = write_shot(shot)
    render(graph, engine, draft=True)
    session = shot / "sh.session"
    save_session(graph, session, engine, with_results=True)
    plates = shot / "plate"
    (plates / "plate.1002.exr").write_bytes((plates / "plate.1001.exr").read_bytes())
    (plates / "plate.1003.exr").unlink()
    graph.write_text(graph.read_text().replace('"scale": 2', '"scale": 3, "quality": "draft"'))

    def pins(document: Any) -> None:
        document["version"], document["packs"][0]["pin"] = "0.0.1", f"lanczos@1.0.0#{'0' * 64}"
        document["ocio"]["cache_id"] = "x"

    with SessionFile(session) as file:
        arrival = arrive(file, {})
        differ = from_machine(arrival, engine.info())
        assert told(differ) == [
            "input plate 1003",
            "input plate 1002",
            "parameter nodes.big.quality",
            "parameter nodes.big.scale",
        ]
        assert [(one.saved, one.here) for one in differ][2:] == [("final", "draft"), ("2", "3")]
        again = locked(arrival.graph(), file.session.packs, engine.info().packs, "draft")
        out = shot / "out" / "sh.draft.1002.exr"
        before = out.read_bytes()
        brought = bring_back(file, again, engine, "draft", frames="1001-1002", policy=None)
        assert (brought.there, brought.stale) == (1, 1)
        assert out.read_bytes() == before
    with (
        SessionFile(rewritten(session, tmp_path / "other.session", session=pins)) as other,
        SessionFile(session) as one,
    ):
        assert told(from_session(one, one)) == []
        assert told(from_session(one, other)) == ["version", "ocio config", "pack lanczos"]
        arrival = arrive(other, {"SHOT": str(shot)})
        packs = [one for one in from_machine(arrival, engine.info()) if one.about == "pack"]
        assert [(one.where, one.nodes) for one in packs] == [("lanczos", ("big",))]
        installed, wanted = engine.info().packs, other.session.packs
        with pytest.raises(PinMismatchError, match=r"big takes lanczos@1\.0\.0#000000000000; here is lanczos@"):
            locked(other.graph, wanted, installed, "final")
        taken = locked(other.graph, wanted, installed, "final", own=True).lock
        assert taken is not None
        assert taken.packs[0].startswith("lanczos@1.0.0#b")
        gone = tuple(pack for pack in installed if pack.pin.id != "lanczos")
        with pytest.raises(PackNotFoundError, match="which big takes"):
            locked(other.graph, wanted, gone, "final", own=True)


def test_a_config_of_ones_own_comes_along(tmp_path: Path, engine: LocalEngine) -> None:
    config = tmp_path / "config" / "show.ocio"
    config.parent.mkdir()
    config.write_bytes(ColorConfig.load("").packed()[1])
    graph = write_shot(tmp_path / "here", ocio="../config/show.ocio")
    saved = save_session(graph, tmp_path / "here" / "sh.session", engine, variables={"SHOW": str(tmp_path)})
    assert saved.ocio.member == "ocio/config.ocioz"
    assert saved.variables.keys() == {"SHOT", "SHOW"}
    config.unlink()
    ColorConfig.load("")
    with SessionFile(move(tmp_path / "here", tmp_path / "there")) as file:
        arrival = arrive(file, {})
        here = arrival.graph()
        assert ColorConfig.load(here.ocio).cache_id == saved.ocio.cache_id
        assert not here.ocio.startswith(str(tmp_path))
        assert from_machine(arrival, engine.info()) == ()


def test_a_folder_nobody_knows_is_asked_for_and_outputs_go_where_one_says(tmp_path: Path, engine: LocalEngine) -> None:
    graph = write_shot(tmp_path / "here")
    save_session(graph, tmp_path / "here" / "sh.session", engine)
    lone = tmp_path / "mail" / "sh.session"
    lone.parent.mkdir()
    (tmp_path / "here" / "sh.session").rename(lone)
    (tmp_path / "here").rename(tmp_path / "there")
    with SessionFile(lone) as file:
        with pytest.raises(MissingFileError, match=r"nothing tells where \$SHOT is here; .*--set SHOT=FOLDER"):
            arrive(file, {}).graph()
        here = arrive(file, {"SHOT": str(tmp_path / "there")}, tmp_path / "new").graph()
        assert here.writes()["out"].file == str(tmp_path / "new" / "out" / "sh.%04d.exr")
    with pytest.raises(UsageError, match=r"name it plate\.session"):
        save_session(tmp_path / "there" / "shot.yaml", tmp_path / "plate.exr", engine)


def test_the_record_tells_of_packs_that_are_not_the_sessions(tmp_path: Path, engine: LocalEngine) -> None:
    graph = write_shot(tmp_path / "shot")
    save_session(graph, tmp_path / "shot" / "sh.session", engine, draft_scale="1/4")

    def pins(document: Any) -> None:
        document["packs"][0]["pin"] = f"lanczos@0.9.0#{'0' * 64}"

    other = rewritten(tmp_path / "shot" / "sh.session", tmp_path / "shot" / "old.session", session=pins)
    with SessionFile(other) as file:
        assert str(file.graph.draft.scale) == "1/4"
    with pytest.raises(PinMismatchError, match="say --use-installed-packs"):
        resume(other)
    assert not (tmp_path / "shot" / "out").exists()
    resume(other, "--use-installed-packs", "--frames", "1001")
    record = read_record(next((tmp_path / "shot" / "out").glob("*.provenance.json")))
    (warning,) = next(iter(record.jobs.values())).warnings
    assert warning.startswith("not as in the session old.session: pack lanczos (big): lanczos@0.9.0#")


def resume(file: Path, *options: str) -> None:
    typer.main.get_command(app)(["session", "resume", str(file), *options], standalone_mode=False)
