# SPDX-License-Identifier: Apache-2.0
"""How large plates and results may be, known before work begins: a small request may ask for a huge result."""

from understudy.contracts.errors import MemoryBudgetError
from understudy.contracts.workload import Workload
from understudy.service.limits import Limits


def require_plates_fit(workload: Workload, limits: Limits) -> None:
    """Refuses a request whose plates are larger than allowed.

    Args:
        workload: What it means.
        limits: How much to take on.

    Raises:
        MemoryBudgetError: They take more bytes than `Limits.max_request_bytes`.
    """
    if workload.input_bytes > limits.max_request_bytes:
        raise MemoryBudgetError(
            f"the plates take {workload.input_bytes / 1e6:.0f} MB; the service takes"
            f" {limits.max_request_bytes / 1e6:.0f} MB a request",
            fix="render smaller plates, or start the service with a larger --max-request-mb",
        )


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
