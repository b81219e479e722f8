# SPDX-License-Identifier: Apache-2.0
"""Bundles as a farm runs them, by `openjd run`: whole, with a chunk that fails and is run again, and cancelled."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from own_environment import NotInstalledError, own_python
from shots import Job, make_job
from understudy.cli.main import app
from understudy.graph.parsing import load_graph
from understudy.graph.render import render_graph
from understudy.provenance.recorder import Recorder
from understudy.roles.engine import LocalEngine

pytest.importorskip("openjd.cli", reason="needs openjd-cli")
pytestmark = pytest.mark.e2e

_SERVING = re.compile(r"service for this session is at unix:(\S+)")


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command as a worker has it, on this Python."""
    path = tmp_path_factory.mktemp("bin") / "understudy"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m understudy "$@"\n')
    path.chmod(0o755)
    return path


def bundle(job: Job, *options: str) -> Path:
    folder = job.graph.parent / f"bundle-{job.out.name}"
    submit = ["submit", str(job.graph), "--to", "openjd", "--out", str(folder), *options]
    done = CliRunner().invoke(app, submit, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder


def openjd(folder: Path, command: Path, *options: str) -> list[str]:
    values = (f"file://{folder}/openjd_parameters.yaml", f"Understudy={command}")
    given = [word for value in values for word in ("-p", value)]
    return [sys.executable, "-m", "openjd", "run", str(folder / "template.yaml"), *given, *options]


def run(folder: Path, command: Path, *options: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(openjd(folder, command, *options), capture_output=True, text=True, timeout=240)
    services = _SERVING.findall(done.stdout)
    assert not [path for path in services if Path(path).exists()], "a service was left behind"
    return done


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """What `understudy render` makes; jobs of the same folder read the same plates."""
    job = make_job(tmp_path_factory.mktemp("farm"), frames=8, out="alone")
    engine = LocalEngine()
    render_graph(load_graph(job.graph), engine, witness=Recorder())
    engine.close()
    return job


@pytest.fixture
def plates(undisturbed: Job) -> Iterator[Path]:
    """The plates of the job, which are all there again afterwards."""
    folder = undisturbed.graph.parent / "plates"
    yield folder
    for away in folder.glob("*.away"):
        away.rename(away.with_suffix(""))


def test_a_farm_makes_the_bytes_of_render_and_checks_them(undisturbed: Job, command: Path) -> None:
    job = make_job(undisturbed.graph.parent, frames=8, out="whole")
    folder = bundle(job, "--chunk", "4", "--scattered", "--frames", "1001-1005,1007-1008")
    done = run(folder, command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("openjd_progress: 100.0") == 2
    assert "frames 1005,1007,1008: 3 rendered" in done.stdout
    assert "big.provenance.json: 7 frames, 0 errors" in done.stdout
    alone = undisturbed.pictures()
    assert job.pictures() == {name: content for name, content in alone.items() if name != "big.1006.exr"}
    assert not job.strays()


def test_a_chunk_that_failed_is_run_again_and_nothing_else(undisturbed: Job, command: Path, plates: Path) -> None:
    job = make_job(undisturbed.graph.parent, frames=8, out="failed")
    folder = bundle(job, "--chunk", "4")
    (plates / "plate.1004.exr").rename(plates / "plate.1004.exr.away")
    done = run(folder, command)
    assert done.returncode == 1
    (told,) = [line for line in done.stdout.splitlines() if "\topenjd_fail:" in line]
    assert "1004" in told
    assert "(exit code 3)" in told
    assert "Running step 'Verify'" not in done.stdout
    kept = job.pictures()
    assert {f"big.{frame}.exr" for frame in range(1001, 1005)} <= set(kept)
    (plates / "plate.1004.exr.away").rename(plates / "plate.1004.exr")
    made = {path: path.stat().st_mtime_ns for path in job.out.glob("*.exr")}
    again = run(folder, command, "--step", "Render", "--tasks", json.dumps([{"Frame": "1005-1008"}]))
    assert again.returncode == 0, again.stdout + again.stderr
    assert job.pictures() == undisturbed.pictures()
    assert all(path.stat().st_mtime_ns == before for path, before in made.items())
    assert not job.strays()


def test_a_cancelled_job_leaves_neither_a_service_nor_half_a_frame(tmp_path: Path, command: Path) -> None:
    job = make_job(tmp_path, frames=100)
    folder = bundle(job, "--chunk", "100")
    told: list[str] = []
    with subprocess.Popen(
        openjd(folder, command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told.append(line)
            if "understudy: frame 1003" in line:
                process.send_signal(signal.SIGINT)
        assert process.wait(60) == 1, "".join(told)
    text = "".join(told)
    assert "openjd_fail: the job was cancelled" in text
    assert "the service is stopped" in text
    (socket,) = _SERVING.findall(text)
    assert not Path(socket).exists()
    assert 3 <= len(job.pictures()) < 100
    assert not job.strays()


def test_a_service_that_can_not_start_says_why(undisturbed: Job, command: Path) -> None:
    job = make_job(undisturbed.graph.parent, frames=8, out="refused")
    policy = undisturbed.graph.parent / "show.toml"
    policy.write_text('schema = "understudy.policy/1"\n[show]\nname = "test"\napproved_by = "me"\n')
    folder = bundle(job, "--policy", str(policy))
    policy.write_text('schema = "understudy.policy/1"\n')
    done = run(folder, command)
    assert done.returncode == 1
    (told,) = [line for line in done.stdout.splitlines() if "\topenjd_fail:" in line]
    assert "show.toml" in told
    assert "Running Task" not in done.stdout


def test_deadline_reads_the_bundle(undisturbed: Job) -> None:
    python = os.environ.get("UNDERSTUDY_DEADLINE_PYTHON", "")
    if not python:
        try:
            python = str(own_python("deadline-0.60", ("deadline==0.60.*",), "import deadline.client.job_bundle"))
        except NotInstalledError as error:
            pytest.skip(f"deadline can't be installed: {error}")
    folder = bundle(make_job(undisturbed.graph.parent, frames=8, out="cloud"))
    script = (
        "import json, sys; from deadline.client.job_bundle.parameters import read_job_bundle_parameters as read;"
        "from deadline.client.job_bundle.loader import read_yaml_or_json_object as load;"
        "from deadline.client.job_bundle.submission import AssetReferences;"
        "assets = AssetReferences.from_dict(load(sys.argv[1], 'asset_references', required=False));"
        "print(json.dumps([read(sys.argv[1]), sorted(assets.output_directories)]))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [python, "-c", script, str(folder)], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    parameters, outputs = json.loads(done.stdout)
    values = yaml.safe_load((folder / "openjd_parameters.yaml").read_text())
    found = {one["name"]: one.get("value", one.get("default")) for one in parameters}
    assert found.items() >= values.items()
    assert {one["name"]: one["dataFlow"] for one in parameters if "dataFlow" in one} == {
        "Graph": "IN",
        "plate_folder": "IN",
        "out_folder": "OUT",
    }
    assert outputs == [str(undisturbed.graph.parent / "cloud")]
