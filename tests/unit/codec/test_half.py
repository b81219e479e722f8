# SPDX-License-Identifier: Apache-2.0
"""Samples as halves: the same bits back for every half there is, and a refusal for all other samples."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.codec.half import decode_half, encode_half

ALL = np.arange(1 << 16, dtype=np.uint16)
"""The bits of every half."""


def floats(bits: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    out = np.empty(bits.size, np.float32)
    decode_half(bits, out)
    return out


def encoded(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16] | None:
    out = np.empty(samples.size, np.uint16)
    return out if encode_half(samples, out) else None


def test_every_half_becomes_the_float_that_numpy_makes_of_it() -> None:
    expected = ALL.view(np.float16).astype(np.float32).view(np.uint32)
    for size in (1 << 16, 1 << 10):  # with values that are not finite among all others, and without
        for start in range(0, ALL.size, size):
            part = slice(start, start + size)
            assert np.array_equal(floats(ALL[part]).view(np.uint32), expected[part])


def test_decoding_tells_whether_all_are_finite() -> None:
    finite = ALL[(ALL & 0x7C00) != 0x7C00]
    out = np.empty(1, np.float32)
    assert decode_half(finite, np.empty(finite.size, np.float32))
    for bits in (0x7C00, 0xFC00, 0x7C01, 0xFE00, 0x7FFF):
        assert not decode_half(np.array([bits], np.uint16), out)


def test_every_finite_half_comes_back_from_its_float() -> None:
    finite = ALL[(ALL & 0x7C00) != 0x7C00]
    many = np.tile(finite, 3)  # over the borders of blocks
    back = encoded(floats(many))
    assert back is not None
    assert np.array_equal(back, many)


@pytest.mark.parametrize(
    "bits",
    [
        0x7F800000,  # infinity
        0x7FC00000,  # a quiet NaN
        0x7F802000,  # a signaling one
        0xFFC02000,
        0x477FF000,  # 65520: rounds to infinity
        0x47800000,  # 65536: beyond the largest half
        0x38800001,  # one bit more than the smallest normal half has
        0x33000000,  # half of the smallest denormal half
        0x33C00000,  # one and a half of it
        0x00000001,  # the smallest denormal float
        0x80000001,
        0x00000100,  # an integer of a uint channel
        0x3F801000,
        0xBF800800,
    ],
)
def test_what_no_half_holds_is_refused_wherever_it_stands(bits: int) -> None:
    for place in (0, 1 << 16, (3 << 16) - 1):
        samples = np.ones(3 << 16, np.float32)
        samples.view(np.uint32)[place] = bits
        assert encoded(samples) is None


@given(st.lists(st.integers(0, (1 << 32) - 1), min_size=1, max_size=40))
def test_what_is_encoded_comes_back_bit_for_bit(bits: list[int]) -> None:
    samples = np.array(bits, np.uint32).view(np.float32)
    halves = encoded(samples)
    if halves is not None:
        assert np.array_equal(floats(halves).view(np.uint32), samples.view(np.uint32))


@given(st.lists(st.integers(0, (1 << 16) - 1).filter(lambda bits: bits & 0x7C00 != 0x7C00), min_size=1, max_size=40))
def test_any_finite_halves_are_taken(bits: list[int]) -> None:
    halves = np.array(bits, np.uint16)
    back = encoded(floats(halves))
    assert back is not None
    assert np.array_equal(back, halves)


def test_a_strict_callers_arithmetic_is_no_obstacle() -> None:
    with np.errstate(all="raise"):
        samples = floats(np.array([1, 0x8001, 0x3C00, 0x7BFF], np.uint16))
        assert encoded(samples) is not None
        assert encoded(np.array([1e-42, 1e38, np.nan], np.float32)) is None
