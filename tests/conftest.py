# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test files beside the checkout; tests that need it skip without it."""
    if not _SHARED.is_dir():
        pytest.skip("needs ../shared/data beside the checkout")
    return _SHARED


@pytest.fixture(scope="session", autouse=True)
def _own_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ledger, cache and costs of their own for tests and the processes they start: the user's stay as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNDERSTUDY_LEDGER", str(tmp_path_factory.mktemp("ledger") / "ledger.sqlite"))
        patch.setenv("UNDERSTUDY_COSTS", str(tmp_path_factory.mktemp("costs") / "costs.json"))
        patch.setenv("UNDERSTUDY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
