# SPDX-License-Identifier: Apache-2.0
"""Pictures for the report: display code values, vectors as a color wheel, doubt as a red overlay; as WebP data URIs."""

import base64

import cv2
import numpy as np

from understudy.contracts.plate import FloatImage, Plate

QUALITY = 82


def crop_to_display(pixels: FloatImage, plate: Plate) -> FloatImage:
    """The part of a plate's pixels that its display window shows."""
    data, display = plate.data_window, plate.display_window
    left, top = display.x - data.x, display.y - data.y
    return np.ascontiguousarray(pixels[top : top + display.height, left : left + display.width])


def data_uri(picture: FloatImage) -> str:
    """A WebP data URI.

    Args:
        picture: Display code values, ``(height, width, 3 or 4)``, RGB(A), cut to 0-1 here.
    """
    codes = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    order = cv2.COLOR_RGBA2BGRA if codes.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _, encoded = cv2.imencode(".webp", cv2.cvtColor(codes, order), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return "data:image/webp;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def wheel(vectors: FloatImage, full: float) -> FloatImage:
    """Vectors as color: hue is the direction, saturation the length.

    Args:
        vectors: ``(height, width, 2)``, u right, v up, pixels.
        full: Length of full saturation, pixels.

    Returns:
        Display code values, ``(height, width, 3)``: gray where nothing moves.
    """
    angle = np.degrees(np.arctan2(vectors[..., 1], vectors[..., 0])) % 360
    length = np.clip(np.hypot(vectors[..., 0], vectors[..., 1]) / full, 0, 1)
    hsv = np.stack([angle, np.sqrt(length), 0.45 + 0.5 * np.sqrt(length)], axis=-1).astype(np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.float32)


def wheel_legend(side: int = 160) -> FloatImage:
    """The wheel itself, RGBA, transparent around it."""
    axis = np.linspace(-1.04, 1.04, side, dtype=np.float32)
    u, v = np.meshgrid(axis, -axis)
    alpha = np.clip((1 - np.hypot(u, v)) * side / 2.08 + 0.5, 0, 1)
    colors = wheel(np.stack([u, v], axis=-1), 1.0)
    return np.concatenate([colors, alpha[..., None]], axis=-1).astype(np.float32)


def doubt_overlay(confidence: FloatImage) -> FloatImage:
    """Red, RGBA, the more opaque the lower the confidence ``(height, width)``."""
    doubt = np.clip(1 - confidence, 0, 1)
    red = np.broadcast_to(np.array([1.0, 0.16, 0.12], np.float32), (*doubt.shape, 3))
    return np.concatenate([red, 0.85 * doubt[..., None]], axis=-1).astype(np.float32)


def heat(error: FloatImage, full: float) -> FloatImage:
    """Errors ``(height, width)`` as heat, black at zero and white at ``full``."""
    codes = np.round(np.clip(error / full, 0, 1) * 255).astype(np.uint8)
    colored = cv2.applyColorMap(codes, cv2.COLORMAP_INFERNO)
    rgb = np.asarray(cv2.cvtColor(colored, cv2.COLOR_BGR2RGB), dtype=np.float32)
    return rgb / np.float32(255)
