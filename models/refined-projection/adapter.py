# SPDX-License-Identifier: Apache-2.0
"""Flow projection, corrected by a network that sees both frames carried to the time.

The network is given what ``evidence.py`` gathers and moves vectors, takes a neighbor's, and shifts shares from one
frame to the other; where both frames agree it changes nothing. It makes no pixel: the role warps the originals.
"""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import numpy as np

from understudy.contracts.model import Call, Graph, Tensors
from understudy.contracts.plate import FloatImage

evidence, projection = (import_module(f".{name}", __name__) for name in ("evidence", "projection"))

_CELL = 8  # the network halves its picture three times
_RADIUS = 80  # rows that one row can reach, a multiple of the cell
_MOST_PIXELS = 3_000_000  # of a band, which bounds memory
_LEAST_ROWS = 64


class RefinedProjection:
    """Motion between two frames as a classical method sees it, and what a network makes of that.

    Args:
        graph: The network.
        scores: Its confidence, rising.
        chances: How often a pixel of that confidence is right.
    """

    def __init__(self, graph: Graph, scores: FloatImage, chances: FloatImage) -> None:
        self._graph = graph
        self._scores = scores
        self._chances = chances

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """Where each pixel at ``call.time`` comes from, from which side, and whether that can be trusted.

        Args:
            tensors: ``a`` and ``b``, float32 ``(h, w, 3)``, display_log in 0-1; ``forward`` and ``backward``
                ``(h, w, 2)``.
            call: Its time is strictly between 0 and 1.

        Returns:
            ``to_a`` and ``to_b``, ``(h, w, 2)``; ``weight``, ``(h, w, 1)``: b's share; ``confidence``, ``(h, w, 1)``:
            the chance that the mean error of the picture's three code values is under 0.02.
        """
        course = projection.FlowProjection().run(tensors, call)
        height, width = tensors["a"].shape[:2]
        seen = evidence.Evidence(tensors, course)
        out: Tensors = {name: np.empty((height, width, depth), np.float32) for name, depth in _OUTPUTS.items()}
        time = np.array([call.time], np.float32)
        most = max(_MOST_PIXELS // width - 2 * _RADIUS, _LEAST_ROWS) // _CELL * _CELL
        for top in range(0, height, most):
            bottom = min(top + most, height)
            first, last = max(top - _RADIUS, 0), min(bottom + _RADIUS, height)
            found = self._graph.run({**_in_cells(seen.rows(first, last)), "time": time})
            for name, whole in out.items():
                band = found[_GRAPH[name]][0, :, top - first : bottom - first, :width]
                whole[top:bottom] = band.transpose(1, 2, 0)
        out["confidence"] = np.interp(out["confidence"], self._scores, self._chances).astype(np.float32)
        return out

    def close(self) -> None:
        """Holds nothing but the graph."""


def load(folder: Path, graph: Graph) -> RefinedProjection:
    """The model with the calibration of the pack in ``folder``."""
    table = json.loads((folder / "calibration.json").read_text())
    return RefinedProjection(graph, *(np.array(table[name], np.float32) for name in ("scores", "chances")))


_OUTPUTS = {"to_a": 2, "to_b": 2, "weight": 1, "confidence": 1}
_GRAPH = {"to_a": "refined_to_a", "to_b": "refined_to_b", "weight": "refined_weight", "confidence": "confidence"}


def _in_cells(tensors: Tensors) -> Tensors:
    """As the graph takes them: NCHW, the right and bottom edge repeated to whole cells."""
    padded = {}
    for name, tensor in tensors.items():
        rows, columns = (-side % _CELL for side in tensor.shape[:2])
        wide = np.pad(tensor, ((0, rows), (0, columns), (0, 0)), mode="edge") if rows or columns else tensor
        padded[name] = np.ascontiguousarray(wide.transpose(2, 0, 1)[np.newaxis])
    return padded
