# SPDX-License-Identifier: Apache-2.0
"""A pack holds all of its code, so that its hash pins it; code that packs share is the same file in each."""

from pathlib import Path

import pytest

_MODELS = Path(__file__).resolve().parents[3] / "models"


@pytest.mark.parametrize(
    "copies",
    [
        pytest.param(("dis-draft/adapter.py", "dis-good/adapter.py", "dis-best/adapter.py"), id="searches"),
        pytest.param(("flow-fusion/adapter.py", "flow-match/adapter.py"), id="picked"),
        pytest.param(("flow-projection/adapter.py", "refined-projection/projection.py"), id="projection"),
    ],
)
def test_shared_code_is_the_same_in_every_pack(copies: tuple[str, ...]) -> None:
    first, *others = ((_MODELS / copy).read_bytes() for copy in copies)
    assert all(other == first for other in others)
