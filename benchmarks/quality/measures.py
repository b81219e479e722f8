# SPDX-License-Identifier: Apache-2.0
"""The figures of the benchmarks, each by its public convention. Pictures are codes, 0-255, unless said otherwise."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]

CONVENTIONS: Mapping[str, str] = {
    "PSNR-Y": "dB, luma of BT.601 in [16, 235], results rounded to 8 bits, a border of the factor shaved; the small"
    " picture is MATLAB's antialiased bicubic (a = -1/2), rounded to 8 bits",
    "SSIM-Y": "on the same luma, Gaussian of 1.5 pixels over 11x11 (Wang et al. 2004), inside alone",
    "PSNR": "dB over RGB of 8-bit codes, results rounded",
    "IE": "mean absolute difference of 8-bit RGB codes (as RIFE and its peers print it)",
    "IE-RMS": "root of the mean squared difference of 8-bit RGB codes (as Middlebury defines interpolation error)",
    "EPE": "mean length of the error vector, pixels, over all pixels whose motion is known",
    "EPE-visible": "the same over pixels that the second frame shows too",
    "Fl-all": "% of known pixels whose error is over 3 pixels and over 5 % of the true length (KITTI 2015)",
    "AUROC": "probability that a pixel within 1 px of the truth has a higher confidence than one that is not; 0.5 is"
    " chance",
    "AUSE": "area between the sparsification curve by confidence and the best one possible, over the mean error; 0 is"
    " perfect (Ilg et al. 2018)",
    "ECE": "expected calibration error of confidence as the probability of an error within 1 px, 15 bins",
    "less-fifth": "EPE after dropping the least sure fifth of the pixels",
    "MAE": "mean angle between normals, degrees, inside the mask",
    "si-PSNR": "dB over linear light 0-1 inside the mask, after the one gain per pair that fits best",
}
"""What each heading of a table means."""


def eight_bit(picture: Array) -> Image:
    """Codes as an 8-bit file holds them."""
    return np.clip(np.rint(picture), 0, 255).astype(np.float32)


def display_codes(light: Array) -> Array:
    """SRGB codes, 0-255, not rounded, of linear light (IEC 61966-2-1); light beyond 0-1 is clipped."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.power(light, 1 / 2.4) - 0.055) * 255


def linear_light(codes: Array) -> Image:
    """Linear light, 0-1, of sRGB codes 0-255."""
    code = codes / 255
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return np.ascontiguousarray(light, np.float32)


def psnr(picture: Array, truth: Array, peak: float = 255) -> float:
    """Peak signal-to-noise ratio, dB; at most 120."""
    error = float(np.mean((picture.astype(np.float64) - truth.astype(np.float64)) ** 2))
    return 10 * math.log10(peak**2 / max(error, peak**2 * 1e-12))


def luma(picture: Array) -> npt.NDArray[np.float64]:
    """Y of BT.601, 16-235, of RGB codes; not rounded."""
    return picture.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255 + 16


def ssim(one: Array, two: Array, peak: float = 255) -> float:
    """Structural similarity of two single-channel pictures of 11x11 or more (Wang, Bovik, Sheikh, Simoncelli 2004)."""
    import cv2

    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2

    def mean(picture: Array) -> Any:
        return cv2.GaussianBlur(picture, (11, 11), 1.5)[5:-5, 5:-5]

    a, b = one.astype(np.float64), two.astype(np.float64)
    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, both = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return float(np.mean(top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))))


def upscale_figures(picture: Array, truth: Array, scale: int) -> dict[str, float]:
    """``PSNR-Y``, ``SSIM-Y`` and ``PSNR`` of an enlargement."""
    inside = (slice(scale, -scale),) * 2
    made, wanted = eight_bit(picture)[inside], truth[inside]
    y_made, y_wanted = luma(made), luma(wanted)
    figures = {"PSNR-Y": psnr(y_made, y_wanted), "PSNR": psnr(made, wanted)}
    if min(y_made.shape) >= 11:
        figures["SSIM-Y"] = ssim(y_made, y_wanted)
    return figures


def interpolation_figures(picture: Array, truth: Array) -> dict[str, float]:
    """``PSNR``, ``IE`` and ``IE-RMS`` of a frame between two."""
    error = eight_bit(picture).astype(np.float64) - truth
    return {
        "PSNR": psnr(eight_bit(picture), truth),
        "IE": float(np.abs(error).mean()),
        "IE-RMS": math.sqrt(float(np.mean(error**2))),
    }


def motion_figures(error: Array, truth: Array, known: Mask, visible: Mask) -> dict[str, float]:
    """``EPE``, ``EPE-visible`` and ``Fl-all``.

    Args:
        error: Endpoint error ``(h, w)``, pixels.
        truth: True vectors ``(h, w, 2)``.
        known: Where the truth is known.
        visible: Where the second frame shows the point.
    """
    length = np.linalg.norm(truth, axis=2)
    wrong = (error > 3) & (error > 0.05 * length)
    seen = known & visible
    return {
        "EPE": float(error[known].mean()),
        "EPE-visible": float(error[seen].mean()) if seen.any() else math.nan,
        "Fl-all": 100 * float(wrong[known].mean()),
    }


def angles(normal: Array, truth: Array, mask: Mask) -> Array:
    """Degrees between two fields of normals inside a mask; any length but zero, which counts as 90."""
    a, b = normal[mask].astype(np.float64), truth[mask].astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.divide((a * b).sum(axis=1), lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def fitted_psnr(picture: Array, truth: Array, mask: Mask) -> float:
    """PSNR of light 0-1 inside a mask after the gain that fits best, dB."""
    a, b = picture[mask].astype(np.float64), truth[mask].astype(np.float64)
    gain = (a * b).sum() / max(float((a * a).sum()), 1e-30)
    return psnr(a * gain, b, peak=1.0)
