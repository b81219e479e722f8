# SPDX-License-Identifier: Apache-2.0
"""Renders by reference: the bytes of a local render, within the roots, and nothing learned of what lies outside."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from blake3 import blake3

from contract.service.rig import FakeEngine, wait_until
from understudy.client.render import render_by_reference
from understudy.codec.messages import decoder
from understudy.codec.protocol import MAX_PROBES, REACH_METHOD, RENDER_METHOD, SERVICE
from understudy.contracts.engine import Control
from understudy.contracts.errors import (
    BusyError,
    ForbiddenError,
    GraphError,
    JobCancelledError,
    MissingFileError,
    RightsError,
    UnderstudyError,
    UsageError,
)
from understudy.contracts.plate import blank_plate
from understudy.frames.write import write_plate
from understudy.graph.parsing import parse_graph
from understudy.graph.render import render_graph
from understudy.packs.policy import load_policy
from understudy.provenance.recorder import Recorder
from understudy.provenance.verify import verify
from understudy.roles.engine import LocalEngine
from understudy.service import access as access_module
from understudy.service.roots import FilesSettings
from understudy.service.server import Service
from understudy.wire.understudy.v1 import understudy_pb2 as pb
from unit.packs.policies import write_policy

FRAMES = (1001, 1002, 1003)


@pytest.fixture(scope="module")
def local() -> Iterator[LocalEngine]:
    engine = LocalEngine(device="cpu")
    yield engine
    engine.close()


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """A folder with a plate, an HDRI, lights that name it, and a closed folder beside it."""
    for name in ("in", "out", "closed"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(3)
    for frame in FRAMES:
        pixels = rng.uniform(-0.1, 30.0, (24, 32, 3)).astype(np.float32)
        plate = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg", sample_type="half", frame=frame)
        write_plate(plate, tmp_path / "in" / f"plate.{frame}.exr")
    for folder in ("in", "closed"):
        sky = blank_plate(np.ones((8, 16, 3), np.float32), ("R", "G", "B"), colorspace="ACEScg", sample_type="half")
        write_plate(sky, tmp_path / folder / "sky.exr")
    return tmp_path


Serve = Callable[..., Service]


@pytest.fixture
def serve(shot: Path) -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(engine: Any, **files: Any) -> Service:
            settings = FilesSettings(read=(shot / "in",), write=(shot / "out",), **files)
            return stack.enter_context(Service(engine, "127.0.0.1:0", files=settings))

        yield start


@pytest.fixture
def service(serve: Serve, local: LocalEngine) -> Service:
    return serve(local)


def upscale(folder: Path, out: str = "out/up.%04d.exr", **fields: Any) -> dict[str, Any]:
    return {
        "schema": "understudy.graph/1",
        "nodes": {
            "plate": {"type": "read", "file": f"{folder}/in/plate.%04d.exr", "colorspace": "ACEScg"},
            "up": {"type": "upscale", "input": "plate", "scale": "3/2", "pack": "lanczos", **fields},
            "out": {"type": "write", "input": "up", "file": f"{folder}/{out}"},
        },
    }


def render(address: str, document: dict[str, Any], **how: Any) -> list[dict[str, Any]]:
    """Renders without asking for reach first, and returns the events."""
    events: list[dict[str, Any]] = []
    how.setdefault("inputs", ())
    how.setdefault("outputs", ())
    how.setdefault("on_event", events.append)
    render_by_reference(address, json.dumps(document), **how)
    return events


def bytes_of(folder: Path) -> dict[str, bytes]:
    """The frames; a record tells times."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.exr"))}


