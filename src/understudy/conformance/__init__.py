# SPDX-License-Identifier: Apache-2.0
"""The conformance suite: what a pack must do to be one. Anyone can run it on a pack of their own."""

from understudy.conformance.report import CheckResult, ConformanceReport
from understudy.conformance.suite import check_pack

__all__ = ["CheckResult", "ConformanceReport", "check_pack"]
