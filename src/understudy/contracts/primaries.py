# SPDX-License-Identifier: Apache-2.0
"""Primaries that files state and color spaces have: red, green, blue and white, each as CIE 1931 x, y."""

AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
"""SMPTE ST 2065-1."""
AP1 = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
"""Academy S-2014-004 (ACEScg)."""
REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
"""ITU-R BT.709-6."""
REC2020 = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)
"""ITU-R BT.2020-2."""
P3_D65 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
"""SMPTE EG 432-1."""

SCENE_LINEAR_PRIMARIES = {
    "lin_ap0_scene": AP0,
    "lin_ap1_scene": AP1,
    "lin_rec709_scene": REC709,
    "lin_rec2020_scene": REC2020,
    "lin_p3d65_scene": P3_D65,
}
"""Primaries of scene-linear spaces, by Color Interop Forum identifier."""
