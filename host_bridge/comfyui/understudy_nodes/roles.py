# SPDX-License-Identifier: Apache-2.0
"""The four roles on batches of pictures. A batch is a shot: picture after picture, in time."""

from __future__ import annotations

import json
from typing import Any

import torch

from .job import Job
from .knobs import DEFAULT_PACK, Input, Node, shared

_CONFIDENCE = ("confidence.Y",)


def upscale(images: torch.Tensor, scale: float, **knobs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Larger pictures, and how far to trust them."""
    return _played(images, {"type": "upscale", "scale": scale, "confidence": True}, knobs)


def retime(images: torch.Tensor, speed: float, **knobs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Slower or faster; pictures that were there stay as they are."""
    return _played(images, {"type": "interpolate", "speed": speed}, knobs)


def motion(images: torch.Tensor, **knobs: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Vectors to the next and to the previous picture: u right, v up, in pixels; confidence in the third channel."""
    with Job() as job:
        nodes = _nodes(job, images, {"type": "motion"}, knobs)
        nodes["out"] = job.out("work")
        job.render(nodes, draft=knobs["draft"], server=knobs.get("server", ""))
        frames = job.frames("work")
    sides = [
        torch.stack([frame.over_display((f"{side}.u", f"{side}.v", f"{side}.confidence")) for frame in frames])
        for side in ("forward", "backward")
    ]
    confidence = torch.stack([frame.over_display(_CONFIDENCE)[..., 0] for frame in frames])
    return sides[0], sides[1], confidence


def relight(
    images: torch.Tensor,
    lights: str,
    method: str,
    *,
    normals: torch.Tensor | None = None,
    normals_encoded: bool = True,
    albedo: torch.Tensor | None = None,
    **knobs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """New light on the pictures."""
    try:
        rig = json.loads(lights)
    except ValueError as error:
        raise ValueError(f"lights: not JSON ({error}); see docs/reference/lights.md") from None
    node: dict[str, Any] = {"type": "relight", "lights": rig, "method": method, "passes": ["confidence"]}
    passes = {}
    if normals is not None:
        normals = normals[..., :3] * 2 - 1 if normals_encoded else normals[..., :3]
        passes["normal"] = (normals, ("normal.X", "normal.Y", "normal.Z"), "Raw")
    if albedo is not None:
        passes["albedo"] = (albedo[..., :3], ("R", "G", "B"), _space(knobs))
    return _played(images, node, knobs, passes)


def _played(
    images: torch.Tensor, node: dict[str, Any], knobs: dict[str, Any], passes: dict[str, Any] | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures and confidence of a role that gives pictures."""
    with Job() as job:
        nodes = _nodes(job, images, node, knobs)
        for name, (pixels, channels, space) in (passes or {}).items():
            file = job.tap(name, pixels, knobs["first_frame"], channels)
            nodes[name] = {"type": "read", "file": file, "colorspace": space}
            nodes["work"][name] = name
        nodes["out"] = job.out("work", colorspace=_space(knobs))
        job.render(nodes, draft=knobs["draft"], server=knobs.get("server", ""))
        frames = job.frames("work")
    names = ("R", "G", "B", "A")[: images.shape[-1]]
    pictures = torch.stack([frame.over_display(names) for frame in frames])
    # what was not made up, such as the source pictures of a retime, is certain
    doubt = torch.stack([frame.over_display(_CONFIDENCE, missing=1.0)[..., 0] for frame in frames])
    return pictures, doubt


def _nodes(job: Job, images: torch.Tensor, node: dict[str, Any], knobs: dict[str, Any]) -> dict[str, dict[str, Any]]:
    if images.shape[-1] not in (3, 4):
        raise ValueError(f"an image has 3 or 4 channels; there are {images.shape[-1]}")
    pack = "" if knobs["pack"] == DEFAULT_PACK else knobs["pack"]
    file = job.tap("plate", images, knobs["first_frame"])
    return {
        "plate": {"type": "read", "file": file, "colorspace": _space(knobs)},
        "work": {"input": "plate", "pack": pack, **node},
    }


def _space(knobs: dict[str, Any]) -> str:
    return str(knobs.get("other_colorspace") or knobs["colorspace"])


_IMAGES = Input("images", "IMAGE", "A picture, or a shot as a batch")
_PICTURES = (("IMAGE", "images"), ("MASK", "confidence"))

ROLES = (
    Node(
        "UnderstudyUpscale", "Understudy Upscale", upscale.__doc__ or "",
        (_IMAGES, Input("scale", "FLOAT", "Factor of both sides", 2.0, low=1, high=8, step=0.5), *shared("upscale")),
        _PICTURES, upscale,
    ),
    Node(
        "UnderstudyRetime", "Understudy Retime", retime.__doc__ or "",
        (
            _IMAGES, Input("speed", "FLOAT", "0.5 is half speed: twice as many", 0.5, low=0.01, high=32, step=0.01),
            *shared("interpolate"),
        ),
        _PICTURES, retime,
    ),
    Node(
        "UnderstudyMotion", "Understudy Motion", motion.__doc__ or "", (_IMAGES, *shared("motion")),
        (("IMAGE", "forward"), ("IMAGE", "backward"), ("MASK", "confidence")), motion,
    ),
    Node(
        "UnderstudyRelight", "Understudy Relight", relight.__doc__ or "",
        (
            _IMAGES,
            Input(
                "lights", "STRING", "A lights document, docs/reference/lights.md",
                '{"lights": [{"name": "key", "type": "directional", "direction": [-0.6, 0.5, 0.6]}]}', multiline=True,
            ),
            Input("method", "COMBO", "aov needs normals and albedo; ratio multiplies the picture", "auto",
                  lambda: ["auto", "ratio", "aov"]),
            *shared("relight"),
            Input("normals", "IMAGE", "Camera-space normals; without them a pack estimates them", optional=True),
            Input("normals_encoded", "BOOLEAN", "Normals come as 0 to 1, not as -1 to 1", default=True, optional=True),
            Input("albedo", "IMAGE", "Surface color, in the image's space", optional=True),
        ),
        _PICTURES, relight,
    ),
)  # fmt: skip
