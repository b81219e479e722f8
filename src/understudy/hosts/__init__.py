# SPDX-License-Identifier: Apache-2.0
"""Bridges to hosts: where each host wants its own, how it gets there and away again, what a host's shell sets."""
