# SPDX-License-Identifier: Apache-2.0
"""Whether ONNX Runtime answers as torch does."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.contracts.errors import QualityGateError
from understudy.contracts.manifest import WeightFile
from understudy.packs.toml_file import shown
from understudy.runtimes.onnx_session import OnnxSession, open_session
from understudy.runtimes.onnx_source import read_source


class Answers(Protocol):
    """Inputs and torch's answers to them, by name."""

    @property
    def inputs(self) -> Mapping[str, NDArray[Any]]:
        """What went in."""
        ...

    @property
    def outputs(self) -> Mapping[str, NDArray[Any]]:
        """What torch answered."""
        ...


def parity_difference(path: Path, cases: tuple[Answers, ...]) -> float:
    """The largest absolute difference between a graph in ONNX Runtime, on the CPU, and torch's answers.

    Args:
        path: The ONNX file.
        cases: What to compare.

    Raises:
        PackError: ONNX Runtime is missing, or can't load or run the graph.
        QualityGateError: The graph answers with another shape, or with values that are not finite.
    """
    graph = WeightFile(file=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    session = open_session(read_source(path.parent, graph, ()), "cpu")
    return max(_difference(session, path, case) for case in cases)


def _difference(session: OnnxSession, path: Path, case: Answers) -> float:
    names = list(case.outputs)
    answers = session.run(names, case.inputs, False)
    worst = 0.0
    for name, answer in zip(names, answers, strict=True):
        wanted = case.outputs[name]
        if answer.shape != wanted.shape:
            problem = f"gives {name} of shape {answer.shape} where torch gives {wanted.shape}"
            fix = "name every axis that may change in the task's dynamic_axes, and take no size as a constant"
            raise QualityGateError(problem, where=shown(path), fix=fix)
        difference = np.abs(answer.astype(np.float64) - wanted.astype(np.float64))
        if not np.isfinite(difference).all():
            raise QualityGateError(f"gives values of {name} that are not finite", where=shown(path))
        worst = max(worst, float(difference.max(initial=0.0)))
    return worst
