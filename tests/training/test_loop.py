# SPDX-License-Identifier: Apache-2.0
"""The loop: a run learns, stops and goes on, and ends early when it is told to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from understudy_training.errors import TrainingError
from understudy_training.log import read_log
from understudy_training.loop import RunOptions, train
from understudy_training.recipe import read_recipe
from understudy_training.result import read_result
from understudy_training.tasks.sharpen import SharpenTask

pytestmark = pytest.mark.torch
_TRAINING = Path(__file__).resolve().parents[2] / "training"


def _start(out: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "understudy_training", "train", "sharpen", "--out", str(out), "--device", "cpu"]
    quick = ["--set", "run.checkpoint_seconds=0.05", "--set", "run.steps=150", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(_TRAINING), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen([*command, *quick], env=environment, stdout=pipe, stderr=pipe, text=True)


def _stop(out: Path, number: int) -> int:
    """Starts the run, stops it by a signal once it has written two checkpoints, and returns how it ended."""
    run = _start(out)
    checkpoints = 0
    for line in run.stdout:
        checkpoints += '"checkpoint"' in line
        if checkpoints == 2:
            break
    os.kill(run.pid, number)
    run.communicate()
    assert not (out / "result.toml").exists()
    return run.returncode


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    assert _stop(tmp_path / "stopped", signal.SIGKILL) == -signal.SIGKILL
    assert _stop(tmp_path / "stopped", signal.SIGTERM) == 130
    for name in ("stopped", "whole"):
        run = _start(tmp_path / name)
        _, told = run.communicate()
        assert run.returncode == 0, told
    events = read_log(tmp_path / "stopped" / "log.jsonl")
    resumed = [event["step"] for event in events if event["event"] == "resumed"]
    interrupted = [event["step"] for event in events if event["event"] == "interrupted"]
    assert 0 < resumed[0] < resumed[1] < 150
    assert interrupted == [resumed[1]]
    for file in ("best.safetensors", "last.safetensors"):
        assert (tmp_path / "stopped" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_who_draws_the_batches_does_not_matter(tmp_path: Path) -> None:
    settings = ["run.steps=9", "run.warmup_steps=2", "run.cooldown_steps=3", "run.validate_steps=9", "run.echo=2"]
    recipe = read_recipe("sharpen", settings)
    for workers in (0, 2):
        train(recipe, tmp_path / str(workers), RunOptions("cpu", workers=workers))
    weights = [(tmp_path / str(workers) / "last.safetensors").read_bytes() for workers in (0, 2)]
    assert weights[0] == weights[1]


def test_a_run_ends_when_its_time_is_over_and_tells_its_true_steps(tmp_path: Path) -> None:
    recipe = read_recipe("sharpen", ["run.steps=1000000", "run.cooldown_steps=250000", "run.validate_steps=1000000"])
    train(recipe, tmp_path, RunOptions("cpu", stop_after_s=1.5))
    result = read_result(tmp_path)
    events = {event["event"]: event for event in read_log(tmp_path / "log.jsonl")}
    assert result["steps"] == events["ending"]["steps"] == events["ending"]["step"] + result["cooldown_steps"]
    assert 0 < result["steps_done"] <= result["steps"] < 1_000_000
    assert result["best_step"] == result["steps_done"]


def test_steps_that_share_a_batch_see_the_same_pictures_varied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Varied(SharpenTask):
        def vary(self, batch: dict[str, torch.Tensor], rng: torch.Generator) -> dict[str, torch.Tensor]:
            turns = int(torch.randint(1, 4, (), generator=rng))
            return {name: value.rot90(turns, (2, 3)) for name, value in batch.items()}

        def loss(
            self, network: torch.nn.Module, batch: dict[str, torch.Tensor], progress: float
        ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
            seen.append(batch["sharp"])
            return super().loss(network, batch, progress)

    monkeypatch.setattr("understudy_training.tasks.sharpen.TASK", Varied)
    changes = ["run.steps=6", "run.warmup_steps=0", "run.cooldown_steps=0", "run.echo=3"]
    train(read_recipe("sharpen", changes), tmp_path, RunOptions("cpu"))
    sums = [float(batch.double().sum()) for batch in seen]
    assert len({round(value, 4) for value in sums[:3]}) == len({round(value, 4) for value in sums[3:]}) == 1
    assert abs(sums[0] - sums[3]) > 0.1
    assert not all(torch.equal(seen[0], batch) for batch in seen[1:3])


def test_a_loss_that_is_not_finite_is_stepped_back_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bad(SharpenTask):
        def loss(
            self, network: torch.nn.Module, batch: dict[str, torch.Tensor], progress: float
        ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
            loss, _ = super().loss(network, batch, progress)
            broken = 0.5 < progress < 0.55
            return loss * float("nan") if broken else loss, {"unknown": torch.tensor(float("nan"))}

    monkeypatch.setattr("understudy_training.tasks.sharpen.TASK", Bad)
    train(read_recipe("sharpen", ["run.steps=200"]), tmp_path, RunOptions("cpu"))
    result = read_result(tmp_path)
    assert result["rollbacks"] == 1
    assert result["validation"]["score"] > result["validation"]["baseline_psnr"]
    assert result["best_step"] == 200


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    train(read_recipe("sharpen", ["run.steps=2", "run.warmup_steps=0", "run.cooldown_steps=0"]), tmp_path)
    with pytest.raises(TrainingError, match="another recipe"):
        train(read_recipe("sharpen"), tmp_path)


def test_weights_to_start_from_are_taken(tmp_path: Path) -> None:
    train(read_recipe("sharpen"), tmp_path / "first", RunOptions("cpu"))
    best = tmp_path / "first" / "best.safetensors"
    short = read_recipe("sharpen", ["run.steps=1", "run.warmup_steps=0", "run.cooldown_steps=0"])
    train(short, tmp_path / "second", RunOptions("cpu", init=best))
    scores = [read_result(tmp_path / name)["validation"]["score"] for name in ("first", "second")]
    assert abs(scores[1] - scores[0]) < 0.5
