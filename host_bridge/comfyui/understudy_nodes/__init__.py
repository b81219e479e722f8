# SPDX-License-Identifier: Apache-2.0
"""Understudy's nodes for ComfyUI: motion, retime, upscale and relight on unclipped float pictures, EXR in and out."""

from typing import Any

from .files import FILES
from .roles import ROLES
from .v1 import v1_class

NODES = (*FILES, *ROLES)
NODE_CLASS_MAPPINGS = {node.id: v1_class(node) for node in NODES}
NODE_DISPLAY_NAME_MAPPINGS = {node.id: node.title for node in NODES}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "comfy_entrypoint"]


async def comfy_entrypoint() -> Any:
    """ComfyUI's third API asks here."""
    from .v3 import extension

    return extension(NODES)