def test_the_frames_and_events_are_those_of_a_local_render(service: Service, local: LocalEngine, shot: Path) -> None:
    here: list[dict[str, Any]] = []
    render_graph(parse_graph(upscale(shot)), local, on_event=here.append, witness=Recorder())
    want = bytes_of(shot / "out")
    assert len(want) == 3
    shutil.rmtree(shot / "out")
    (shot / "out").mkdir()
    there = render(
        service.address,
        upscale(shot),
        inputs=[shot / "in/plate.1001.exr"],
        outputs=[shot / "out/up.1001.exr"],
    )
    assert bytes_of(shot / "out") == want
    assert verify(shot / "out").event() == {
        "event": "verified", "frames": 3, "errors": 0, "warnings": 0, "signed": False, "trusted": False,
    }  # fmt: skip
    assert {path.name for path in (shot / "in").iterdir()} == {*(f"plate.{f}.exr" for f in FRAMES), "sky.exr"}

    def facts(events: list[dict[str, Any]]) -> list[Any]:
        told = [event for event in events if event["event"] not in ("step", "timings", "done")]
        for event in told:
            event.pop("seconds", None)
            for name in [name for name in event.get("report", ()) if "seconds" in name]:
                del event["report"][name]
        return json.loads(json.dumps(told, default=str))

    assert facts(there) == facts(here)
    # A request to a service has times that one to an engine in this process has not.
    timings = [event for event in there if event["event"] == "timings"]
    assert [event["frame"] for event in timings] == list(FRAMES)
    assert all(event["run_s"] > 0 for event in timings)
    assert not [event for event in here if event["event"] == "timings"]
    assert there[-1]["event"] == "done"
    skipped = render(service.address, upscale(shot))
    assert [event["skipped"] for event in skipped if event["event"] == "frame"] == [True] * 3


def test_a_callers_policy_and_its_source_types_reach_the_record(
    service: Service, local: LocalEngine, shot: Path, tmp_path: Path
) -> None:
    rules = write_policy(
        tmp_path / "show.toml", '[packs]\ndeny = ["bicubic"]\n[record.source_types]\nupscale = "digitalArt"\n'
    )
    policy = load_policy(rules)
    types = policy.document.record.source_types
    here: list[dict[str, Any]] = []
    render_graph(parse_graph(upscale(shot)), local, on_event=here.append, policy=policy, witness=Recorder(types))
    want = document_of(shot / "out")
    shutil.rmtree(shot / "out")
    (shot / "out").mkdir()
    there = render(service.address, upscale(shot), policy=policy.content)
    assert document_of(shot / "out") == want
    (job,) = want["jobs"].values()
    assert job["policies"] == [{"by": "caller", "show": "ABC", "sha256": policy.sha256}]
    assert want["frames"][0]["source_type"].endswith("/digitalArt")
    assert [event for event in there if event["event"] == "policy"] == [e for e in here if e["event"] == "policy"]
    (machine,) = job["environments"]
    assert (machine["device"], machine["precision"]) == ("cpu", "float32")
    assert machine["processor"]
    assert machine["instructions"]
    assert machine["runtimes"]["numpy"]
    assert {pack["pin"] for pack in job["packs"]} == set(want["boms"])


def document_of(folder: Path) -> dict[str, Any]:
    """The record of a folder without its times."""
    (path,) = folder.glob("*.provenance.json")
    document: dict[str, Any] = json.loads(path.read_bytes())
    del document["created"], document["updated"]
    for job in document["jobs"].values():
        del job["started"], job["finished"]
    return document


def test_a_callers_policy_refuses_by_reference_too(service: Service, shot: Path, tmp_path: Path) -> None:
    deny = write_policy(tmp_path / "show.toml", '[packs]\ndeny = ["lanczos"]\n').read_bytes()
    for content, sentence in (
        (deny, "refuses lanczos"),
        (b"[show]", "the caller's policy"),
        (b"\xff", "the caller's policy"),
    ):
        with pytest.raises(RightsError, match=sentence):
            render(service.address, upscale(shot), policy=content)
    assert list((shot / "out").iterdir()) == []


def test_errors_are_those_of_a_local_render(service: Service, local: LocalEngine, shot: Path) -> None:
    (shot / "in/plate.1002.exr").unlink()
    gap, none = upscale(shot), upscale(shot)
    none["nodes"]["plate"]["file"] = f"{shot}/in/none.%04d.exr"
    wrong = upscale(shot, tilee=3)
    for document in (gap, none, wrong):
        sentences = []
        for run in (
            lambda document=document: render_graph(parse_graph(document), local),
            lambda document=document: render(service.address, document),
        ):
            with pytest.raises(UnderstudyError) as caught:
                run()
            sentences.append((type(caught.value), str(caught.value)))
        assert sentences[0] == sentences[1]
    assert list((shot / "out").iterdir()) == []


