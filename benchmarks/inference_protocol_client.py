# SPDX-License-Identifier: Apache-2.0
"""The client of ``inference_protocol.py``: runs in the environment that has tritonclient, prints one line of JSON."""

import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import shared_memory

from bare_grpc import bare_whole


class Server:
    """A server under measurement, with its regions."""

    def __init__(self, name: str, server: dict[str, str], frame: Any) -> None:
        self.client = triton.InferenceServerClient(server["address"])
        token = server.get("token")
        self.headers = {"triton-grpc-protocol-triton-access-token": token} if token else None
        self.model, self.frame = server["model"], frame
        self.got = self.copy = np.zeros_like(frame)
        size = frame.nbytes
        self.regions = {}
        for end in ("in", "out"):
            key = f"us-bench-{name}-{end}"
            self.regions[end] = shared_memory.create_shared_memory_region(end, key, size)
            self.client.unregister_system_shared_memory(end, headers=self.headers)
            self.client.register_system_shared_memory(end, key, size, headers=self.headers)
        self.input = triton.InferInput("x", frame.shape, "FP16")
        self.shared_input = triton.InferInput("x", frame.shape, "FP16")
        self.shared_input.set_shared_memory("in", size)
        self.shared_output = triton.InferRequestedOutput("y")
        self.shared_output.set_shared_memory("out", size)

    def inline(self) -> None:
        """Sends and gets the frame in messages."""
        self.input.set_data_from_numpy(self.frame)
        self.got = self.client.infer(self.model, [self.input], headers=self.headers).as_numpy("y")

    def in_place(self) -> None:
        """Asks alone; the frame is in shared memory."""
        self.client.infer(self.model, [self.shared_input], outputs=[self.shared_output], headers=self.headers)

    def shared(self) -> None:
        """Copies into shared memory, asks, copies out."""
        shared_memory.set_shared_memory_region(self.regions["in"], [self.frame])
        self.in_place()
        view = shared_memory.get_contents_as_numpy(self.regions["out"], np.float16, self.frame.shape)
        np.copyto(self.copy, view)
        self.got = self.copy

    def control(self) -> None:
        """A call that does nothing."""
        self.client.is_server_live(headers=self.headers)

    def check(self, way: Callable[[], None]) -> None:
        """Refuses a server that gives back another frame."""
        self.copy.fill(0)
        way()
        if not np.array_equal(self.got.view(np.uint16), self.frame.view(np.uint16)):
            raise SystemExit(f"{self.model} gave back another frame")

    def close(self) -> None:
        """Forgets and removes the regions."""
        self.client.unregister_system_shared_memory(headers=self.headers)
        for region in self.regions.values():
            shared_memory.destroy_shared_memory_region(region)
        self.client.close()


def main() -> None:
    task = json.loads(sys.argv[1])
    frame = np.random.default_rng(0).normal(0, 1, task["shape"]).astype(np.float16)
    target = np.zeros_like(frame)
    servers = {name: Server(name, server, frame) for name, server in task["servers"].items()}
    cases: dict[tuple[str, str], Callable[[], None]] = {
        ("", "memcpy"): lambda: np.copyto(target, frame),
        ("", "gRPC alone"): bare_whole(task["bare"], frame.tobytes()),
    }
    for name, server in servers.items():
        server.check(server.inline)
        server.check(server.shared)
        cases[name, "inline"] = server.inline
        cases[name, "shared memory"] = server.shared
        cases[name, "in place"] = server.in_place
        cases[name, "control call"] = server.control
    taken: dict[tuple[str, str], list[float]] = {case: [] for case in cases}
    for turn in range(task["turns"] + 2):
        for case, run in cases.items():
            began = time.perf_counter()
            run()
            if turn >= 2:  # the first turns touch memory for the first time
                taken[case].append((time.perf_counter() - began) * 1e3)
    for server in servers.values():
        server.close()
    report: dict[str, Any] = {"servers": {}}
    for name, key in (("memcpy", "memcpy_ms"), ("gRPC alone", "grpc_ms")):
        report[key] = round(median(taken.pop(("", name))), 3)
    for (name, way), times in taken.items():
        row = {"ms": round(median(times), 3), "least_ms": round(min(times), 3)}
        report["servers"].setdefault(name, {})[way] = row
    print(json.dumps(report))


if __name__ == "__main__":
    main()
