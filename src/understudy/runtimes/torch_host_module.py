# SPDX-License-Identifier: Apache-2.0
"""A pack's network as a host wants it: one picture of scene-linear RGB in, one out, with all color inside.

What an engine does around a network is done in the module: primaries, curve, clip, what the network never saw carried
around it, single channels one by one, sides padded. So Nuke's Inference node and Flame's need nothing beside the file.
Sums and curves run in float32 whatever the host makes of the weights.
"""

from dataclasses import dataclass
from typing import Any, Literal

from understudy.runtimes.torch_device import import_torch
from understudy.runtimes.torch_enlarge import held, kept_light

Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostColor:
    """The way from a host's pixels to what the network sees, and back.

    Attributes:
        curve: ``display_log``, ``acescct``, or none for linear light.
        constants: Of the curve, by name.
        to: RGB of the host to the curve's primaries; None for the same.
        back: The inverse.
        domain: Low and high of what the network was trained on; None for all.
    """

    curve: Literal["display_log", "acescct", "none"]
    constants: dict[str, float]
    to: Matrix | None
    back: Matrix | None
    domain: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostShape:
    """How the network takes pictures.

    Attributes:
        channels: 1: each channel goes through it alone. 3: RGB. 0: any.
        scale: Output pixels per input pixel.
        multiple_of: What sides must be a multiple of, pixels.
        minimum_size: The smallest side, pixels.
        border: Pixels by which edges are repeated around the picture, as an engine does; a multiple of ``multiple_of``.
        blue_first: It takes and gives BGR.
        gains: What its values are multiplied by, going in and coming out.
        offsets: What is added after that.
        keeps_light: Lamps keep their light, as ``roles.network_upscaler`` has it.
        overshoot: How far a result may pass its 4x4 neighbors, as a share of the extreme; None for any.
    """

    channels: int
    scale: int
    multiple_of: int
    minimum_size: int
    border: int = 0
    blue_first: bool = False
    gains: tuple[float, float] = (1.0, 1.0)
    offsets: tuple[float, float] = (0.0, 0.0)
    keeps_light: bool = False
    overshoot: float | None = None


