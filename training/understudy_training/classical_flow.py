# SPDX-License-Identifier: Apache-2.0
"""Classical motion as the packs compute it: tuned dense inverse search, refined on float pictures. Needs OpenCV.

What ``models/flow-fusion/adapter.py`` runs must be what the head learned from; a test compares the two.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SEARCHES: tuple[dict[str, int], ...] = (
    {"scale": 1, "patch": 8, "stride": 3, "descent": 50, "variational": 20},
    {"scale": 1, "patch": 12, "stride": 4, "descent": 30, "variational": 10},
    {"scale": 2, "patch": 8, "stride": 3, "descent": 50, "variational": 20},
)
"""The candidates, in the order of their kinds."""

SMOOTHNESS = 20.0
REFINE = 10


def candidates(a: Floats, b: Floats) -> Floats:
    """Motion from a to b by each search, float32 ``(k, 2, h, w)``, pixels.

    Args:
        a: Gray ``(h, w)``, 0-255.
        b: The other frame.
    """
    found = [search(a, b, settings) for settings in SEARCHES]
    return np.ascontiguousarray(np.stack(found).transpose(0, 3, 1, 2))


def search(a: Floats, b: Floats, settings: dict[str, int]) -> Floats:
    """One search and its refinement, float32 ``(h, w, 2)``."""
    import cv2

    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    dis.setPatchSize(settings["patch"])
    dis.setPatchStride(settings["stride"])
    dis.setGradientDescentIterations(settings["descent"])
    dis.setVariationalRefinementIterations(settings["variational"])
    dis.setVariationalRefinementAlpha(SMOOTHNESS)
    height, width = a.shape
    scale = settings["scale"]
    flow: Any = dis.calc(_shrunk(a, scale), _shrunk(b, scale), None)
    if scale > 1:
        size = (flow.shape[1] * scale, flow.shape[0] * scale)
        flow = cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR)[:height, :width] * scale
    return refined(a, b, flow)


def refined(a: Floats, b: Floats, flow: Any) -> Floats:
    """Variational refinement (Brox et al., ECCV 2004) of ``(h, w, 2)`` vectors on float pictures."""
    import cv2

    refine = cv2.VariationalRefinement_create()
    refine.setFixedPointIterations(REFINE)
    refine.setAlpha(SMOOTHNESS)
    return np.ascontiguousarray(refine.calc(a, b, np.ascontiguousarray(flow, np.float32)), np.float32)


def _shrunk(gray: Floats, scale: int) -> NDArray[np.uint8]:
    import cv2

    height, width = gray.shape
    if scale > 1:
        gray = np.pad(gray, ((0, -height % scale), (0, -width % scale)), mode="edge")
        gray = cv2.resize(gray, (gray.shape[1] // scale, gray.shape[0] // scale), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(gray), 0, 255).astype(np.uint8)
