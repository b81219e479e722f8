# SPDX-License-Identifier: Apache-2.0
"""What an output's header states of its color: chromaticities and interop identifiers of the spaces that have them."""

from understudy.contracts.plate import MetadataValue, Plate

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

CHROMATICITIES = {
    "ACES2065-1": AP0,
    "ACEScg": AP1,
    "Linear Rec.709 (sRGB)": REC709,
    "Linear Rec.2020": REC2020,
    "Linear P3-D65": P3_D65,
}
"""Scene-linear spaces of the ACES configs, by canonical name; EXR's attribute promises linear light."""

INTEROP_IDS = {
    "ACES2065-1": "lin_ap0_scene",
    "ACEScg": "lin_ap1_scene",
    "Linear Rec.709 (sRGB)": "lin_rec709_scene",
    "Linear Rec.2020": "lin_rec2020_scene",
    "Linear P3-D65": "lin_p3d65_scene",
    "sRGB Encoded Rec.709 (sRGB)": "srgb_rec709_scene",
}
"""Color Interop Forum identifiers (recommendation 1, texture assets and CG rendering)."""


def color_labels(plate: Plate) -> dict[str, MetadataValue]:
    """``chromaticities`` and ``colorInteropID`` for a plate's header.

    A space that is in the tables gets theirs. Otherwise the file's own statements stay when the plate is still in the
    file's space, and are dropped when it is not: a label that no longer holds is worse than none.
    """
    labels: dict[str, MetadataValue] = {}
    if plate.colorspace in INTEROP_IDS:
        labels["colorInteropID"] = INTEROP_IDS[plate.colorspace]
        if plate.colorspace in CHROMATICITIES:
            labels["chromaticities"] = CHROMATICITIES[plate.colorspace]
    elif plate.colorspace and plate.colorspace == plate.storage.colorspace:
        labels = {name: plate.metadata[name] for name in ("chromaticities", "colorInteropID") if name in plate.metadata}
    return labels
