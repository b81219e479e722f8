# SPDX-License-Identifier: Apache-2.0
"""Bundles are what OpenJD's own model takes, and name every file once, so that a farm may find it elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from shots import Job, make_job
from understudy.cli.main import app
from understudy.contracts.errors import UsageError
from understudy.farm.openjd_paths import asset_references, relocated
from understudy.farm.requirements import Requirements
from understudy.graph.parsing import load_graph, parse_graph

model = pytest.importorskip("openjd.model", reason="needs openjd-cli")

EXTENSIONS = ["TASK_CHUNKING"]


def submit(job: Job, *options: str) -> Path:
    folder = job.graph.parent / "bundle"
    command = ["submit", str(job.graph), "--to", "openjd", "--out", str(folder), *options]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder


def read(folder: Path, name: str = "template") -> Any:
    return yaml.safe_load((folder / f"{name}.yaml").read_text())


def created(folder: Path, **values: str) -> Any:
    """The job that OpenJD makes of a bundle: the template and every format string in it are checked."""
    template = model.decode_job_template(template=read(folder), supported_extensions=EXTENSIONS)
    given = model.preprocess_job_parameters(
        job_template=template,
        job_parameter_values=read(folder, "openjd_parameters") | values,
        job_template_dir=folder,
        current_working_dir=folder,
    )
    return model.create_job(job_template=template, job_parameter_values=given)


def chunks_of(job: Any) -> list[str]:
    space = model.StepParameterSpaceIterator(space=job.steps[0].parameterSpace)
    return [task["Frame"].value for task in space]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return make_job(tmp_path, frames=8)


def test_openjd_takes_the_bundle_and_shares_out_every_frame(job: Job) -> None:
    made = created(submit(job, "--chunk", "3", "--name", "sh010 {{slow}}"))
    assert made.name == "sh010 { {slow} }"
    assert [step.name for step in made.steps] == ["Render", "Verify"]
    assert made.steps[1].dependencies[0].dependsOn == "Render"
    assert chunks_of(made) == ["1001-1003", "1004-1006", "1007-1008"]
    action = made.steps[0].script.actions.onRun
    assert action.timeout > 600
    assert action.cancelation.notifyPeriodInSeconds >= 5
    amounts = {one.name: one.min for one in made.steps[0].hostRequirements.amounts}
    assert amounts["amount.worker.vcpu"] == 4
    assert 512 < amounts["amount.worker.memory"] < 4096


def test_every_second_frame_goes_into_full_chunks(job: Job) -> None:
    folder = submit(job, "--chunk", "2", "--frames", "1001-1007x2")
    assert chunks_of(created(folder)) == ["1001,1003", "1005,1007"]
    assert chunks_of(created(submit(job, "--chunk", "2", "--frames", "1001-1007x2", "--contiguous")))[0] == "1001-1001"
    assert chunks_of(created(submit(job, "--chunk", "3", "--frames", "1001-1005,1008", "--scattered"))) == [
        "1001-1003",
        "1004,1005,1008",
    ]


def test_the_farm_may_choose_the_size_of_chunks(job: Job) -> None:
    folder = submit(job, "--seconds-per-chunk", "90")
    space = created(folder).steps[0].parameterSpace
    assert model.StepParameterSpaceIterator(space=space).chunks_adaptive
    fixed = created(folder, TargetSeconds="0").steps[0].parameterSpace
    assert not model.StepParameterSpaceIterator(space=fixed).chunks_adaptive


def test_each_folder_is_one_parameter_and_the_graph_finds_it_elsewhere(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = submit(job)
    definitions = {one["name"]: one for one in read(folder)["parameterDefinitions"]}
    flows = {name: (one["dataFlow"], one["objectType"]) for name, one in definitions.items() if one["type"] == "PATH"}
    inputs = {"Graph": ("IN", "FILE"), "plate_folder": ("IN", "DIRECTORY")}
    assert flows == {**inputs, "out_folder": ("OUT", "DIRECTORY")}
    values = {one["name"]: one["value"] for one in read(folder, "parameter_values")["parameterValues"]}
    assert values == read(folder, "openjd_parameters")
    assert values == {"plate_folder": str(tmp_path / "plates"), "out_folder": str(tmp_path / "out")}
    variables = read(folder)["jobEnvironments"][0]["variables"]
    for name, text in variables.items():
        monkeypatch.setenv(name, values[text.removeprefix("{{Param.").removesuffix("}}")])
    assert load_graph(folder / "graph.yaml").digest == load_graph(job.graph).digest
    monkeypatch.setenv("UNDERSTUDY_FARM_plate_folder", "/elsewhere")
    assert load_graph(folder / "graph.yaml").nodes["plate"].file == "/elsewhere/plate.%04d.exr"


def test_documents_stills_and_configs_are_files_of_a_job_too(tmp_path: Path) -> None:
    sky = {"type": "environment", "file": "sky.exr", "name": "sky"}
    (tmp_path / "new.json").write_text(json.dumps({"schema": "understudy.lights/1", "lights": [sky]}))
    nodes = {
        "a-b": {"type": "read", "file": f"{tmp_path}/in/plate.####.exr"},
        "still": {"type": "read", "file": f"{tmp_path}/in/still.exr"},
        "a_b": {"type": "read", "file": f"{tmp_path}/other/n.%04d.exr"},
        "same": {"type": "read", "file": f"{tmp_path}/in/other.%04d.exr"},
        "lit": {"type": "relight", "input": "a-b", "lights": f"{tmp_path}/new.json"},
        "out": {"type": "write", "input": "lit", "file": f"{tmp_path}/in/out.%04d.exr"},
    }
    document = {"schema": "understudy.graph/1", "ocio": f"{tmp_path}/ocio/show.ocio", "nodes": nodes}
    graph, parameters = relocated(parse_graph(document))
    assert {one.name: (one.path.removeprefix(str(tmp_path)), one.kind, one.flow) for one in parameters} == {
        "ocio_folder": ("/ocio", "DIRECTORY", "IN"),
        "a_b_folder": ("/in", "DIRECTORY", "IN"),
        "still_file": ("/in/still.exr", "FILE", "IN"),
        "a_b_folder_2": ("/other", "DIRECTORY", "IN"),
        "lit_lights": ("/new.json", "FILE", "IN"),
        "out_folder": ("/in", "DIRECTORY", "OUT"),
    }
    assert graph.nodes["same"].file == "${UNDERSTUDY_FARM_a_b_folder}/other.%04d.exr"
    assert graph.nodes["lit"].lights == "${UNDERSTUDY_FARM_lit_lights}"
    assets = asset_references(parse_graph(document), parameters)["assetReferences"]
    assert assets["inputs"]["filenames"] == [str(tmp_path / "sky.exr")]
    assert assets["outputs"]["directories"] == [str(tmp_path / "in")]


def test_a_still_is_one_task(tmp_path: Path) -> None:
    job = make_job(tmp_path, frames=8)
    nodes = {
        "plate": {"type": "read", "file": "plates/plate.1001.exr", "colorspace": "ACEScg"},
        "half": {"type": "interpolate", "input": "plate", "at": 1001},
        "out": {"type": "write", "input": "half", "file": "still.exr"},
    }
    job.graph.write_text(yaml.safe_dump({"schema": "understudy.graph/1", "record": False, "nodes": nodes}))
    made = created(submit(job))
    assert [step.name for step in made.steps] == ["Render"]
    assert made.steps[0].parameterSpace is None


def test_publish_policy_and_draft_reach_every_task(job: Job, tmp_path: Path) -> None:
    policy = tmp_path / "show.toml"
    policy.write_text('schema = "understudy.policy/1"\n[show]\nname = "test"\napproved_by = "me"\n')
    made = created(submit(job, "--publish", str(tmp_path / "published"), "--policy", str(policy)))
    assert [step.name for step in made.steps] == ["Render", "Publish"]
    publish = [str(word) for word in made.steps[1].script.actions.onRun.args]
    assert publish == ["publish", "{{Param.Graph}}", "--to", "{{Param.PublishRoot}}", "--policy", "{{Param.Policy}}"]
    enter = made.steps[0].stepEnvironments[0].script.actions.onEnter
    for action in (enter, made.steps[0].script.actions.onRun):
        assert "--policy {{Param.Policy}}" in " ".join(str(word) for word in action.args)
    assert read(tmp_path / "bundle", "openjd_parameters")["Policy"] == str(policy)
    draft = created(submit(job, "--draft"))
    assert "--draft" in [str(word) for word in draft.steps[0].script.actions.onRun.args]
    with pytest.raises(UsageError):
        submit(job, "--draft", "--publish", str(tmp_path))


def test_what_a_machine_needs_follows_the_estimate() -> None:
    needs = Requirements(cores=8, ram_bytes=3 * 2**30 + 1, vram_bytes=2**30, seconds_per_frame=2.0)
    amounts = {one["name"].removeprefix("amount.worker."): one["min"] for one in needs.host_requirements()["amounts"]}
    assert amounts == {"vcpu": 8, "memory": 3073, "gpu": 1, "gpu.memory": 1024}
    assert needs.timeout_s(10, 0) == 600 + 4 * 20
    assert needs.timeout_s(10, 300) == 600 + 4 * 300
    assert Requirements(cores=1).timeout_s(10, 0) == 0
