# SPDX-License-Identifier: Apache-2.0
"""Discovers, checks and pins model packs."""
