# SPDX-License-Identifier: Apache-2.0
"""Synthetic plates and files for the tests of frames."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest

from understudy.contracts.plate import FloatImage, Plate, SampleType, Window

MakePlate = Callable[..., Plate]


def noise(height: int, width: int, channels: int, seed: int = 0) -> FloatImage:
    """Values below 0 and over 1 that a half can hold."""
    values = np.random.default_rng(seed).normal(0.5, 2, (height, width, channels))
    return values.astype(np.float16).astype(np.float32)


@pytest.fixture
def make_plate() -> MakePlate:
    """Builds a plate of noise: ``make_plate("RGBA", "half", window, display, **fields)``."""

    def make(
        channels: Any = "RGBA",
        types: Any = "half",
        window: Window = Window(0, 0, 53, 37),
        display: Window | None = None,
        pixels: FloatImage | None = None,
        **fields: Any,
    ) -> Plate:
        names = tuple(channels)
        kinds: tuple[SampleType, ...] = (types,) * len(names) if isinstance(types, str) else tuple(types)
        return Plate(
            pixels=noise(window.height, window.width, len(names)) if pixels is None else pixels,
            channels=names,
            sample_types=kinds,
            data_window=window,
            display_window=display or window,
            colorspace=fields.pop("colorspace", "ACEScg"),
            **fields,
        )

    return make


@pytest.fixture
def write_oiio() -> Callable[..., None]:
    """Writes parts straight through OpenImageIO: ``write_oiio(path, (spec, pixels), ...)``."""

    def write(path: Path, *parts: tuple[oiio.ImageSpec, FloatImage]) -> None:
        output = oiio.ImageOutput.create(str(path))
        specs = tuple(spec for spec, _ in parts)
        assert output.open(str(path), specs if len(specs) > 1 else specs[0]), output.geterror()
        for index, (spec, pixels) in enumerate(parts):
            if index:
                assert output.open(str(path), spec, "AppendSubimage"), output.geterror()
            assert output.write_image(pixels), output.geterror()
        assert output.close()

    return write
