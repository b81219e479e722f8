# SPDX-License-Identifier: Apache-2.0
"""The peer of ``inference_protocol.py``: an identity model behind nvidia-pytriton, run in its environment."""

import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig


def identity(requests: list[Any]) -> list[dict[str, Any]]:
    return [{"y": request["x"]} for request in requests]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    ready, token = Path(sys.argv[1]), sys.argv[2]
    port = free_port()
    config = TritonConfig(
        http_port=free_port(),
        grpc_port=port,
        metrics_port=free_port(),
        grpc_address="127.0.0.1",
        http_address="127.0.0.1",
    )
    security = TritonSecurityConfig(access_token=token)
    with Triton(config=config, security_config=security) as triton:
        shape = (1, -1, -1, -1)
        triton.bind(
            model_name="identity",
            infer_func=identity,
            inputs=[Tensor(name="x", dtype=np.float16, shape=shape)],
            outputs=[Tensor(name="y", dtype=np.float16, shape=shape)],
            config=ModelConfig(batching=False),
        )
        triton.run()
        ready.write_text(f"127.0.0.1:{port}")
        import threading

        threading.Event().wait()


if __name__ == "__main__":
    main()
