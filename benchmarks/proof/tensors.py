# SPDX-License-Identifier: Apache-2.0
"""A pack asked as a plain tensor model, over the Open Inference Protocol."""

from typing import Any

import grpc
import numpy as np

from understudy.contracts.plate import FloatImage
from understudy.inference_protocol import messages as m
from understudy.inference_protocol.methods import path
from understudy.inference_protocol.raw_contents import decode_response, encode_request

TENSOR_PACK = "identity-onnx-upscale"
_SCALE = 2


class TensorClient:
    """Asks one model; safe to use from several threads.

    Args:
        address: Of the service.
        timeout_s: For each call.
    """

    def __init__(self, address: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._channel: Any = grpc.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),))
        self._infer = self._channel.unary_unary(path("ModelInfer"))

    def wrong(self, pixels: FloatImage, name: str) -> str:
        """Has pixels repeated and says what is wrong with the answer; empty for nothing.

        Args:
            pixels: ``(height, width, 3)``.
            name: The request's id, which must come back.
        """
        image = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
        request = m.ModelInferRequest(model_name=TENSOR_PACK, id=name)
        request.inputs.add(name="image", datatype="FP32", shape=image.shape)
        request.inputs.add(name="scale", datatype="FP32", shape=[1])
        data = encode_request(request, [image, np.array([_SCALE], np.float32)])
        answer = decode_response(self._infer(data, timeout=self._timeout_s))
        want = image.repeat(_SCALE, 2).repeat(_SCALE, 3)
        if answer.message.id != name:
            return f"the answer is {answer.message.id}'s"
        (output,) = answer.message.outputs
        if tuple(output.shape) != want.shape or bytes(answer.raw[0]) != want.tobytes():
            return f"the tensor of shape {tuple(output.shape)} has other samples than those sent, repeated"
        return ""

    def close(self) -> None:
        """Leaves."""
        self._channel.close()


class Repository:
    """Loads and unloads packs as an operator does.

    Args:
        address: Of the service.
    """

    def __init__(self, address: str) -> None:
        self._channel: Any = grpc.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),))

    def load(self, name: str) -> None:
        """Loads and pins a pack."""
        self._ask("RepositoryModelLoad", m.RepositoryModelLoadRequest(model_name=name))

    def unload(self, name: str) -> None:
        """Lets go of a pack."""
        self._ask("RepositoryModelUnload", m.RepositoryModelUnloadRequest(model_name=name))

    def close(self) -> None:
        """Leaves."""
        self._channel.close()

    def _ask(self, method: str, request: Any) -> None:
        self._channel.unary_unary(path(method), request_serializer=type(request).SerializeToString)(request, timeout=60)
