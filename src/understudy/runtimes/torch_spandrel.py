# SPDX-License-Identifier: Apache-2.0
"""PyTorch weights by spandrel, which knows the networks that people's upscalers and restorers have.

Weights say by the names and shapes of their tensors which network they belong to. Code comes from spandrel alone, never
from the file. ``.pth`` files are pickles: they are read here once, when they are added, by torch's reader that makes
tensors and nothing else (``weights_only``), and kept as ``.safetensors`` from then on.
"""

import importlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from understudy.contracts.errors import PackError
from understudy.runtimes.torch_device import import_torch, quiet, torch_failure
from understudy.runtimes.torch_models import TorchNetwork

_WRAPPERS = ("params_ema", "params-ema", "params", "model_state_dict", "state_dict", "model", "net")
_DEEPEST = 4
_stand_ins: list[Any] = []  # held: an operator goes with its library


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWeights:
    """Weights of a network that spandrel knows, and what it says of it.

    Attributes:
        network: Ready to run: ``x`` to ``y``.
        architecture: Its name.
        purpose: ``SR``, ``FaceSR`` or ``Restoration``.
        tags: Such as its size.
        scale: Output pixels per input pixel.
        channels: Of its input; its output has as many.
        multiple_of: What its sides must be a multiple of, pixels.
        minimum: The smallest side, pixels.
        whole: It looks at the whole picture, or tiles it by itself.
    """

    network: TorchNetwork
    architecture: str
    purpose: str
    tags: tuple[str, ...]
    scale: int
    channels: int
    multiple_of: int
    minimum: int
    whole: bool


def open_weights(data: bytes, where: str) -> KnownWeights:
    """The network of a safetensors file, with its weights.

    Args:
        data: The whole file.
        where: How messages name it.

    Raises:
        PackError: Spandrel is missing, the file is broken, or its network is none that spandrel knows.
    """
    import_spandrel()
    from safetensors.torch import load

    try:
        weights = load(data)
    except Exception as error:
        raise torch_failure(error, where, "is no sound safetensors file") from None
    return known_weights(weights, where)


def known_weights(weights: Mapping[str, Any], where: str) -> KnownWeights:
    """The network that weights belong to.

    Raises:
        PackError: It is none that spandrel knows, or not one that makes a picture of a picture.
    """
    spandrel = import_spandrel()
    torch = import_torch()
    try:
        with quiet():
            found = spandrel.ModelLoader(device="cpu").load_from_state_dict(dict(weights))
    except spandrel.UnsupportedModelError:
        fix = "export it as ONNX or TorchScript, and add that"
        raise PackError("spandrel knows no network with such weights", where=where, fix=fix) from None
    except Exception as error:
        raise torch_failure(error, where, "spandrel can't load it") from None
    name = str(found.architecture.name)
    if not isinstance(found, spandrel.ImageModelDescriptor):
        raise PackError(f"is a {name} for inpainting, which is no role here", where=where, fix="add an upscaler")
    if found.input_channels != found.output_channels or found.input_channels not in {1, 3}:
        problem = f"is a {name} of {found.input_channels} channels in and {found.output_channels} out"
        raise PackError(problem, where=where, fix="add one that takes and returns 1 or 3")
    if found.size_requirements.square:
        raise PackError(f"is a {name}, which takes square pictures only", where=where, fix="add another")
    module = found.model.eval().to(torch.float32)
    for parameter in module.parameters():
        parameter.requires_grad = False

    def call(x: Any) -> Any:
        # Not the descriptor itself: that clips its answer to 0-1.
        return found._call_fn(module, x)  # noqa: SLF001 - some networks need the arguments that only it knows

    return KnownWeights(
        network=TorchNetwork(module, call, (("x", "Tensor"),), ("y",)),
        architecture=name,
        purpose=str(found.purpose),
        tags=tuple(map(str, found.tags)),
        scale=int(found.scale),
        channels=int(found.input_channels),
        multiple_of=int(found.size_requirements.multiple_of),
        minimum=int(found.size_requirements.minimum),
        whole=found.tiling is not spandrel.ModelTiling.SUPPORTED,
    )


def read_pickled_weights(data: bytes, where: str) -> dict[str, Any]:
    """The tensors of a ``.pth`` file, by torch's reader that makes nothing but tensors and plain containers.

    Args:
        data: The whole file.
        where: How messages name it.

    Raises:
        PackError: It holds anything else, which is refused unread, or is broken.
    """
    torch = import_torch()
    try:
        with quiet():
            loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        text = " ".join(str(error).split())
        if "weights_only" in text or "Unsupported" in text or "WeightsUnpickler" in text:
            fix = "ask for the weights as .safetensors, or export the model as ONNX; do not open this file elsewhere"
            problem = "holds more than weights, and could run code if it were opened the usual way"
            raise PackError(problem, where=where, fix=fix) from None
        raise torch_failure(error, where, "is no readable file of weights") from None
    return _tensors(loaded, where)


def _tensors(loaded: Any, where: str) -> dict[str, Any]:
    """The tensors among what a training script saved, the averaged ones first."""
    torch = import_torch()
    found = loaded
    for _ in range(_DEEPEST):
        if not isinstance(found, Mapping) or any(isinstance(value, torch.Tensor) for value in found.values()):
            break
        inner = [found[key] for key in _WRAPPERS if isinstance(found.get(key), Mapping)]
        inner += [value for value in found.values() if isinstance(value, Mapping)]
        found = inner[0] if inner else {}
    weights = {}
    if isinstance(found, Mapping):
        weights = {str(name): value for name, value in found.items() if isinstance(value, torch.Tensor)}
    if not weights:
        raise PackError("holds no weights", where=where, fix="give the file of the network's state")
    for prefix in ("module.", "netG."):
        if all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return weights


def safetensors_of(weights: Mapping[str, Any]) -> bytes:
    """Weights as a safetensors file."""
    import_spandrel()
    from safetensors.torch import save

    return bytes(save({name: tensor.detach().clone().contiguous() for name, tensor in weights.items()}))


def import_spandrel() -> Any:
    """The module.

    Raises:
        PackError: It is not installed, or does not import.
    """
    torch = import_torch()
    try:
        return _imported(torch)
    except ImportError as error:
        text = " ".join(str(error).split())
        fix = "pip install 'understudy[spandrel]'"
        raise PackError(f"spandrel does not import: {text}"[:400], where="spandrel", fix=fix) from None
    except Exception as error:
        failed = torch_failure(error, "spandrel", "does not import")
        failed.fix = "install a torchvision that belongs to this torch, from the same index"
        raise failed from None


def _imported(torch: Any) -> Any:
    """Spandrel, beside whatever torchvision there is.

    It needs torchvision's Python alone, whose import ends at two operators when its compiled part does not load: that
    of the package index is built for CUDA, and often stands beside a torch for the CPU. They are declared then.
    """
    try:
        return importlib.import_module("spandrel")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error) or _stand_ins:
            raise
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _stand_ins.append(library)
    return importlib.import_module("spandrel")
