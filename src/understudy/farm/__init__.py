# SPDX-License-Identifier: Apache-2.0
"""Shares a render out: job bundles for farm managers, commands for those that take commands."""
