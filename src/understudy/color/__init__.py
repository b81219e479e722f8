# SPDX-License-Identifier: Apache-2.0
"""OCIO conversions, the color-space decision, shapers and the carry form. Only here is PyOpenColorIO imported."""
