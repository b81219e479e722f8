# SPDX-License-Identifier: Apache-2.0
"""Motion as the pack ``dis-good`` estimates it, so that what learns from vectors meets the errors it will meet at work.

Dense Inverse Search (Kroeger et al., ECCV 2016) of OpenCV, which is imported when it is first asked for; vectors that
do not come back are replaced by what lies around them. The pack's fit to similar neighbors is left out: here the fill
knows nothing of color.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from understudy_training.display_log import WHITE
from understudy_training.errors import TrainingError
from understudy_training.warping import fill, round_trip

_GAIN = 1.85
_SHOULDER = (1 - _GAIN * WHITE) / (1 - WHITE)
_SMOOTHNESS = 20.0


def estimate(a: Tensor, b: Tensor, *, workers: int = 1) -> tuple[Tensor, Tensor]:
    """Both directions of motion.

    Args:
        a: ``(n, 3, h, w)`` in ``display_log``.
        b: The next frames.
        workers: Threads.

    Returns:
        Vectors ``(n, 2, h, w)`` from a to b and from b to a, pixels, x right and y down, on the device of ``a``.

    Raises:
        TrainingError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise TrainingError(
            "this recipe needs OpenCV", where="import cv2", fix="install opencv-python-headless"
        ) from error
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    grays = [_gray(frames) for frames in (a, b)]
    pairs = [*zip(*grays, strict=True), *zip(*grays[::-1], strict=True)]
    try:
        with ThreadPoolExecutor(workers) as pool:
            flows = np.stack(list(pool.map(lambda pair: _search(cv2, *pair), pairs)))
    finally:
        cv2.setNumThreads(before)
    both = torch.from_numpy(flows).permute(0, 3, 1, 2).to(a.device)
    forward, backward = both[: len(a)].contiguous(), both[len(a) :].contiguous()
    return _mended(forward, backward), _mended(backward, forward)


def _gray(frames: Tensor) -> Any:
    code = torch.einsum("nchw,c->nhw", frames, frames.new_tensor([0.2126, 0.7152, 0.0722]))
    toned = torch.where(code < WHITE, code * _GAIN, _GAIN * WHITE + (code - WHITE) * _SHOULDER)
    return (toned * 255).cpu().numpy()


def _search(cv2: Any, a: Any, b: Any) -> Any:
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    dis.setPatchSize(8)
    dis.setPatchStride(3)
    dis.setGradientDescentIterations(50)
    dis.setVariationalRefinementIterations(20)
    dis.setVariationalRefinementAlpha(_SMOOTHNESS)
    flow = dis.calc(*(np.clip(np.rint(gray), 0, 255).astype(np.uint8) for gray in (a, b)), None)
    refine = cv2.VariationalRefinement_create()
    refine.setFixedPointIterations(5)
    refine.setAlpha(_SMOOTHNESS)
    return refine.calc(a, b, flow)


def _mended(flow: Tensor, back: Tensor) -> Tensor:
    missed = round_trip(flow, back).square()
    lost = (missed > 0.01 * 2 * flow.square().sum(dim=1, keepdim=True) + 2).float()
    lost = functional.max_pool2d(lost, 5, stride=1, padding=2)
    return torch.where(lost > 0, fill(flow, 1 - lost), flow)
