# SPDX-License-Identifier: Apache-2.0
"""The training loop: AdamW on batches that are drawn as they are needed, kept by validation, resumed after a kill.

What a step sees is drawn from a random generator seeded by the recipe's seed and the step alone. So a resumed run sees
what an undisturbed one sees, and no picture is ever stored.
"""

import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from understudy_training.averaging import AveragedNetwork
from understudy_training.checkpoint import CHECKPOINT, Progress, read_checkpoint, write_checkpoint
from understudy_training.devices import choose_device, device_name, torch_set_up
from understudy_training.drawers import Drawers
from understudy_training.errors import TrainingError
from understudy_training.generator_version import generator_version
from understudy_training.log import Listener, RunLog
from understudy_training.recipe import Recipe, RunSettings
from understudy_training.result import RECIPE, RESULT, weights_of, write_result
from understudy_training.safetensors_file import read_safetensors, write_safetensors
from understudy_training.seeds import seeded
from understudy_training.stop_signals import StopSignals
from understudy_training.task import Task, load_task

BEST = "best.safetensors"
LAST = "last.safetensors"
LOG = "log.jsonl"

_MOST_ROLLBACKS = 10
_OVERTIME = 1.05
_MARGIN = 0.97


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a recipe is run here; none of it is part of the recipe.

    Attributes:
        device: ``cpu`` or ``cuda``; empty takes CUDA where it is.
        threads: CPU threads; None takes the recipe's.
        stop_after_s: Seconds of training after which the run should be over: its cool-down is brought forward.
        init: A file of weights to start from; those whose name and shape fit are taken.
        workers: Processes that draw batches ahead; none draws each when it is needed.
    """

    device: str = ""
    threads: int | None = None
    stop_after_s: float | None = None
    init: Path | None = None
    workers: int = 0


def train(recipe: Recipe, folder: Path, options: RunOptions | None = None, listener: Listener | None = None) -> Path:
    """Runs a recipe, or goes on with a run that was stopped.

    Args:
        recipe: What to run.
        folder: The run's folder: log, checkpoint, weights and ``result.toml``.
        options: How it is run here.
        listener: Hears each event of the log.

    Returns:
        The result file. A run that is done already is left alone.

    Raises:
        TrainingError: The recipe, the device or the folder can't be used, or the loss stays not finite.
        KeyboardInterrupt: The run was interrupted; its state is saved.
    """
    options = options or RunOptions()
    task = load_task(recipe.task, recipe.options, where=recipe.source.name)
    device = choose_device(options.device)
    _prepare(folder, recipe)
    if (folder / RESULT).is_file():
        if listener:
            listener({"event": "skipped", "file": str(folder / RESULT)})
        return folder / RESULT
    with torch_set_up(device, recipe.run.threads if options.threads is None else options.threads):
        return _Run(recipe, task, folder, device, options, RunLog(folder / LOG, listener)).run()


def _prepare(folder: Path, recipe: Recipe) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / RECIPE
        if path.is_file() and path.read_text(encoding="utf-8") != recipe.text:
            problem = "holds a run of another recipe, or of this one before it changed"
            raise TrainingError(problem, where=str(folder), fix="give another --out, or delete the folder")
        path.write_text(recipe.text, encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"can't be written: {error.strerror}", where=str(folder), exit_code=1) from None


class _Run:
    """One run: its network, optimizer and progress."""

    def __init__(
        self, recipe: Recipe, task: Task, folder: Path, device: torch.device, options: RunOptions, log: RunLog
    ) -> None:
        self._recipe, self._task, self._folder, self._device, self._log = recipe, task, folder, device, log
        self._settings: RunSettings = recipe.run
        self._options = options
        self._generator = generator_version(recipe.task)
        torch.manual_seed(recipe.seed)
        self._network: nn.Module = task.network().to(device).train()
        self._init = self._start_from(options.init) if options.init else ""
        if self._settings.channels_last:
            self._network = self._network.to(memory_format=torch.channels_last)
        self._average = AveragedNetwork(self._network, self._settings.ema)
        self._optimizer = self._make_optimizer()
        self._progress = Progress(0, 0.0, self._settings.schedule)
        self._snapshot: dict[str, Any] = {}
        self._drawn: tuple[int, dict[str, Tensor]] = (-1, {})
        self._drawers: Drawers | None = None

    def run(self) -> Path:
        """Trains to the end of the schedule and writes the result."""
        self._resume()
        self._log.write(
            "start",
            recipe=self._recipe.name,
            device=device_name(self._device),
            step=self._progress.step,
            steps=self._progress.schedule.steps,
            parameters=sum(parameter.numel() for parameter in self._network.parameters()),
            generator=self._generator,
        )
        if self._recipe.generator and self._recipe.generator != self._generator:
            message = "the generators changed since this recipe was run: another result is to be expected"
            self._log.write("warning", message=message)
        self._keep_snapshot()
        if self._options.workers:
            first = self._progress.step // self._settings.echo
            self._drawers = Drawers(self._recipe, self._device, first, self._options.workers)
        try:
            with StopSignals() as stop:
                self._train(stop)
        finally:
            if self._drawers is not None:
                self._drawers.close()
        return self._finish()

    def _train(self, stop: StopSignals) -> None:
        """Steps to the end of the schedule or of the time; asked to stop, it saves the state and raises."""
        started, before = time.monotonic(), self._progress.seconds
        saved = started
        while self._progress.step < self._progress.schedule.steps:
            self._step()
            now = time.monotonic()
            self._progress.seconds = before + now - started
            if stop.asked:
                self._save()
                self._log.write("interrupted", step=self._progress.step)
                raise KeyboardInterrupt
            if self._options.stop_after_s is not None and self._is_over(self._options.stop_after_s):
                break
            if now - saved >= self._settings.checkpoint_seconds:
                self._save()
                saved = time.monotonic()
        if self._progress.step % self._settings.validate_steps:
            self._validate()
        self._progress.seconds = before + time.monotonic() - started

    def _step(self) -> None:
        progress, settings = self._progress, self._settings
        step = progress.step
        for group in self._optimizer.param_groups:
            group["lr"] = settings.rate * progress.schedule.factor(step)
        # dropout and the like draw from the global generator: it too must depend on the step alone
        torch.manual_seed(self._recipe.seed * 1_000_003 + step)
        told = (step + 1) % settings.log_steps == 0 or step + 1 == progress.schedule.steps
        began = self._now() if told else 0.0
        batch = self._batch(step)
        drawn = self._now() if told else 0.0
        half = settings.precision == "bfloat16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=half):
            loss, terms = self._task.loss(self._network, batch, step / progress.schedule.steps)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm: Tensor | None = None
        if settings.gradient_clip:
            norm = nn.utils.clip_grad_norm_(self._network.parameters(), settings.gradient_clip)
        self._optimizer.step()
        self._average.follow(self._network, step)
        progress.step = step + 1
        if told:
            self._tell(loss, terms, norm, (drawn - began) / (self._now() - began))
        if progress.step % settings.validate_steps == 0:
            self._validate()

    def _batch(self, step: int) -> dict[str, Tensor]:
        """The batch of a step: drawn for each ``echo`` steps, and varied for each where the task can."""
        seed, block = self._recipe.seed, step // self._settings.echo
        with torch.no_grad():
            if self._drawn[0] != block:
                self._drawn = block, self._draw(block)
            vary = getattr(self._task, "vary", None) if self._settings.echo > 1 else None
            batch: dict[str, Tensor] = dict(self._drawn[1])
            return vary(batch, seeded(seed, f"vary {step}", self._device)) if vary else batch

    def _draw(self, block: int) -> dict[str, Tensor]:
        if self._drawers is not None:
            return self._drawers.batch(block)
        return self._task.batch(seeded(self._recipe.seed, f"step {block}", self._device), self._device)

    def _now(self) -> float:
        """The time at which the device has done all it was given, seconds."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.monotonic()

    def _tell(self, loss: Tensor, terms: Mapping[str, Tensor], norm: Tensor | None, drawing: float) -> None:
        """Writes a line of the log; the only place where the loop waits for the device."""
        figures = {name: float(value.detach()) for name, value in {"loss": loss, **terms}.items()}
        if norm is not None:
            figures["gradient"] = float(norm)
        if not all(math.isfinite(figures.get(name, 0)) for name in ("loss", "gradient")) or not self._is_finite():
            self._roll_back()
            return
        progress = self._progress
        self._log.write(
            "step",
            step=progress.step,
            steps=progress.schedule.steps,
            seconds=progress.seconds,
            rate=self._settings.rate * progress.schedule.factor(progress.step - 1),
            drawing=drawing,
            **figures,
        )

    def _is_finite(self) -> bool:
        with torch.no_grad():
            sums = torch.stack([parameter.sum() for parameter in self._network.parameters()])
        return bool(torch.isfinite(sums).all())

    def _roll_back(self) -> None:
        """Goes on from the last validated weights, with the next batches."""
        progress = self._progress
        progress.rollbacks += 1
        self._log.write("rollback", step=progress.step, count=progress.rollbacks)
        if progress.rollbacks > _MOST_ROLLBACKS:
            fix = "lower run.rate, or run.gradient_clip"
            raise TrainingError(
                "the loss keeps becoming not finite", where=self._recipe.source.name, fix=fix, exit_code=1
            )
        self._restore(self._snapshot)
        self._keep_snapshot()

    def _validate(self) -> None:
        progress = self._progress
        average = self._average.network
        with torch.no_grad():
            figures = dict(self._task.validate(average, self._device))
        average.eval()
        score = figures["score"]
        best = math.isfinite(score) and (progress.best_score is None or score > progress.best_score)
        if best:
            progress.best_score, progress.best_step, progress.best_figures = score, progress.step, figures
            write_safetensors(self._folder / BEST, weights_of(average), self._metadata())
        self._log.write("validation", step=progress.step, seconds=progress.seconds, best=best, **figures)
        if self._is_finite():
            self._keep_snapshot()

    def _is_over(self, budget_s: float) -> bool:
        """Brings the cool-down forward when the time for it has come; true when the time is over in spite of it."""
        progress = self._progress
        if not progress.ending:
            share = progress.schedule.cooldown_share
            rate = progress.step / progress.seconds
            left = progress.schedule.steps - progress.step
            if progress.seconds < budget_s * (1 - share) or left <= progress.schedule.cooldown_steps:
                return progress.seconds > budget_s * _OVERTIME
            cooldown = max(1, round((budget_s - progress.seconds) * rate * _MARGIN))
            progress.schedule = progress.schedule.ending(progress.step, min(cooldown, left))
            progress.ending = True
            self._log.write("ending", step=progress.step, steps=progress.schedule.steps)
        return progress.seconds > budget_s * _OVERTIME

    def _finish(self) -> Path:
        write_safetensors(self._folder / LAST, weights_of(self._average.network), self._metadata())
        if self._progress.best_figures is None:
            raise TrainingError("no validation gave a finite score", where=str(self._folder), exit_code=1)
        path = write_result(
            self._folder,
            self._recipe,
            self._progress,
            generator=self._generator,
            device=device_name(self._device),
            weights=self._folder / BEST,
            parameters=sum(parameter.numel() for parameter in self._network.parameters()),
            init=self._init,
        )
        (self._folder / CHECKPOINT).unlink(missing_ok=True)
        best = self._progress.best_figures
        self._log.write(
            "done", step=self._progress.step, seconds=self._progress.seconds, best_step=self._progress.best_step, **best
        )
        return path

    def _metadata(self) -> dict[str, str]:
        return {"recipe": self._recipe.name, "generator": self._generator, "step": str(self._progress.step)}

    def _make_optimizer(self) -> torch.optim.Optimizer:
        settings = self._settings
        parameters = [parameter for parameter in self._network.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        fused = self._device.type == "cuda"
        return torch.optim.AdamW(
            [group for group in groups if group["params"]], lr=settings.rate, betas=settings.betas, fused=fused
        )

    def _start_from(self, path: Path) -> str:
        """Takes what fits of a file of weights; returns its SHA-256."""
        tensors, _ = read_safetensors(path)
        state = self._network.state_dict()
        fitting = {
            name: torch.from_numpy(array)
            for name, array in tensors.items()
            if name in state and state[name].shape == array.shape
        }
        if not fitting:
            raise TrainingError("holds no weight that fits", where=str(path), fix="give a run of a like network")
        self._network.load_state_dict(fitting, strict=False)
        new = sorted(set(state) - set(fitting))
        self._log.write("init", file=path.name, taken=len(fitting), fresh=new)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def _state(self) -> dict[str, Any]:
        return {
            "network": self._network.state_dict(),
            "average": self._average.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self._average.network.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _keep_snapshot(self) -> None:
        self._snapshot = _copied(self._state())

    def _save(self) -> None:
        write_checkpoint(self._folder, self._recipe.sha256, self._progress, self._state())
        self._log.write("checkpoint", step=self._progress.step)

    def _resume(self) -> None:
        found = read_checkpoint(self._folder, self._recipe.sha256, self._device)
        if found:
            self._progress, state = found
            self._restore(state)
            self._log.write("resumed", step=self._progress.step)


def _copied(value: Any) -> Any:
    """A state dictionary with its own tensors."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copied(inner) for inner in value)
    return value
