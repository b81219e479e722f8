# SPDX-License-Identifier: Apache-2.0
"""What an output's header states of its color: chromaticities and interop identifiers of the spaces that have them."""

from understudy.contracts.plate import MetadataValue, Plate
from understudy.contracts.primaries import SCENE_LINEAR_PRIMARIES

INTEROP_IDS = {
    "ACES2065-1": "lin_ap0_scene",
    "ACEScg": "lin_ap1_scene",
    "Linear Rec.709 (sRGB)": "lin_rec709_scene",
    "Linear Rec.2020": "lin_rec2020_scene",
    "Linear P3-D65": "lin_p3d65_scene",
    "sRGB Encoded Rec.709 (sRGB)": "srgb_rec709_scene",
}
"""Color Interop Forum identifiers (recommendation 1, texture assets and CG rendering), by the ACES configs' names."""


def color_labels(plate: Plate) -> dict[str, MetadataValue]:
    """``chromaticities`` and ``colorInteropID`` for a plate's header.

    A space that is in the tables gets theirs. Otherwise the file's own statements stay when the plate is still in the
    file's space, and are dropped when it is not: a label that no longer holds is worse than none.
    """
    labels: dict[str, MetadataValue] = {}
    if plate.colorspace in INTEROP_IDS:
        identifier = INTEROP_IDS[plate.colorspace]
        labels["colorInteropID"] = identifier
        # EXR's attribute promises linear light, so an encoded space gets none.
        if identifier in SCENE_LINEAR_PRIMARIES:
            labels["chromaticities"] = SCENE_LINEAR_PRIMARIES[identifier]
    elif plate.colorspace and plate.colorspace == plate.storage.colorspace:
        labels = {name: plate.metadata[name] for name in ("chromaticities", "colorInteropID") if name in plate.metadata}
    return labels
