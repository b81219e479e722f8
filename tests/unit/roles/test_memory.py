# SPDX-License-Identifier: Apache-2.0
"""Work that can't fit is refused before memory is asked for."""

import numpy as np
import pytest

from understudy.contracts.errors import MemoryBudgetError
from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import Window, blank_plate
from understudy.roles import memory
from understudy.roles.engine import LocalEngine


def test_the_estimate_is_the_size_of_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000 * 4 * 10)
    memory.require_memory(Window(0, 0, 100, 100), 1, "a picture")
    with pytest.raises(MemoryBudgetError, match="a picture of 101x100 with 1 channels"):
        memory.require_memory(Window(0, 0, 101, 100), 1, "a picture")


def test_there_is_some_memory() -> None:
    assert memory.available_bytes() > 1 << 20


def test_an_upscale_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 16)
    plate = blank_plate(np.zeros((64, 64, 3), np.float32), ("R", "G", "B"), colorspace="ACEScg")
    request = RoleRequest(pack=PackPin(id="lanczos"), params=UpscaleParams(scale=4), plates={"plate": plate})
    with pytest.raises(MemoryBudgetError) as caught:
        LocalEngine().run(request)
    assert caught.value.exit_code == 4
