# SPDX-License-Identifier: Apache-2.0
"""A small request may ask for a huge result: its size is bounded before work begins."""

from understudy.contracts.errors import MemoryBudgetError
from understudy.contracts.workload import Workload
from understudy.service.limits import Limits


def require_result_fits(workload: Workload, limits: Limits) -> None:
    """Refuses a request whose result would be larger than allowed.

    Args:
        workload: What it means.
        limits: How much to take on.

    Raises:
        MemoryBudgetError: The result takes more bytes than `Limits.max_result_bytes`.
    """
    if workload.output_bytes > limits.max_result_bytes:
        raise MemoryBudgetError(
            f"the result would take {workload.output_bytes / 1e6:.0f} MB; the service makes at most"
            f" {limits.max_result_bytes / 1e6:.0f} MB a request",
            fix="ask for a smaller or shorter result, or raise limits.max_result_bytes of the service",
        )
