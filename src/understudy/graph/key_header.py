# SPDX-License-Identifier: Apache-2.0
"""How a file says its content key, and that a sidecar belongs to it.

EXR and PNG have a header for it: ``understudy:key``. TIFF and JPEG have a place for an image's id of 32 hexadecimal
digits (Exif 2.3, ``ImageUniqueID``), which is the key's digest, or another made from it where there is a sidecar. DPX
and HDR have none: that such a file is done is known where it was made, and nowhere else.
"""

from collections.abc import Mapping
from enum import Enum

from blake3 import blake3

from understudy.contracts.plate import MetadataValue

KEY = "understudy:key"
IMAGE_ID = "Exif:ImageUniqueID"

BESIDE = "@beside"
"""Among the nodes of a key: there is a sidecar. No node can be called so."""
_ID_CONTAINERS = frozenset({"tiff", "jpeg"})


class Holds(Enum):
    """What a file with the wanted key consists of."""

    ALONE = "all there is"
    WITH_SIDECAR = "a sidecar lies beside it"


def key_attributes(key: str, container: str, *, sidecar: bool) -> dict[str, MetadataValue]:
    """The header attributes of a picture.

    Args:
        key: The content key as text, its digest first; empty for a file that is to have none.
        container: Lower-case format name.
        sidecar: A sidecar is written beside it.
    """
    if not key:
        return {KEY: ""}
    attributes: dict[str, MetadataValue] = {KEY: f"{key} {BESIDE}=1" if sidecar else key}
    if container in _ID_CONTAINERS:
        attributes[IMAGE_ID] = _image_id(key.partition(" ")[0], sidecar=sidecar)
    return attributes


def holds(metadata: Mapping[str, MetadataValue], digest: str) -> Holds | None:
    """What a file is, by its header; None when it was not made from what this digest says.

    Args:
        metadata: The header.
        digest: Of the wanted key.
    """
    words = str(metadata.get(KEY, "")).split()
    if words:
        if words[0] != digest:
            return None
        return Holds.WITH_SIDECAR if f"{BESIDE}=1" in words else Holds.ALONE
    ids = {_image_id(digest, sidecar=False): Holds.ALONE, _image_id(digest, sidecar=True): Holds.WITH_SIDECAR}
    return ids.get(str(metadata.get(IMAGE_ID, "")))


def has_image_id(metadata: Mapping[str, MetadataValue], container: str) -> bool:
    """Whether the file has an id in the place where ours would be."""
    return container in _ID_CONTAINERS and bool(metadata.get(IMAGE_ID))


def _image_id(digest: str, *, sidecar: bool) -> str:
    return blake3(f"{digest} {BESIDE}".encode()).hexdigest()[: len(digest)] if sidecar else digest