def _lit(shot: Path, **fields: Any) -> dict[str, Any]:
    document = upscale(shot)
    document["nodes"]["up"] = {"type": "relight", "input": "plate", **fields}
    return document


def _timeline(shot: Path, file: str) -> dict[str, Any]:
    document = upscale(shot)
    document["nodes"]["up"] = {"type": "interpolate", "input": "plate", "timeline": {"file": f"{shot}/{file}"}}
    return document


def _with_file(document: dict[str, Any], node: str, file: str) -> dict[str, Any]:
    document["nodes"][node]["file"] = file
    return document


def _outside(shot: Path, name: str) -> dict[str, dict[str, Any]]:
    """A document for each way to name a file in the closed folder."""
    path = f"{shot}/closed/{name}"
    sky = {"type": "environment", "file": path, "colorspace": "ACEScg"}
    (shot / "in/lights.json").write_text(json.dumps({"schema": "understudy.lights/1", "lights": [sky]}))
    return {
        "read": _with_file(upscale(shot), "plate", path),
        "dots": _with_file(upscale(shot), "plate", f"{shot}/in/../closed/{name}"),
        "write": upscale(shot, f"closed/{name}"),
        "write where it may read": upscale(shot, f"in/{name}"),
        "lights": _lit(shot, lights=path),
        "present": _lit(shot, present=path),
        "environment": _lit(shot, lights={"lights": [sky]}),
        "environment of a lights file": _lit(shot, lights=f"{shot}/in/lights.json"),
        "timeline": _timeline(shot, f"closed/{name}"),
        "relative": _with_file(upscale(shot), "plate", f"../../../..{path}"),
    }


def test_nothing_outside_is_touched_and_nothing_is_learned(service: Service, shot: Path) -> None:
    """Whether it exists or not, whatever it is: the answers differ in the path alone, which is the caller's own."""
    answers: dict[str, list[str]] = {}
    for name in ("sky.exr", "none.exr"):
        for way, document in _outside(shot, name).items():
            with pytest.raises(ForbiddenError) as caught:
                render(service.address, document)
            answers.setdefault(way, []).append(str(caught.value).replace(name, "*"))
    assert all(first == second for first, second in answers.values()), answers
    assert {path.name for path in (shot / "closed").iterdir()} == {"sky.exr"}
    assert list((shot / "out").iterdir()) == []


def test_a_frame_that_is_a_link_to_the_outside_is_refused(service: Service, shot: Path) -> None:
    """The pattern lies inside, one of its files does not."""
    (shot / "in/plate.1003.exr").rename(shot / "closed/plate.1003.exr")
    (shot / "in/plate.1003.exr").symlink_to(shot / "closed/plate.1003.exr")
    with pytest.raises(ForbiddenError, match=r"in/plate\.1003\.exr: the service may not read here"):
        render(service.address, upscale(shot))


def test_an_output_that_is_a_link_to_the_outside_is_refused(service: Service, shot: Path) -> None:
    before = (shot / "closed/sky.exr").read_bytes()
    (shot / "out/up.1002.exr").symlink_to(shot / "closed/sky.exr")
    (shot / "out/deep").symlink_to(shot / "closed")
    for out in ("out/up.%04d.exr", "out/deep/up.%04d.exr"):
        with pytest.raises(ForbiddenError, match="may not write here"):
            render(service.address, upscale(shot, out))
    assert (shot / "closed/sky.exr").read_bytes() == before
    assert [path.name for path in (shot / "closed").iterdir()] == ["sky.exr"]


def test_a_guest_names_no_config_of_the_machine(service: Service, shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_module, "is_local", lambda _peer: False)
    for name in ("in/config.ocio", "closed/config.ocio"):
        with pytest.raises(ForbiddenError, match="may not use this OCIO config"):
            render(service.address, {**upscale(shot), "ocio": f"{shot}/{name}"})
        with pytest.raises(ForbiddenError, match="may not use this OCIO config"):
            render(service.address, upscale(shot), ocio_config=f"{shot}/{name}")


