# SPDX-License-Identifier: Apache-2.0
"""Telling numbers from NaN and infinity, in arrays small and large."""

import numpy as np
import pytest

from understudy.codec.finite import all_finite

LARGE = (1 << 21) + 4097  # spread over cores, in blocks and a rest
LARGEST, SMALLEST = np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal


@pytest.mark.parametrize("size", [0, 1, 65_537, LARGE])
@pytest.mark.parametrize("value", [0.0, 1.0, -LARGEST, LARGEST, SMALLEST, 65504.0])
def test_numbers_are_finite_however_large_or_small(size: int, value: float) -> None:
    assert all_finite(np.full(size, value, np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, np.uint32(0x7FA00001).view(np.float32)])
@pytest.mark.parametrize("at", [0, 4095, 4096, 1 << 20, LARGE - 4098, LARGE - 1])
@pytest.mark.parametrize("others", [0.0, -LARGEST])
def test_one_sample_that_is_not_finite_is_found_anywhere(bad: float, at: int, others: float) -> None:
    samples = np.full(LARGE, others, np.float32)
    samples[at] = bad
    assert not all_finite(samples)


def test_infinities_that_would_cancel_are_found() -> None:
    samples = np.zeros(LARGE, np.float32)
    samples[10], samples[11] = np.inf, -np.inf
    assert not all_finite(samples)
