# SPDX-License-Identifier: Apache-2.0
"""The pixel hash: by its definition, whatever order channels come in and however rows are handed over."""

import json
from typing import Any

import numpy as np
import pytest
from blake3 import blake3

from understudy.contracts.plate import FloatImage, SampleType, Window
from understudy.frames.pixel_hash import SCHEMA, PixelHash

WINDOW = Window(-2, 3, 40, 30)
CHANNELS = ("R", "G", "B", "A", "confidence.Y", "forward.u", "forward.v")


def picture(count: int) -> FloatImage:
    return np.random.default_rng(3).random((30, 40, count), np.float32)


def hashed(pixels: FloatImage, channels: tuple[str, ...], types: tuple[SampleType, ...], *rows: int) -> str:
    found = PixelHash(channels, types, WINDOW)
    for band in np.split(pixels, rows):
        found.add(band)
    return found.hexdigest()


def by_definition(samples: FloatImage, pairs: list[list[str]]) -> str:
    head = {"channels": pairs, "inf": 0, "nan": 0, "window": [-2, 3, 40, 30]}
    text = f"{SCHEMA}\n{json.dumps(head, separators=(',', ':'))}\n".encode()
    return blake3(text + blake3(samples.tobytes()).digest()).hexdigest()


@pytest.mark.parametrize("kind", ["half", "float", "uint", "mixed"])
def test_it_is_what_the_definition_says(kind: str) -> None:
    pixels = picture(len(CHANNELS))
    cases: dict[str, tuple[SampleType, ...]] = {
        "half": ("half",) * 7, "float": ("float",) * 7, "uint": ("uint",) * 7,
        "mixed": ("half", "half", "half", "float", "half", "float", "uint"),
    }  # fmt: skip
    types = cases[kind]
    wanted = pixels.astype("<f2") if kind == "half" else pixels.copy()
    if kind == "mixed":
        wanted[..., [0, 1, 2, 4]] = wanted[..., [0, 1, 2, 4]].astype("<f2")
    pairs = [[name, each] for name, each in zip(CHANNELS, types, strict=True)]
    assert hashed(pixels, CHANNELS, types) == by_definition(wanted, pairs)
    if kind == "half":
        assert hashed(pixels.astype(np.float16), CHANNELS, types) == by_definition(wanted, pairs)


@pytest.mark.parametrize(("kind", "top", "code"), [("uint8", 255, np.uint8), ("uint16", 65535, np.uint16)])
def test_codes_are_hashed_as_codes(kind: SampleType, top: int, code: type) -> None:
    codes: Any = np.random.default_rng(1).integers(0, top, (30, 40, 3), endpoint=True).astype(code)
    plain = codes.astype(np.float32) / np.float32(top)
    types = (kind,) * 3
    assert hashed(codes, ("R", "G", "B"), types) == hashed(plain, ("R", "G", "B"), types)
    assert hashed(codes, ("R", "G", "B"), types) == by_definition(codes, [[n, kind] for n in "RGB"])


def test_the_order_of_channels_and_the_size_of_bands_do_not_matter() -> None:
    pixels = picture(len(CHANNELS))
    types: tuple[SampleType, ...] = ("half", "half", "half", "half", "float", "float", "float")
    whole = hashed(pixels, CHANNELS, types)
    assert hashed(pixels, CHANNELS, types, 1, 7, 29) == whole
    order = [5, 2, 0, 6, 4, 1, 3]
    mixed_up = tuple(CHANNELS[index] for index in order), tuple(types[index] for index in order)
    assert hashed(np.ascontiguousarray(pixels[..., order]), *mixed_up, 11) == whole
    assert hashed(pixels[..., order], *mixed_up) == whole


def test_everything_that_a_reader_sees_counts() -> None:
    pixels = picture(3)
    whole = hashed(pixels, ("R", "G", "B"), ("float",) * 3)
    assert hashed(pixels, ("R", "G", "A"), ("float",) * 3) != whole
    assert hashed(pixels, ("G", "R", "B"), ("float",) * 3) != whole
    assert hashed(pixels, ("R", "G", "B"), ("half",) * 3) != whole
    pixels[29, 39, 2] += 0.001
    assert hashed(pixels, ("R", "G", "B"), ("float",) * 3) != whole
