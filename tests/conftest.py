# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every test may use."""

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test files beside the checkout; tests that need it skip without it."""
    if not _SHARED.is_dir():
        pytest.skip("needs ../shared/data beside the checkout")
    return _SHARED
