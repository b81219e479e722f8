# SPDX-License-Identifier: Apache-2.0
"""The suite that any pack must pass, shipped so that anyone can run it."""
