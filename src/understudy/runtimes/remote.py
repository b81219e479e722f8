# SPDX-License-Identifier: Apache-2.0
"""Plays a pack by a model on another server that speaks the Open Inference Protocol (Triton, KServe, an Understudy).

Frames leave this machine, so nothing here runs unless the engine was told to allow it. A pack's digest covers which
server, which model and which mapping; it can't cover the weights, which the server may exchange at any time. What can
be held is the version that the server says has answered: it must be the declared one or, where none is declared, the
one that answered first. Reports name server, model and version, and say that nothing more is known.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from understudy.contracts.errors import PackError, RightsError
from understudy.contracts.manifest import OptionSpec, PackManifest, RemoteSpec, Role
from understudy.contracts.model import Call, Tensor, Tensors
from understudy.contracts.plate import FloatImage
from understudy.inference_protocol.client import InferenceClient
from understudy.inference_protocol.datatypes import DTYPES
from understudy.inference_protocol.messages import ModelMetadataRequest, ModelMetadataResponse
from understudy.runtimes.hwc_tensors import HwcTensors
from understudy.runtimes.load import LoadedModel, PackFiles
from understudy.runtimes.onnx import GraphModel, GraphPlan
from understudy.runtimes.outputs import input_names, output_channels, required_outputs
from understudy.runtimes.remote_tokens import token_for
from understudy.runtimes.warm_up import warm_up_call

ALLOW_VARIABLE = "UNDERSTUDY_ALLOW_REMOTE_PACKS"

_MAX_ANSWER_BYTES = 1 << 30
_TensorMetadata = ModelMetadataResponse.TensorMetadata


def load_remote(pack: PackFiles, *, allowed: bool) -> LoadedModel:
    """A connection to the model that plays a pack, once it has answered a small call as its role demands.

    Args:
        pack: A pack of kind ``remote``, its hashes verified.
        allowed: The engine was told to allow it; the environment may say so as well.

    Raises:
        RightsError: Nobody allowed it.
        UsageError: The file of tokens is wrong, or the token would travel unencrypted.
        UnavailableError: The server does not answer.
        PackError: Its model is not what the pack declares, or answers with something else.
    """
    manifest, spec = pack.manifest, pack.manifest.runtime.remote
    if spec is None:
        raise PackError("names no server", where=manifest.id, fix="add [runtime.remote] to pack.toml")
    if not allowed and os.environ.get(ALLOW_VARIABLE) != "1":
        fix = f"set {ALLOW_VARIABLE}=1, or allow_remote_packs under [packs] of the service's configuration"
        raise RightsError(f"{manifest.id} sends frames to {spec.address}, which nobody allowed", where="packs", fix=fix)
    authority = (pack.folder / spec.authority).read_bytes() if spec.authority else None
    client = InferenceClient(
        spec.address,
        tls=spec.tls,
        authority=authority,
        token=token_for(spec.address, tls=spec.tls),
        max_message_bytes=_MAX_ANSWER_BYTES,
    )
    try:
        model = RemoteModel(client, manifest, spec)
        model.run(*warm_up_call(manifest))
    except BaseException:
        client.close()
        raise
    said = f"version {model.version}" if model.version else "a version it does not tell"
    note = f"played by the model {spec.model} of the server at {spec.address}, {said}; its weights can't be pinned"
    tensors = HwcTensors(model, manifest, "remote")
    return LoadedModel(model=model, device=f"remote {spec.address}", tensors=tensors, note=note, precision="")


class RemoteModel:
    """A model on another server. One thread at a time.

    Args:
        client: The connection; closed with the model.
        manifest: The pack's.
        spec: The server, the model, the mapping.

    Raises:
        UnavailableError: The server does not answer.
        PackError: Its model is not what the pack declares.
    """

    def __init__(self, client: InferenceClient, manifest: PackManifest, spec: RemoteSpec) -> None:
        self._client = client
        self._manifest = manifest
        self._spec = spec
        self._call = Call()
        self.version = spec.version
        """The version that answers; empty until one has, or where the server tells none."""
        plan = self._plan(self._metadata())
        self._knobs = plan.knobs
        self._graph = GraphModel(self._ask, manifest, plan, spec.address, client.close)

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """One call, or a few: a request for each channel, or for each direction of motion, where the model needs it."""
        self._call = call
        return self._graph.run(tensors, call)

    def close(self) -> None:
        """Ends the connection and every request under way."""
        self._graph.close()

    def _metadata(self) -> ModelMetadataResponse:
        request = ModelMetadataRequest(name=self._spec.model, version=self._spec.version)
        return self._client.ask("ModelMetadata", request, ModelMetadataResponse, timeout_s=self._spec.timeout_s)

    def _plan(self, metadata: ModelMetadataResponse) -> GraphPlan:
        spec, role = self._spec, self._manifest.role
        there = {tensor.name: tensor for tensor in metadata.inputs}
        wanted = input_names(role)
        images = {name: spec.inputs.get(name, name) for name in wanted}
        knobs = {name: (DTYPES["FP32"], 1) for name in spec.inputs if name not in images}
        others = [name for name in there if name not in {spec.inputs[knob] for knob in knobs}]
        if len(wanted) == len(others) == 1 and wanted[0] not in spec.inputs:
            images = {wanted[0]: others[0]}  # a model of one picture may call it as it likes
        knobs |= dict.fromkeys(spec.parameters, (DTYPES["FP64"], 0))
        for name in (*images.values(), *(spec.inputs[name] for name in knobs if name in spec.inputs)):
            if name not in there:
                raise self._wrong(f'the model has no input "{name}"', f"it has {', '.join(there) or 'none'}")
        for name in images.values():
            self._check_image(there[name])
        outputs = self._outputs({tensor.name: tensor for tensor in metadata.outputs})
        return GraphPlan(images, knobs, outputs, self._manifest.contract.channels, None, DTYPES[spec.datatype])

    def _outputs(self, there: Mapping[str, _TensorMetadata]) -> dict[str, str]:
        spec, role = self._spec, self._manifest.role
        known = output_channels(role)
        if unknown := [name for name in spec.outputs if name not in known]:
            raise self._wrong(f'a {role} pack has no tensor "{unknown[0]}"', f"it may have {', '.join(known)}")
        outputs = dict(spec.outputs) or {name: name for name in known if name in there}
        if not outputs and role is Role.UPSCALE and len(there) == 1:
            outputs = {"image": next(iter(there))}
        required = {"forward"} if role is Role.MOTION else required_outputs(role)
        if missing := [name for name in required if name not in outputs] or ([] if outputs else ["image"]):
            fix = f'map "{missing[0]}" under [runtime.remote.outputs]; the model has {", ".join(there) or "none"}'
            raise self._wrong(f'no output of the model is "{missing[0]}"', fix)
        for name in outputs.values():
            if name not in there:
                raise self._wrong(f'the model has no output "{name}"', f"it has {', '.join(there)}")
            self._check_rank(there[name])
        return outputs

    def _check_image(self, tensor: _TensorMetadata) -> None:
        self._check_rank(tensor)
        shape = tuple(tensor.shape)
        if tensor.datatype != self._spec.datatype:
            fix = f'write datatype = "{tensor.datatype}"'
            raise self._wrong(f'its input "{tensor.name}" is {tensor.datatype}', fix)
        channels = shape[1] if self._spec.layout == "NCHW" else shape[-1]
        sides = shape[2:] if self._spec.layout == "NCHW" else shape[-3:-1]
        if channels > 0 and channels != self._manifest.contract.channels:
            raise self._wrong(f'its input "{tensor.name}" has {channels} channels', f"write channels = {channels}")
        if any(side > 0 for side in sides):
            raise self._wrong(f'its input "{tensor.name}" takes one size only', "serve it with free height and width")

    def _check_rank(self, tensor: _TensorMetadata) -> None:
        rank = 3 if self._spec.layout == "HWC" else 4
        if len(tensor.shape) != rank:
            problem = f'its tensor "{tensor.name}" has the shape {list(tensor.shape)}'
            raise self._wrong(problem, f"layout {self._spec.layout} has {rank} axes")

    def _ask(self, names: Sequence[str], feeds: Mapping[str, Tensor], _draft: bool) -> list[Tensor]:  # noqa: FBT001 - GraphRun's
        """One request; tensors are NCHW on our side."""
        inputs: dict[str, Tensor] = {}
        parameters: dict[str, Any] = {}
        for name, tensor in feeds.items():
            if name not in self._knobs:
                inputs[name] = self._sent(tensor)
            elif name in self._spec.inputs:
                inputs[self._spec.inputs[name]] = tensor
            else:
                parameters[name] = _parameter(tensor, self._manifest.options.get(name))
        answer = self._client.infer(
            self._spec.model,
            self._spec.version,
            inputs,
            names,
            parameters=parameters,
            timeout_s=self._spec.timeout_s,
            cancelled=self._call.cancelled,
        )
        self._hold_version(answer.version)
        if missing := [name for name in names if name not in answer.outputs]:
            raise self._wrong(f'it answered without "{missing[0]}"')
        return [self._received(name, answer.outputs[name]) for name in names]

    def _hold_version(self, version: str) -> None:
        if self.version and version and version != self.version:
            problem = f"version {version} of the model answers, and {self.version} is the one in use"
            raise self._wrong(problem, "load the pack again, or pin a version under [runtime.remote]")
        self.version = self.version or version

    def _sent(self, image: Tensor) -> Tensor:
        if self._spec.layout == "NCHW":
            return image
        moved = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
        return moved[0] if self._spec.layout == "HWC" else moved

    def _received(self, name: str, tensor: Tensor) -> Tensor:
        if tensor.dtype not in (np.float16, np.float32):
            raise self._wrong(f'it answered "{name}" with samples of {tensor.dtype}')
        if tensor.ndim != (3 if self._spec.layout == "HWC" else 4):
            raise self._wrong(f'it answered "{name}" with the shape {list(tensor.shape)}')
        if self._spec.layout == "HWC":
            tensor = tensor[np.newaxis]
        return tensor if self._spec.layout == "NCHW" else tensor.transpose(0, 3, 1, 2)

    def _wrong(self, problem: str, fix: str = "") -> PackError:
        return PackError(f"{self._spec.model}: {problem}", where=self._spec.address, fix=fix or None)


def _parameter(tensor: Tensor, spec: OptionSpec | None) -> bool | int | float | str:
    value = float(tensor.reshape(-1)[0])
    if spec is None or spec.type == "float":
        return value
    if spec.type == "choice":
        return spec.choices[int(value)]
    return bool(value) if spec.type == "bool" else int(value)
