# SPDX-License-Identifier: Apache-2.0
"""Plates in, plates out, on any pack of the role: tiling, carry, confidence, and the in-process engine."""
