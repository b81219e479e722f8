# SPDX-License-Identifier: Apache-2.0
"""Between a plate and what a model sees: the shaper S, its inverse D and the clip c of one job."""

from collections.abc import Callable
from functools import partial

import numpy as np

from understudy.color.apply import BAND, CpuProcessor, apply_gray, apply_rgb, check_rgb
from understudy.color.config import ColorConfig
from understudy.color.policy import policy
from understudy.color.shaper import HybridCurve
from understudy.contracts.errors import PlateError, UsageError
from understudy.contracts.manifest import Encoding
from understudy.contracts.plate import FloatImage

_Step = Callable[[FloatImage], FloatImage]

_ACESCCT = "ocio:acescct_ap1_scene"
_ACESCG = "lin_ap1_scene"
_ACESCCT_CURVE = "CURVE - ACEScct-LOG_to_LINEAR"


class Encoder:
    """Encodes plates for a model and decodes its answers. Pointwise, so tiles equal the whole bit for bit.

    Everything here is fixed for the job: nothing depends on what a frame or a tile holds. Threads may share it.

    Attributes:
        colorspace: Canonical name of the plate's color space.
        encoding: What the model sees.
        domain: Low and high code value the model was trained on; None where every value may go in.
        data: The plate is data, so the curve alone is applied and no primaries are converted.

    Args:
        config: The OCIO config that ``colorspace`` belongs to.
        colorspace: The plate's color space.
        encoding: From the pack's contract.
        domain: From the pack's contract.
        exposure: Stops by which light is raised before the curve, and lowered after it; a constant of the job.

    Raises:
        ColorspaceError: The color space is unknown, or the config knows no way to the encoding.
        UsageError: ``exposure`` is given for an encoding that is the plate's own, or is no sensible number.
    """

    def __init__(
        self,
        config: ColorConfig,
        colorspace: str,
        encoding: Encoding,
        domain: tuple[float, float] | None,
        *,
        exposure: float = 0.0,
    ) -> None:
        if not abs(exposure) <= 32:
            raise UsageError(f"exposure is {exposure} stops", fix="give a number from -32 to 32")
        if exposure and encoding is Encoding.PLATE:
            raise UsageError("exposure has no meaning for a pack that sees the plate's own values", fix="set it to 0")
        self.colorspace = config.resolve(colorspace)
        self.encoding = encoding
        self.domain = domain
        self.data = config.is_data(self.colorspace)
        self._gray: tuple[tuple[_Step, ...], tuple[_Step, ...]] = self._curve(config)
        self._forward, self._backward = self._color(config, 2.0**exposure)

    def _curve(self, config: ColorConfig) -> tuple[tuple[_Step, ...], tuple[_Step, ...]]:
        if self.encoding is Encoding.ACESCCT:
            back, forth = config.curve(_ACESCCT_CURVE), config.curve(_ACESCCT_CURVE, inverse=True)
            return (partial(apply_gray, forth),), (partial(apply_gray, back),)
        if self.encoding is Encoding.DISPLAY_LOG:
            curve = HybridCurve.of(policy().display_log)
            return (curve.encode,), (curve.decode,)
        return (), ()

    def _color(self, config: ColorConfig, gain: float) -> tuple[tuple[_Step, ...], tuple[_Step, ...]]:
        if self.encoding is Encoding.PLATE:
            return (), ()
        known = ""
        if self.encoding is Encoding.ACESCCT:
            if gain == 1 and not self.data:
                # OCIO joins matrix and curve in one pass.
                return _steps(config.to_known(self.colorspace, _ACESCCT)), _steps(
                    config.from_known(_ACESCCT, self.colorspace)
                )
            known = _ACESCG
        elif self.encoding is Encoding.DISPLAY_LOG:
            known = policy().display_log.primaries
        to: tuple[_Step, ...] = ()
        back: tuple[_Step, ...] = ()
        if not self.data and known:
            to, back = (
                _steps(config.to_known(self.colorspace, known)),
                _steps(config.from_known(known, self.colorspace)),
            )
        elif not self.data:
            to = _steps(config.processor(self.colorspace, config.scene_linear))
            back = _steps(config.processor(config.scene_linear, self.colorspace))
        up: tuple[_Step, ...] = (partial(_times, gain=gain),) if gain != 1 else ()
        down: tuple[_Step, ...] = (partial(_times, gain=1 / gain),) if gain != 1 else ()
        return to + up + self._gray[0], self._gray[1] + down + back

    def encode(self, x: FloatImage) -> FloatImage:
        """What the model sees: ``c(S(x))``.

        Args:
            x: float32 ``(h, w, 3)`` in the plate's color space, all finite.

        Returns:
            float32 ``(h, w, 3)`` within ``domain``; ``x`` itself where there is nothing to do.
        """
        return self.encode_with_inside(x)[0]

    def decode(self, y: FloatImage) -> FloatImage:
        """Back to the plate's color space: ``D(y)``.

        Args:
            y: float32 ``(h, w, 3)`` of the encoding, all finite, within ``domain`` or not.

        Returns:
            float32 ``(h, w, 3)``, all finite; ``y`` itself where there is nothing to do.
        """
        check_rgb(y)
        return _run(self._backward, y)

    def inside(self, x: FloatImage) -> FloatImage:
        """Where the clip changes nothing.

        Args:
            x: As for :meth:`encode`.

        Returns:
            float32 ``(h, w, 1)``: 1 where all channels of ``S(x)`` lie within ``domain``, else 0.
        """
        return self.encode_with_inside(x)[1]

    def encode_with_inside(self, x: FloatImage) -> tuple[FloatImage, FloatImage]:
        """:meth:`encode` and :meth:`inside` for the price of one."""
        check_rgb(x)
        return self._clipped(x, self._forward)

    def encode_gray(self, x: FloatImage) -> FloatImage:
        """A single channel (alpha, an AOV) through the curve and the clip alone: no primaries, no exposure.

        Args:
            x: float32 ``(h, w, 1)``, all finite.
        """
        return self.encode_gray_with_inside(x)[0]

    def decode_gray(self, y: FloatImage) -> FloatImage:
        """Inverse of the curve of :meth:`encode_gray`."""
        return _run(self._gray[1], _check_gray(y))

    def encode_gray_with_inside(self, x: FloatImage) -> tuple[FloatImage, FloatImage]:
        """:meth:`encode_gray`, and where its clip changed nothing."""
        return self._clipped(_check_gray(x), self._gray[0])

    def _clipped(self, x: FloatImage, steps: tuple[_Step, ...]) -> tuple[FloatImage, FloatImage]:
        y = _run(steps, x)
        inside = np.ones((*y.shape[:2], 1), np.float32)
        if self.domain is None:
            return y, inside
        y = y.copy() if y is x else y
        low, high = (np.float32(limit) for limit in self.domain)
        flat, weights = y.reshape(-1, y.shape[2]), inside.reshape(-1)
        for start in range(0, len(flat), BAND):
            band = flat[start : start + BAND]
            kept = np.clip(band, low, high)
            same = kept == band
            if not same.all():
                weights[start : start + BAND] = np.logical_and.reduce([same[:, i] for i in range(same.shape[1])])
            # Adding 0 turns -0 into 0: whether a clip at 0 keeps the sign may depend on a value's place in the array.
            np.add(kept, np.float32(0), out=band)
        return y, inside


def _steps(processor: CpuProcessor | None) -> tuple[_Step, ...]:
    return () if processor is None else (partial(apply_rgb, processor),)


def _run(steps: tuple[_Step, ...], image: FloatImage) -> FloatImage:
    for step in steps:
        image = step(image)
    return image


def _times(image: FloatImage, *, gain: float) -> FloatImage:
    with np.errstate(over="ignore"):
        scaled: FloatImage = np.nan_to_num(image * np.float32(gain), copy=False)
        return scaled


def _check_gray(image: FloatImage) -> FloatImage:
    if image.ndim != 3 or image.shape[2] != 1 or image.dtype != np.float32:
        raise PlateError(f"a single channel is float32 (height, width, 1), got {image.dtype} {image.shape}")
    return image
