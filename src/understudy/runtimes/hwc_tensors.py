# SPDX-License-Identifier: Apache-2.0
"""Any model as itself: its role's tensors, (height, width, channels), as ``understudy.contracts.model`` has them."""

from collections.abc import Mapping

import numpy as np

from understudy.contracts.errors import JobCancelledError, UsageError
from understudy.contracts.manifest import PackManifest, Role
from understudy.contracts.model import (
    Call,
    Model,
    Region,
    Tensor,
    Tensors,
    TensorSignature,
    TensorSpec,
    WhenCancelled,
)
from understudy.runtimes.outputs import input_names, output_channels
from understudy.runtimes.tensor_shapes import (
    as_type,
    check_float,
    check_names,
    check_shape,
    check_sides,
    copy_tensor,
    scaled_sides,
)
from understudy.runtimes.warm_up import warm_up_call

_FLOAT = np.dtype(np.float32)


class HwcTensors:
    """A model's own tensors.

    Args:
        model: Checked: it returns what its role promises.
        manifest: Its pack's.
        platform: What runs it.
    """

    def __init__(self, model: Model, manifest: PackManifest, platform: str) -> None:
        self._model = model
        self._manifest = manifest
        self._platform = platform
        self._signature: TensorSignature | None = None

    def signature(self) -> TensorSignature:
        """Its tensors; which of its role's outputs it gives is seen by running it once.

        Raises:
            PackError: It failed.
        """
        if self._signature is None:
            contract, role = self._manifest.contract, self._manifest.role
            channels = contract.channels or -1
            depths = {name: 2 if name in {"forward", "backward"} else channels for name in input_names(role)}
            given = self._model.run(*warm_up_call(self._manifest))
            wide = output_channels(role)
            self._signature = TensorSignature(
                platform=self._platform,
                layout="HWC",
                inputs=tuple(_spec(name, depth) for name, depth in depths.items()),
                outputs=tuple(_spec(name, depth or channels) for name, depth in wide.items() if name in given),
            )
        return self._signature

    def output_shapes(self, shapes: Mapping[str, tuple[int, ...]], call: Call, /) -> dict[str, tuple[int, ...]]:
        """The shape of every output.

        Raises:
            UsageError: An input is unknown, missing, or of a shape that the model does not take.
        """
        signature = self.signature()
        check_names(shapes, signature.inputs, "input")
        for spec in signature.inputs:
            check_shape(spec, shapes[spec.name])
        height, width = check_sides(self._manifest, {name: (shape[0], shape[1]) for name, shape in shapes.items()})
        channels = shapes[signature.inputs[0].name][2]
        height, width = scaled_sides(self._manifest, call, height, width)
        return {
            spec.name: (height, width, spec.shape[2] if spec.shape[2] > 0 else channels) for spec in signature.outputs
        }

    def run_tensors(
        self,
        inputs: Mapping[str, Tensor],
        outputs: Mapping[str, Tensor],
        call: Call,
        /,
        *,
        when_cancelled: WhenCancelled | None = None,
    ) -> None:
        """One call; it can't be stopped, but a result that nobody waits for is written nowhere.

        Raises:
            JobCancelledError: It was cancelled meanwhile.
            UsageError: An input is no float, or an output is one that the model did not give.
            PackError: The model failed.
        """
        stopped: list[bool] = []
        if when_cancelled is not None:
            when_cancelled(lambda: stopped.append(True))
        for name, tensor in inputs.items():
            check_float(name, tensor)
        images: Tensors = {name: as_type(tensor, _FLOAT) for name, tensor in inputs.items()}
        region = None
        if self._manifest.role is Role.UPSCALE:
            height, width = images["image"].shape[:2]
            tall, wide = scaled_sides(self._manifest, call, height, width)
            region = Region(0, 0, 0, 0, wide, tall)
        whole = Call(scale=call.scale, region=region, time=call.time, draft=call.draft, options=call.options)
        given = self._model.run(images, whole)
        if stopped:
            raise JobCancelledError("the job was cancelled")
        for name, target in outputs.items():
            if name not in given:
                raise UsageError("the model did not give this output", where=name, fix=f"it gave {', '.join(given)}")
            copy_tensor(target, given[name])


def _spec(name: str, channels: int) -> TensorSpec:
    return TensorSpec(name=name, dtype=_FLOAT, shape=(-1, -1, channels))
