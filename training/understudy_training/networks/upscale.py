# SPDX-License-Identifier: Apache-2.0
"""The upscaling network: one channel in, one channel out, plain 3x3 convolutions beside a bicubic.

Without biases, with PReLU, and with a first layer whose filters sum to zero, the network commutes with gain and offset:
``f(k x + c) = k f(x) + c`` for k > 0, exactly (Mohan et al., ICLR 2020; Herbreteau et al., NeurIPS 2023). So exposure
is nothing it could have learned wrongly: a plate four stops brighter gives the same picture four stops brighter, and
values of any size pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy_training.generators.resize import cubic
from understudy_training.networks.rep_conv import RepConvs


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of a network.

    Attributes:
        factor: Output pixels per input pixel along a side.
        width: Channels of its feature maps.
        layers: 3x3 convolutions between head and tail.
        block: Convolutions that a skip goes around; 0 for one skip around all.
    """

    factor: int
    width: int = 32
    layers: int = 6
    block: int = 0

    @property
    def radius(self) -> int:
        """How many input pixels an output pixel looks around itself."""
        return self.layers + 2


class UpscaleNet(nn.Module):
    """The network in training: kernels are folded at each call.

    Args:
        shape: Its size.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.head = RepConvs(1, 1, shape.width, balanced=True)
        self.body = RepConvs(shape.layers, shape.width, shape.width, gain=0.7 if not shape.block else 0.4)
        self.tail = RepConvs(1, shape.width, shape.factor**2, gain=0.0)
        self.slopes = nn.Parameter(torch.full((shape.layers, shape.width), 0.2))
        self.register_buffer("phases", bicubic_phases(shape.factor), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Upscales [n, 1, h, w] in display-like values."""
        return self.deployed_with(x, *self._kernels())

    def deployed_with(self, x: Tensor, head: Tensor, body: Sequence[Tensor], tail: Tensor) -> Tensor:
        """The same with kernels that were folded before."""
        return _run(x, head, body, tail, self.slopes.unbind(0), self.phases, self.shape)

    def _kernels(self) -> tuple[Tensor, Sequence[Tensor], Tensor]:
        head, body, tail = (part.folded() for part in (self.head, self.body, self.tail))
        if head.is_cuda:
            # Tensor cores want channels last.
            head, tail = (part.contiguous(memory_format=torch.channels_last) for part in (head[0], tail[0]))
            return head, [part.contiguous(memory_format=torch.channels_last) for part in body.unbind(0)], tail
        return head[0], body.unbind(0), tail[0]

    def plain(self) -> "PlainUpscaleNet":
        """The folded network."""
        with torch.no_grad():
            head, body, tail = self._kernels()
            return PlainUpscaleNet(self.shape, head, body, tail, self.slopes, self.phases)


class PlainUpscaleNet(nn.Module):
    """The network as it ships: plain kernels.

    Args:
        shape: Its size.
        head: Kernel of the first layer.
        body: Kernels between.
        tail: Kernel of the last layer.
        slopes: PReLU slopes of the body's layers, [layers, width].
        phases: The bicubic's kernels.
    """

    def __init__(
        self, shape: Shape, head: Tensor, body: Sequence[Tensor], tail: Tensor, slopes: Tensor, phases: Tensor
    ) -> None:
        super().__init__()
        self.shape = shape
        self.head = nn.Parameter(head.detach().clone())
        self.body = nn.ParameterList([nn.Parameter(kernel.detach().clone()) for kernel in body])
        self.tail = nn.Parameter(tail.detach().clone())
        self.slopes = nn.ParameterList([nn.Parameter(slope.detach().clone()) for slope in slopes])
        self.register_buffer("phases", phases.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Upscales [n, 1, h, w] in display-like values."""
        return _run(x, self.head, list(self.body), self.tail, list(self.slopes), self.phases, self.shape)


def bicubic_phases(factor: int) -> Tensor:
    """Keys' bicubic as a 5x5 convolution for each of the ``factor`` squared places inside an input pixel."""
    taps = torch.arange(-2, 3, dtype=torch.float32)
    places = (torch.arange(factor, dtype=torch.float32) + 0.5) / factor - 0.5
    rows = cubic(taps[None] - places[:, None])
    rows = rows / rows.sum(1, keepdim=True)
    return torch.einsum("ax,by->abxy", rows, rows).reshape(factor**2, 1, 5, 5)


def _run(
    x: Tensor,
    head: Tensor,
    body: Sequence[Tensor],
    tail: Tensor,
    slopes: Sequence[Tensor],
    phases: Tensor,
    shape: Shape,
) -> Tensor:
    # What lies beyond the frame is its edge repeated, or a constant added to the plate would show at the borders.
    padded = functional.pad(x, (2, 2, 2, 2), mode="replicate")
    held = features = functional.conv2d(padded[..., 1:-1, 1:-1], head)
    for number, (kernel, slope) in enumerate(zip(body, slopes, strict=True)):
        # The slope in the type of the features: autocast would compute PReLU in float32.
        features = functional.prelu(functional.conv2d(features, kernel, padding=1), slope.to(features.dtype))
        if number == len(body) - 1 or (shape.block and number % shape.block == shape.block - 1):
            features = held = held + features
    detail = functional.conv2d(features, tail, padding=1)
    with torch.autocast(x.device.type, enabled=False):
        smooth = functional.conv2d(padded.float(), phases)
        return functional.pixel_shuffle(smooth + detail.float(), shape.factor)
