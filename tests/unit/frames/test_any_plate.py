# SPDX-License-Identifier: Apache-2.0
"""Any plate of any windows, channels, types and bits comes back as it was."""

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from understudy.contracts.plate import Plate, SampleType, Window
from understudy.frames.read import read_plate
from understudy.frames.write import WriteOptions, write_plate

_NAMES = ("R", "G", "B", "A", "Z", "left.R", "diffuse.G", "forward.u", "crypto00.B", "N.X", "a.b.c", "läyer.Y")
_TYPES: tuple[SampleType, ...] = ("half", "float", "uint")

windows = st.builds(Window, st.integers(-5000, 5000), st.integers(-5000, 5000), st.integers(1, 40), st.integers(1, 300))


@given(
    data=windows,
    display=windows,
    channels=st.lists(
        st.tuples(st.sampled_from(_NAMES), st.sampled_from(_TYPES)), min_size=1, unique_by=lambda c: c[0]
    ),
    compression=st.sampled_from(["none", "rle", "zips", "zip", "piz"]),
    aspect=st.floats(0.25, 4, width=32),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_plate_comes_back(
    data: Window,
    display: Window,
    channels: list[tuple[str, SampleType]],
    compression: str,
    aspect: float,
    seed: int,
    tmp_path: Path,
) -> None:
    pixels = np.empty((data.height, data.width, len(channels)), np.float32)
    random = np.random.default_rng(seed)
    for index, (_, kind) in enumerate(channels):
        bits = random.integers(0, 2**32, pixels.shape[:2], np.uint32)
        if kind == "half":
            values = bits.astype(np.uint16).view(np.float16)
            pixels[..., index] = np.where(np.isfinite(values), values, np.float16(-0.0))
        elif kind == "float":
            floats = bits.view(np.float32)
            pixels[..., index] = np.where(np.isfinite(floats), floats, np.float32(-0.0))
        else:
            pixels[..., index] = bits.view(np.float32)
    plate = Plate(
        pixels=pixels,
        channels=tuple(name for name, _ in channels),
        sample_types=tuple(kind for _, kind in channels),
        data_window=data,
        display_window=display,
        pixel_aspect=aspect,
        colorspace="x",
    )
    path = tmp_path / "a.exr"
    report = write_plate(plate, path, WriteOptions(compression=compression))
    back = read_plate(path, frame=None, colorspace="x")
    assert report.clamped == 0
    assert dict(zip(back.channels, back.sample_types, strict=True)) == dict(channels)
    assert back.take(plate.channels).tobytes() == plate.pixels.tobytes()
    assert (back.data_window, back.display_window) == (data, display)
    assert back.pixel_aspect == aspect
    assert not back.sanitized
    again = tmp_path / "b.exr"
    write_plate(plate, again, WriteOptions(compression=compression))
    assert again.read_bytes() == path.read_bytes()
