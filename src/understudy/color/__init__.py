# SPDX-License-Identifier: Apache-2.0
"""OCIO processors, the color-space decision, shapers and the carry form's encoder. The only place that imports PyOpenColorIO."""
