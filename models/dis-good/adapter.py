# SPDX-License-Identifier: Apache-2.0
"""Dense Inverse Search (Kroeger et al., ECCV 2016) in OpenCV, refined on float pictures; settings in ``preset.json``.

``dis-draft``, ``dis-good`` and ``dis-best`` hold the same adapter and differ in their presets alone.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage

# DIS reads 8-bit gray. Tones up to diffuse white get nearly all of it, highlights up to the encoding's peak the rest.
_WHITE = np.float32(0.5134719)  # display_log code of linear 1.0
_GAIN = np.float32(1.85)
_SHOULDER = (1 - _GAIN * _WHITE) / (1 - _WHITE)
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709


class Dis:
    """One or several DIS runs, the better one kept pixel by pixel, then variational refinement in float.

    Args:
        preset: ``searches``: a list of ``{scale, finest, patch, stride, descent, variational}``, the champion first;
            ``refine``: fixed-point iterations of the refinement on float pictures, 0 for none.
    """

    def __init__(self, preset: Mapping[str, Any]) -> None:
        self._searches = preset["searches"]
        self._refine = int(preset["refine"])

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """Both directions of motion.

        Args:
            tensors: ``a`` and ``b``, float32 ``(h, w, 3)``, display_log in 0-1.
            call: Its option ``smoothness`` is the weight of the smoothness term.

        Returns:
            ``forward`` and ``backward``, float32 ``(h, w, 2)``, pixels, v down.
        """
        a, b = _gray(tensors["a"]), _gray(tensors["b"])
        smoothness = float(call.options.get("smoothness", 20.0))
        return {"forward": self._flow(a, b, smoothness), "backward": self._flow(b, a, smoothness)}

    def close(self) -> None:
        """Holds nothing."""

    def _flow(self, a: FloatImage, b: FloatImage, smoothness: float) -> FloatImage:
        flow = _search(a, b, self._searches[0], smoothness)
        if len(self._searches) > 1:
            looks = _look(a), _look(b)
            error = _mismatch(*looks, flow)
            for challenger in self._searches[1:]:
                other = _search(a, b, challenger, smoothness)
                other_error = _mismatch(*looks, other)
                wins = other_error < 0.75 * error - 0.3  # a margin: a near tie keeps the champion and its smoothness
                flow[wins], error[wins] = other[wins], other_error[wins]
        if self._refine:
            refine = cv2.VariationalRefinement_create()
            refine.setFixedPointIterations(self._refine)
            refine.setAlpha(smoothness)
            flow = refine.calc(a, b, flow)
        return np.ascontiguousarray(flow, np.float32)


def load(folder: Path) -> Dis:
    """The model with the settings of the pack in ``folder``."""
    return Dis(json.loads((folder / "preset.json").read_text()))


def _gray(image: FloatImage) -> FloatImage:
    code = image @ _LUMA
    toned = np.where(code < _WHITE, code * _GAIN, _GAIN * _WHITE + (code - _WHITE) * _SHOULDER)
    return np.ascontiguousarray(toned * np.float32(255), np.float32)


def _search(a: FloatImage, b: FloatImage, settings: Mapping[str, int], smoothness: float) -> FloatImage:
    scale = settings["scale"]
    height, width = a.shape
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(settings["finest"])
    dis.setPatchSize(settings["patch"])
    dis.setPatchStride(settings["stride"])
    dis.setGradientDescentIterations(settings["descent"])
    dis.setVariationalRefinementIterations(settings["variational"])
    dis.setVariationalRefinementAlpha(smoothness)
    flow = dis.calc(_shrunk(a, scale), _shrunk(b, scale), None)
    if scale == 1:
        return flow
    size = (flow.shape[1] * scale, flow.shape[0] * scale)
    return np.ascontiguousarray(cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR)[:height, :width] * scale)


def _shrunk(gray: FloatImage, scale: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    height, width = gray.shape
    if scale > 1:
        gray = np.pad(gray, ((0, -height % scale), (0, -width % scale)), mode="edge")
        gray = cv2.resize(gray, (gray.shape[1] // scale, gray.shape[0] // scale), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(gray), 0, 255).astype(np.uint8)


def _look(gray: FloatImage) -> FloatImage:
    """What two matching points share whatever the exposure: detail over the local mean, and both slopes."""
    detail = gray - cv2.GaussianBlur(gray, (0, 0), 4)
    return np.dstack([detail, cv2.Sobel(gray, -1, 1, 0) / 4, cv2.Sobel(gray, -1, 0, 1) / 4])


def _mismatch(here: FloatImage, there: FloatImage, flow: FloatImage) -> FloatImage:
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    found = cv2.remap(there, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    error = cv2.GaussianBlur(np.minimum(np.abs(here - found).mean(axis=2), 40), (0, 0), 5)
    outside = (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)
    return error + np.float32(10) * outside
