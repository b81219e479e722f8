# SPDX-License-Identifier: Apache-2.0
"""The networks of this pack, one for each whole factor, as an upscaler for any factor."""

from collections.abc import Mapping
from pathlib import Path

from understudy.contracts.model import Graph
from understudy.roles.network_upscaler import RESAMPLING_REACH, NetworkUpscaler

_RADIUS = 15 - RESAMPLING_REACH


def load(folder: Path, graphs: Mapping[str, Graph]) -> NetworkUpscaler:
    """The model; it reads no files of its own."""
    return NetworkUpscaler(graphs, _RADIUS, folder.name)
