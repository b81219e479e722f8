# SPDX-License-Identifier: Apache-2.0
"""Work that is spread over cores is done once and whole, in a fork as well."""

import os

import numpy as np
import pytest

from understudy.codec.cores import copy_samples


@pytest.mark.parametrize("size", [0, 1, (1 << 21) - 1, (1 << 21) + 5, 5_000_011])
def test_every_sample_is_copied_bit_for_bit(size: int) -> None:
    source = np.arange(size, dtype=np.uint32).view(np.float32)  # NaN of all kinds among them
    target = np.zeros(size, np.float32)
    copy_samples(target, source)
    assert target.tobytes() == source.tobytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_has_threads_of_its_own() -> None:
    source = np.arange(3_000_000, dtype=np.float32)
    copy_samples(np.empty_like(source), source)
    child = os.fork()
    if not child:
        target = np.zeros_like(source)
        copy_samples(target, source)
        os._exit(0 if (target == source).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
