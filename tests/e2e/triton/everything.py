# SPDX-License-Identifier: Apache-2.0
"""Run with tritonclient: asks a service for everything, and writes what came to a folder for the test to compare."""

import json
import queue
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException, shared_memory

ADDRESS, FOLDER = sys.argv[1], Path(sys.argv[2])
INPUTS = dict(np.load(FOLDER / "inputs.npz"))
told: dict[str, Any] = {}
tensors: dict[str, Any] = {}
client = triton.InferenceServerClient(ADDRESS)


def given(name: str, tensor: Any) -> Any:
    made = triton.InferInput(name, tensor.shape, "FP16" if tensor.dtype == np.float16 else "FP32")
    made.set_data_from_numpy(tensor)
    return made


def refusal(call: Any) -> list[str]:
    try:
        call()
    except InferenceServerException as error:
        return [str(error.status()), str(error.message())]
    raise SystemExit("it was not refused")


told["live"] = [client.is_server_live(), client.is_server_ready(), client.is_model_ready("lanczos", "1.0.0")]
told["server"] = client.get_server_metadata(as_json=True)
told["index"] = client.get_model_repository_index(as_json=True)["models"]
told["metadata"] = {
    name: client.get_model_metadata(name, as_json=True) for name in ("identity-onnx-upscale", "dis-draft")
}
told["config"] = client.get_model_config("identity-onnx-upscale", as_json=True)["config"]

image, half = INPUTS["image"], INPUTS["image"].astype(np.float16)
nchw = np.ascontiguousarray(image.transpose(2, 0, 1)[np.newaxis])
tensors["lanczos"] = client.infer("lanczos", [given("image", image)], parameters={"scale": 2}).as_numpy("image")
tensors["lanczos_half"] = client.infer("lanczos", [given("image", half)], parameters={"scale": 2}).as_numpy("image")
answer = client.infer(
    "identity-onnx-upscale", [given("image", nchw)], "1.0.0", parameters={"scale": 2.0}, request_id="7"
)
tensors["onnx"], told["id"] = answer.as_numpy("image_out"), answer.get_response().id
pair = [given("a", INPUTS["a"]), given("b", INPUTS["b"])]
answer = client.infer("dis-draft", pair)
tensors["forward"], tensors["backward"] = answer.as_numpy("forward"), answer.as_numpy("backward")

size = nchw.nbytes
region = shared_memory.create_shared_memory_region("r", f"/us-test-{FOLDER.name}", 2 * size)
client.register_system_shared_memory("r", f"/us-test-{FOLDER.name}", 2 * size)
told["regions"] = client.get_system_shared_memory_status(as_json=True)
shared_memory.set_shared_memory_region(region, [nchw])
source = triton.InferInput("image", nchw.shape, "FP32")
source.set_shared_memory("r", size)
target = triton.InferRequestedOutput("image_out")
target.set_shared_memory("r", size, offset=size)
client.infer("identity-onnx-upscale", [source], outputs=[target], parameters={"scale": 1})
tensors["shared"] = np.array(shared_memory.get_contents_as_numpy(region, np.float32, nchw.shape, offset=size))
told["beyond"] = refusal(lambda: client.register_system_shared_memory("s", f"/us-test-{FOLDER.name}", 9 * size))
client.unregister_system_shared_memory("r")
told["unregistered"] = refusal(lambda: client.infer("identity-onnx-upscale", [source], parameters={"scale": 1}))
shared_memory.destroy_shared_memory_region(region)
told["cuda"] = refusal(client.get_cuda_shared_memory_status)
told["missing"] = refusal(lambda: client.infer("nobody", [given("image", image)]))
told["timeout"] = refusal(
    lambda: client.infer("lanczos", [given("image", image)], parameters={"scale": 2}, client_timeout=1e-4)
)

answers: "queue.Queue[tuple[Any, Any]]" = queue.Queue()
client.start_stream(lambda result, error: answers.put((result, error)))
for name in ("lanczos", "nobody", "lanczos"):
    client.async_stream_infer(name, [given("image", image)], parameters={"scale": 2}, request_id=name)
streamed = [answers.get(timeout=60) for _ in range(3)]
client.stop_stream()
told["streamed"] = [str(error) if error else result.get_response().id for result, error in streamed]
tensors["streamed"] = streamed[2][0].as_numpy("image")

client.load_model("lanczos")
told["loaded"] = client.get_model_repository_index(as_json=True)["models"]
client.unload_model("lanczos")
told["statistics"] = client.get_inference_statistics("lanczos", as_json=True)["model_stats"]
client.close()
np.savez(FOLDER / "outputs.npz", **tensors)
(FOLDER / "told.json").write_text(json.dumps(told))