def test_a_guest_reads_paths_of_its_own_in_errors_and_no_others(
    service: Service, shot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_module, "is_local", lambda _peer: False)
    with pytest.raises(MissingFileError) as caught:
        render(service.address, _with_file(upscale(shot), "plate", f"{shot}/in/none.exr"))
    assert caught.value.where == f"{shot}/in/none.exr"


def test_without_roots_nothing_is_rendered(engine: FakeEngine, shot: Path) -> None:
    with Service(engine, "127.0.0.1:0") as service, pytest.raises(ForbiddenError, match="reads and writes no files"):
        render(service.address, upscale(shot))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "is no JSON"), ("[" * 100_000, "is no JSON"), ("[]", "is no JSON object"), ("{}", "nodes: is missing")],
)
def test_documents_that_are_none_are_refused(service: Service, text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        render_by_reference(service.address, text, inputs=(), outputs=(), on_event=lambda _: None)


def test_a_document_of_very_many_nodes_is_refused(service: Service, shot: Path) -> None:
    document = upscale(shot)
    document["nodes"] |= {f"n{number}": document["nodes"]["plate"] for number in range(2000)}
    with pytest.raises(GraphError, match="2003 nodes; at most 1000"):
        render(service.address, document)


def test_a_cancel_stops_the_render_and_leaves_whole_frames(serve: Serve, engine: FakeEngine, shot: Path) -> None:
    service = serve(Renaming(engine, "endless"))
    asked = threading.Event()
    caught: list[BaseException] = []

    def run() -> None:
        try:
            render(service.address, upscale(shot), control=Control(cancelled=asked.is_set))
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert engine.entered.acquire(timeout=20)
    asked.set()
    thread.join(20)
    assert isinstance(caught[0], JobCancelledError)
    assert engine.stopped.wait(20)
    wait_until(lambda: not _renders(), "the render's thread ends")
    assert list((shot / "out").iterdir()) == []


def test_a_deadline_stops_the_render(serve: Serve, engine: FakeEngine, shot: Path) -> None:
    service = serve(Renaming(engine, "endless"))
    with pytest.raises(UnderstudyError, match="no answer within"):
        render(service.address, upscale(shot), timeout_s=1.0)
    assert engine.stopped.wait(20)
    wait_until(lambda: not _renders(), "the render's thread ends")


def test_each_request_of_a_render_waits_in_the_queue_as_its_user_s(
    serve: Serve, engine: FakeEngine, shot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = serve(Renaming(engine, "endless"))
    monkeypatch.setenv("UNDERSTUDY_USER", "zoe")
    monkeypatch.setenv("UNDERSTUDY_PRIORITY", "batch")
    cancel = threading.Event()

    def run() -> None:
        with pytest.raises(JobCancelledError):
            render(service.address, upscale(shot), control=Control(cancelled=cancel.is_set))

    rendering = threading.Thread(target=run)
    rendering.start()
    assert engine.entered.acquire(timeout=20)
    running = service._servicer.queue.snapshot().running
    assert {(job.user, job.priority.value, job.label) for job in running} == {("zoe", "batch", "upscale lanczos")}
    cancel.set()
    rendering.join(20)
    assert engine.stopped.wait(20)


def test_no_more_renders_than_allowed(serve: Serve, engine: FakeEngine, shot: Path) -> None:
    service = serve(Renaming(engine, "endless"), max_renders=1)

    def run() -> None:
        with pytest.raises(UnderstudyError):
            render(service.address, upscale(shot))

    first = threading.Thread(target=run)
    first.start()
    assert engine.entered.acquire(timeout=20)
    with pytest.raises(BusyError, match="as much by reference as it may"):
        render(service.address, upscale(shot))
    engine.release.set()
    service.stop(0.0)
    first.join(20)
    assert not first.is_alive()
    assert _renders() == []


def _renders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "understudy-render"]


class Renaming:
    """A fake engine with the packs of a real one, each of which does as one pack of the fake."""

    def __init__(self, engine: FakeEngine, behavior: str) -> None:
        self._engine = engine
        self._behavior = behavior
        self._info = LocalEngine(device="cpu").info()

    def info(self) -> Any:
        return self._info

    def run(self, request: Any, control: Any, /) -> Any:
        from dataclasses import replace

        return self._engine.run(replace(request, pack=replace(request.pack, id=self._behavior)), control)

    def close(self) -> None:
        return


# --- reach ---


def reached(service: Service, *probes: pb.FileProbe) -> list[bool]:
    with grpc.insecure_channel(service.address) as channel:
        ask = channel.unary_unary(
            f"/{SERVICE}/{REACH_METHOD}",
            request_serializer=pb.ReachRequest.SerializeToString,
            response_deserializer=pb.ReachResponse.FromString,
        )
        return list(ask(pb.ReachRequest(probes=probes), timeout=20).reached)


def test_reach_is_true_for_the_same_file_alone(service: Service, shot: Path) -> None:
    (shot / "in/probe").write_bytes(b"random")
    (shot / "closed/probe").write_bytes(b"random")
    (shot / "in/link").symlink_to(shot / "closed/probe")
    plate = shot / "in/plate.1001.exr"
    size, digest = plate.stat().st_size, blake3(plate.read_bytes()).digest()
    probes = {
        "same": pb.FileProbe(path=str(shot / "in/probe"), content=b"random"),
        "same by hash": pb.FileProbe(path=str(plate), size=size, blake3=digest),
        "other content": pb.FileProbe(path=str(shot / "in/probe"), content=b"rando"),
        "other hash": pb.FileProbe(path=str(plate), size=size, blake3=bytes(32)),
        "other size": pb.FileProbe(path=str(plate), size=1, blake3=digest),
        "missing": pb.FileProbe(path=str(shot / "in/none"), content=b"random"),
        "outside": pb.FileProbe(path=str(shot / "closed/probe"), content=b"random"),
        "link": pb.FileProbe(path=str(shot / "in/link"), content=b"random"),
        "folder": pb.FileProbe(path=str(shot / "in"), content=b"random"),
        "device": pb.FileProbe(path="/dev/zero", content=bytes(8)),
        "empty": pb.FileProbe(path=""),
        "nothing": pb.FileProbe(path=str(shot / "in/probe")),
    }
    answers = dict(zip(probes, reached(service, *probes.values()), strict=True))
    assert {name for name, seen in answers.items() if seen} == {"same", "same by hash"}
    with pytest.raises(grpc.RpcError):
        reached(service, *[probes["same"]] * (MAX_PROBES + 1))


def test_a_client_finds_out_that_the_service_sees_other_files(
    serve: Serve, local: LocalEngine, shot: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    service = serve(local)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "plate.1001.exr").write_bytes(b"x")
    with pytest.raises(UsageError, match="does not see the files here as this machine does") as caught:
        render(
            service.address,
            upscale(shot),
            inputs=[elsewhere / "plate.1001.exr"],
            outputs=[shot / "out/new/x.exr"],
        )
    assert str(elsewhere) in str(caught.value)
    assert str(shot / "out") not in str(caught.value)
    assert [path.name for path in elsewhere.iterdir()] == ["plate.1001.exr"]
    assert list((shot / "out").iterdir()) == []


def test_events_of_a_slow_client_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from understudy.service import render_events
    from understudy.service.job import CancelFlag

    monkeypatch.setattr(render_events, "_MOST", 5)
    flag = CancelFlag()
    events = render_events.RenderEvents(flag)

    def work() -> None:
        events.begin()
        for number in range(50):
            events.tell({"event": "frame", "number": number})
            events.tell({"event": "step"})
        events.end()

    thread = threading.Thread(target=work)
    thread.start()
    got = []
    for event in events:
        assert len(events._waiting) <= 5
        got.append(event)
    thread.join(20)
    assert [event["number"] for event in got if event["event"] == "frame"] == list(range(50))
    flag.set()
    with pytest.raises(JobCancelledError):
        events.tell({"event": "frame"})


def test_messages_that_are_none_are_refused(service: Service) -> None:
    with grpc.insecure_channel(service.address) as channel:
        for method, kind in ((REACH_METHOD, "unary_unary"), (RENDER_METHOD, "unary_stream")):
            call = getattr(channel, kind)(f"/{SERVICE}/{method}", response_deserializer=decoder(pb.RenderEvent))
            with pytest.raises(grpc.RpcError) as caught:
                call(b"\xff\xff", timeout=20) if kind == "unary_unary" else next(call(b"\xff\xff", timeout=20))
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
