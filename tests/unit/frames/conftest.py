# SPDX-License-Identifier: Apache-2.0
"""Synthetic plates and files for the tests of frames."""

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from understudy.contracts.plate import FloatImage, Plate, Window
from unit.frames.makers import MakePlate, WriteParts

WINDOW = Window(0, 0, 53, 37)


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
        window: Window = WINDOW,
        display: Window | None = None,
        pixels: FloatImage | None = None,
        **fields: Any,
    ) -> Plate:
        names = tuple(channels)
        kinds: Any = (types,) * len(names) if isinstance(types, str) else tuple(types)
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
def write_oiio() -> WriteParts:
    """Writes parts straight through OpenImageIO: ``write_oiio(path, (spec, pixels), ...)``."""

    def write(path: Path, *parts: tuple[oiio.ImageSpec, FloatImage]) -> None:
        output = oiio.ImageOutput.create(str(path))
        assert output is not None
        specs = tuple(spec for spec, _ in parts)
        opened = output.open(str(path), specs) if len(specs) > 1 else output.open(str(path), specs[0])
        assert opened, output.geterror()
        for index, (spec, pixels) in enumerate(parts):
            if index:
                assert output.open(str(path), spec, "AppendSubimage"), output.geterror()
            assert output.write_image(pixels), output.geterror()
        assert output.close()

    return write
