# SPDX-License-Identifier: Apache-2.0
"""Types of the fixtures of these tests."""

from collections.abc import Callable

from understudy.contracts.plate import Plate

MakePlate = Callable[..., Plate]
WriteParts = Callable[..., None]
