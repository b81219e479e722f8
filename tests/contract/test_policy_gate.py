# SPDX-License-Identifier: Apache-2.0
"""A refused pack is not loaded and not rendered with: in this process, and by a service, whoever asks and how."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner

from contract.inference.rig import Ask, noise, refused, request_for
from understudy.cli.main import app
from understudy.cli.packs import packs_app
from understudy.client.engine import RemoteEngine
from understudy.contracts.errors import RightsError
from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import blank_plate
from understudy.frames.write import write_plate
from understudy.graph.parsing import parse_graph
from understudy.graph.render import render_graph
from understudy.packs.bom import BOM_NAME
from understudy.packs.policy import load_policy
from understudy.roles.engine import LocalEngine
from understudy.roles.pack_settings import PackSettings
from understudy.service.server import Service
from unit.packs.pack_folders import make_pack, write_record
from unit.packs.policies import write_policy

DENY = '[packs]\ndeny = ["lanczos"]\n'
_LIGHTS = Path(__file__).parents[2] / "examples" / "lights" / "sun.json"
SENTENCE = 'the policy of show "ABC" refuses lanczos@1.0.0#'


def _request(pack: str = "lanczos") -> RoleRequest:
    plate = blank_plate(noise(8, 8, 3), ("R", "G", "B"), colorspace="ACEScg", frame=1)
    return RoleRequest(pack=PackPin(id=pack), params=UpscaleParams(), plates={"plate": plate})


@pytest.fixture(scope="module")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_policy(tmp_path_factory.mktemp("policy") / "policy.toml", DENY)


@pytest.fixture(scope="module")
def gated(policy_file: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine(device="cpu", settings=PackSettings(policy=policy_file))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def open_to_all() -> Iterator[LocalEngine]:
    engine = LocalEngine(device="cpu")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def address(gated: LocalEngine) -> Iterator[str]:
    with Service(gated, "127.0.0.1:0") as service:
        yield service.address


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    for frame in (1, 2):
        plate = blank_plate(noise(8, 8, 3), ("R", "G", "B"), colorspace="ACEScg", frame=frame)
        write_plate(plate, tmp_path / f"plate.{frame:04d}.exr")
    return tmp_path


def _graph(folder: Path, pack: str = "lanczos") -> Any:
    nodes = {
        "plate": {"type": "read", "file": str(folder / "plate.%04d.exr"), "colorspace": "ACEScg"},
        "up": {"type": "upscale", "input": "plate", "pack": pack},
        "out": {"type": "write", "input": "up", "file": str(folder / "out" / "up.%04d.exr")},
    }
    return parse_graph({"schema": "understudy.graph/1", "nodes": nodes})


def test_an_engine_loads_no_refused_pack(gated: LocalEngine) -> None:
    pin = PackPin(id="lanczos")
    for attempt in (
        lambda: gated.load(pin),
        lambda: gated.lease(pin).__enter__(),
        lambda: gated.run(_request()),
    ):
        with pytest.raises(RightsError, match="deny"):
            attempt()
    assert {state.state for state in gated.states() if state.pin.id == "lanczos"} == {"available"}
    assert gated.run(_request("identity-upscale")).plates


def test_an_engine_says_what_it_refuses_and_by_which_policy(gated: LocalEngine, policy_file: Path) -> None:
    info = gated.info()
    assert {pack.pin.id for pack in info.packs if pack.refused} == {"lanczos"}
    assert info.policy == load_policy(policy_file).info
    badges = {pack.pin.id: pack.badge for pack in info.packs}
    # That what a pack learned from was drawn is its author's word alone; one that never learned has nothing to prove.
    assert badges["shaded-solids"] == "amber"
    assert badges["shape-from-shading"] == badges["lanczos"] == "green"


def test_a_broken_policy_starts_no_engine(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("[show]\n")
    with pytest.raises(RightsError):
        LocalEngine(device="cpu", settings=PackSettings(policy=tmp_path / "policy.toml"))
    with pytest.raises(RightsError):
        LocalEngine(device="cpu", settings=PackSettings(policy=tmp_path / "gone.toml"))


def test_a_changed_pack_that_is_refused_does_not_take_over(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "packs" / "mine", bom=True)
    rules = write_policy(tmp_path / "policy.toml", "[packs]\ngenerative = false\n")
    said = '[rights]\ngenerative = "no"\n'
    (folder / "pack.toml").write_text((folder / "pack.toml").read_text() + said)
    engine = LocalEngine(device="cpu", extra_packs=[folder], settings=PackSettings(policy=rules))
    try:
        with engine.lease(PackPin(id="mine")) as packed:
            before = packed.pin
        (folder / "pack.toml").write_text((folder / "pack.toml").read_text().replace(said, said.replace("no", "yes")))
        engine.refresh()
        with engine.lease(PackPin(id="mine")) as packed:
            assert packed.pin == before
        assert any("generative" in failure.problem for failure in engine.info().failures)
    finally:
        engine.close()


def test_a_service_refuses_for_every_client(address: str, plates: Path) -> None:
    remote = RemoteEngine(address)
    try:
        with pytest.raises(RightsError) as caught:
            remote.run(_request())
        assert SENTENCE in str(caught.value)
        assert {pack.pin.id: pack.badge for pack in remote.info().packs if pack.refused} == {"lanczos": "green"}
        assert remote.info().policy is not None
        with pytest.raises(RightsError, match=r"nodes\.up\.pack") as caught:
            render_graph(_graph(plates), remote)
        assert str(caught.value).count("ABC") == 1
    finally:
        remote.close()
    assert not (plates / "out").exists()


def test_the_inference_protocol_is_no_way_around(address: str) -> None:
    with Ask(address) as ask:
        calls = (
            lambda: ask("RepositoryModelLoad", model_name="lanczos"),
            lambda: ask("ModelMetadata", name="lanczos"),
            lambda: ask("ModelConfig", name="lanczos"),
            lambda: ask.infer(request_for("lanczos", {"image": noise(8, 8, 3)}, scale=2.0)),
        )
        for call in calls:
            code, text = refused(call)
            assert code is grpc.StatusCode.PERMISSION_DENIED
            assert SENTENCE in text
        assert ask("ModelReady", name="lanczos").ready is False
        index = {model.name: model for model in ask("RepositoryIndex").models}
        assert index["lanczos"].state == "UNAVAILABLE"
        assert SENTENCE in index["lanczos"].reason
        assert ask("ModelReady", name="identity-upscale").ready is True


def test_a_clients_policy_refuses_before_a_frame_is_read(
    open_to_all: LocalEngine, policy_file: Path, plates: Path
) -> None:
    events: list[dict[str, Any]] = []
    for path in plates.glob("plate.*.exr"):
        path.unlink()  # a read would fail in another way
    with pytest.raises(RightsError, match=r"nodes\.up\.pack"):
        render_graph(_graph(plates), open_to_all, on_event=events.append, policy=load_policy(policy_file))
    assert events == []


def test_a_render_tells_policy_and_badge(open_to_all: LocalEngine, policy_file: Path, plates: Path) -> None:
    events: list[dict[str, Any]] = []
    rules = load_policy(policy_file)
    graph = _graph(plates, "identity-upscale")
    render_graph(graph, open_to_all, on_event=events.append, policy=rules, frames="1")
    told = {event["event"]: event for event in events}
    assert told["policy"] == {"event": "policy", "by": "caller", "show": "ABC", "sha256": rules.sha256}
    assert told["pack"]["badge"] == "green"
    assert "it never learned, so no training data has rights in it" in told["pack"]["badge_reasons"]


def test_new_light_on_talent_needs_a_consent(open_to_all: LocalEngine, plates: Path) -> None:
    nodes = {
        "plate": {"type": "read", "file": str(plates / "plate.%04d.exr"), "colorspace": "ACEScg"},
        "sun": {"type": "relight", "input": "plate", "pack": "identity-relight", "lights": str(_LIGHTS)},
        "out": {"type": "write", "input": "sun", "file": str(plates / "out" / "lit.%04d.exr")},
    }
    document: dict[str, Any] = {"schema": "understudy.graph/1", "nodes": nodes}
    with pytest.raises(RightsError, match="new light") as caught:
        render_graph(parse_graph({**document, "rights": {"talent": True}}), open_to_all)
    assert caught.value.where == "nodes.sun"
    assert not (plates / "out").exists()
    for rights in ({"talent": True, "consent": ["C-17"]}, {"talent": False}, {}):
        render_graph(parse_graph({**document, "rights": rights}), open_to_all, frames="1")


@pytest.mark.parametrize("how", ["--policy", "$UNDERSTUDY_POLICY"])
def test_commands_end_with_exit_code_7(how: str, policy_file: Path, plates: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv("UNDERSTUDY_POLICY", raising=False)
    command = ["upscale", str(plates / "plate.%04d.exr"), str(plates / "out.%04d.exr"), "--pack", "lanczos"]
    command += ["--colorspace", "ACEScg"]
    if how == "--policy":
        command += ["--policy", str(policy_file)]
    else:
        monkeypatch.setenv("UNDERSTUDY_POLICY", str(policy_file))
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, RightsError)
    assert result.exception.exit_code == 7
    assert not list(plates.glob("out*"))


def test_packs_commands_judge_by_the_policy(policy_file: Path) -> None:
    runner = CliRunner()
    listed = json.loads(runner.invoke(packs_app, ["list", "--policy", str(policy_file), "--json"]).stdout)
    assert {pack["id"] for pack in listed["packs"] if pack["refused"]} == {"lanczos"}
    assert listed["policy"]["show"] == "ABC"
    text = runner.invoke(packs_app, ["list", "--policy", str(policy_file)]).stdout
    assert "by the policy of show ABC" in text
    assert SENTENCE in text
    shown = runner.invoke(packs_app, ["show", "lanczos", "--policy", str(policy_file)]).stdout
    assert "badge: green" in shown
    assert "refused: " in shown


def test_the_bom_command_writes_checks_and_compares(tmp_path: Path) -> None:
    runner = CliRunner()
    folder = make_pack(tmp_path / "mine")
    assert runner.invoke(packs_app, ["bom", str(folder), "--check"]).exit_code == 6
    assert not (folder / BOM_NAME).exists()
    told = json.loads(runner.invoke(packs_app, ["bom", str(folder), "--json"]).stdout)
    assert (told["changed"], told["badge"]) == (True, "amber")
    assert runner.invoke(packs_app, ["bom", str(folder), "--check"]).exit_code == 0
    assert json.loads((folder / BOM_NAME).read_text())["serialNumber"] == told["serial"]
    elsewhere = tmp_path / "elsewhere.json"
    assert runner.invoke(packs_app, ["bom", str(folder), "--out", str(elsewhere)]).exit_code == 0
    assert elsewhere.read_bytes() == (folder / BOM_NAME).read_bytes()
    (folder / "README.md").write_text("# Mine\n\n## Limits\n\nNone at all.\n")
    assert runner.invoke(packs_app, ["bom", str(folder), "--check"]).exit_code == 6
    (folder / "adapter.py").write_text("# other bytes\n")
    assert runner.invoke(packs_app, ["bom", str(folder)]).exit_code != 0
    write_record(folder)


def test_a_policy_that_changes_holds_from_the_next_request_on(tmp_path: Path) -> None:
    file = write_policy(tmp_path / "policy.toml", "")
    engine = LocalEngine(device="cpu", settings=PackSettings(policy=file))
    try:
        engine.run(_request())  # the model is in memory from here on
        before = engine.info()
        assert before.policy is not None
        write_policy(tmp_path / "new.toml", DENY).replace(file)
        with pytest.raises(RightsError, match="deny"):
            engine.run(_request())
        after = engine.info()
        assert after.policy is not None
        assert after.policy.sha256 != before.policy.sha256
        assert next(pack.refused for pack in after.packs if pack.pin.id == "lanczos")

        file.write_text("no policy", encoding="utf-8")
        for _ in range(2):
            with pytest.raises(RightsError, match=r"policy\.toml"):
                engine.run(_request())
        broken = engine.info()
        assert broken.policy == after.policy  # what was right last is told, beside what is wrong now
        assert "policy.toml" in broken.failures[-1].path
        file.unlink()
        with pytest.raises(RightsError, match="there is no such policy"):
            engine.run(_request())

        write_policy(file, "")
        engine.run(_request())
        assert engine.info().policy == before.policy
        assert engine.info().failures == before.failures
    finally:
        engine.close()