def host_module(network: Any, shape: HostShape, color: HostColor | None, *, pad: bool) -> Any:
    """The module, in evaluation mode.

    Args:
        network: ``(n, c, h, w)`` to ``(n, c, h * scale, w * scale)``, in the pack's encoding.
        shape: How it takes pictures.
        color: The color around it; None for a network that takes the plate's own values.
        pad: Pad sides inside; a host that pads by itself does not need it.
    """
    torch = import_torch()
    functional = torch.nn.functional

    class HostModule(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch has no types here
        """``(1, 3, h, w)`` to ``(1, 3, h * scale, w * scale)``."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            for name in ("to", "back"):
                matrix = getattr(color, name, None)
                kernel = None if matrix is None else torch.tensor(matrix, dtype=torch.float32)[:, :, None, None]
                self.register_buffer(f"matrix_{name}", kernel)

        def forward(self, frame: Any) -> Any:
            """One picture."""
            x = frame.float()
            if color is None:
                return self._sized(x).type_as(frame)
            light = x if self.matrix_to is None else functional.conv2d(x, self.matrix_to.float())
            code = encoded(light)
            seen = code if color.domain is None else torch.clamp(code, color.domain[0], color.domain[1])
            answer = self._sized(seen)
            if shape.scale == 1:
                inside = (seen == code).all(dim=1, keepdim=True)
                changed = x + (self._light(answer) - self._light(seen))
                return torch.where(inside, changed, x).type_as(frame)
            out = self._light(answer)
            if color.domain is not None:
                inside = (seen == code).all(dim=1, keepdim=True)
                beyond = torch.where(inside, torch.zeros_like(x), x - self._light(seen))
                out = out + functional.interpolate(
                    beyond, scale_factor=float(shape.scale), mode="bilinear", align_corners=False
                )
            return out.type_as(frame)

        def _light(self, code: Any) -> Any:
            """Pixels of the host."""
            light = decoded(code)
            return light if self.matrix_back is None else functional.conv2d(light, self.matrix_back.float())

        def _sized(self, x: Any) -> Any:
            """The network's answer, edges repeated around the picture and cropped away again."""
            height, width, border = x.shape[2], x.shape[3], shape.border
            below = right = border
            if pad and (shape.multiple_of > 1 or shape.minimum_size > 1):
                below = border + _more(height + 2 * border, shape)
                right = border + _more(width + 2 * border, shape)
            if pad or border:
                x = functional.pad(x, (border, right, border, below), mode="replicate")
            answer, edge = self._apart(x), border * shape.scale
            return answer[:, :, edge : edge + height * shape.scale, edge : edge + width * shape.scale]

        def _apart(self, x: Any) -> Any:
            if shape.channels != 1:
                return self._answer(x)
            count, channels, height, width = x.shape
            answer = self._answer(x.reshape(count * channels, 1, height, width))
            return answer.reshape(count, channels, height * shape.scale, width * shape.scale)

        def _answer(self, x: Any) -> Any:
            seen = x.flip(1) if shape.blue_first else x
            answer = self.network(seen * shape.gains[0] + shape.offsets[0]).float()
            answer = answer * shape.gains[1] + shape.offsets[1]
            if shape.overshoot is not None:
                answer = held(torch, answer, x, shape.scale, shape.overshoot)
            if shape.keeps_light:
                answer = kept_light(torch, answer, x, shape.scale)
            return answer.flip(1) if shape.blue_first else answer

    curves: tuple[Any, Any] = _curves(torch, color) if color is not None else (None, None)
    encoded, decoded = curves
    return HostModule().eval()


def _more(side: Any, shape: HostShape) -> Any:
    """Pixels to the next multiple that is not under the least."""
    step = shape.multiple_of
    missing = -(-shape.minimum_size // step) * step - side
    short = missing * (missing > 0)
    return short + (step - (side + short) % step) % step


def _curves(torch: Any, color: HostColor) -> tuple[Any, Any]:
    """The curve and its inverse, on float32 tensors."""
    c = color.constants
    if color.curve == "none":
        return (lambda x: x), (lambda y: y)
    if color.curve == "acescct":

        def encode(x: Any) -> Any:
            line = x * c["slope"] + c["offset"]
            log = (torch.log2(torch.clamp(x, min=c["break"])) + 9.72) / 17.52
            return torch.where(x <= c["break"], line, log)

        def decode(y: Any) -> Any:
            return torch.where(
                y <= c["break_code"],
                (y - c["offset"]) / c["slope"],
                torch.pow(2.0, torch.clamp(y, max=7.85) * 17.52 - 9.72),
            )

        return encode, decode

    def encode_display(x: Any) -> Any:
        line = torch.clamp(x, max=c["toe"]) * (c["toe_height"] / c["toe"])
        root = (1 + c["offset"]) * (torch.pow(torch.clamp(x, c["toe"], c["knee"]), 1 / c["gamma"]) - c["root"])
        log = c["growth"] * torch.log(torch.clamp(x, min=c["knee"]) / c["knee"])
        return (line + root + log) / c["scale"]

    def decode_display(y: Any) -> Any:
        g = y * c["scale"]
        line = torch.clamp(g, max=c["toe_height"]) * (c["toe"] / c["toe_height"])
        middle = (torch.clamp(g, c["toe_height"], c["height"]) + c["offset"]) / (1 + c["offset"])
        power = torch.pow(middle, c["gamma"]) - c["root"] ** c["gamma"]
        rise = torch.exp(torch.clamp(g - c["height"], min=0.0) / c["growth"])
        # Beyond the knee the logarithm's inverse multiplies the knee; below it the rise is 1.
        return line + power + c["knee"] * (rise - 1)

    return encode_display, decode_display
