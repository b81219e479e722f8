# SPDX-License-Identifier: Apache-2.0
"""Random generators for one purpose of one seed."""

import hashlib

import torch


def seeded(seed: int, purpose: str, device: torch.device) -> torch.Generator:
    """A random generator on a device, for one purpose of one seed."""
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:7], "little"))
