# SPDX-License-Identifier: Apache-2.0
"""The files of a graph as path parameters of a job, so that a farm may find them elsewhere than this machine does.

In the graph each path becomes ``${UNDERSTUDY_FARM_<parameter>}/plate.%04d.exr``; an environment of the job sets the
variables to what the farm made of the parameters.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from understudy.contracts.lights import EnvironmentLight
from understudy.frames.sequence import split_pattern
from understudy.graph.document import Graph
from understudy.graph.lights_file import load_lights
from understudy.graph.paths import NamedFile, files_of, with_files

PREFIX = "UNDERSTUDY_FARM_"
"""What the variables of paths begin with."""

_LONGEST = 64
"""Characters of an OpenJD identifier."""


@dataclass(frozen=True, slots=True)
class PathParameter:
    """A file or a folder that a job uses.

    Attributes:
        name: The parameter's.
        path: Where it is on this machine.
        kind: What it is.
        flow: Whether the job reads it or writes into it.
        place: Where it stands in the graph, such as ``nodes.plate.file``; of several places the first.
    """

    name: str
    path: str
    kind: Literal["FILE", "DIRECTORY"]
    flow: Literal["IN", "OUT"]
    place: str

    @property
    def variable(self) -> str:
        """The environment variable that holds it while a task runs."""
        return PREFIX + self.name

    def definition(self) -> dict[str, Any]:
        """It as an OpenJD ``JobPathParameterDefinition``."""
        verb = "are written" if self.flow == "OUT" else "are read" if self.kind == "DIRECTORY" else "is read"
        what = "The folder whose files" if self.kind == "DIRECTORY" else "The file that"
        return {
            "name": self.name,
            "type": "PATH",
            "objectType": self.kind,
            "dataFlow": self.flow,
            "description": f"{what} {verb} by {self.place}.",
        }


def relocated(graph: Graph) -> tuple[Graph, tuple[PathParameter, ...]]:
    """A graph whose paths start at parameters, and these.

    Args:
        graph: Its paths are absolute.
    """
    found: dict[tuple[str, str], PathParameter] = {}

    def change(named: NamedFile) -> str:
        folder, name = _parted(named)
        flow: Literal["IN", "OUT"] = "OUT" if named.mark.access == "write" else "IN"
        kind: Literal["FILE", "DIRECTORY"] = "DIRECTORY" if name or Path(folder).is_dir() else "FILE"
        if (folder, flow) not in found:
            taken = {parameter.name for parameter in found.values()}
            found[folder, flow] = PathParameter(_name(named.place, kind, taken), folder, kind, flow, named.place)
        start = f"${{{found[folder, flow].variable}}}"
        return f"{start}/{name}" if name else start

    return with_files(graph, change), tuple(found.values())


def environment_of(parameters: tuple[PathParameter, ...]) -> dict[str, str]:
    """The variables of an OpenJD environment: each parameter's, as format strings."""
    return {parameter.variable: f"{{{{Param.{parameter.name}}}}}" for parameter in parameters}


def asset_references(graph: Graph, parameters: tuple[PathParameter, ...]) -> Mapping[str, Any]:
    """What ``asset_references.yaml`` of Deadline Cloud says: files beside those that parameters name.

    Deadline Cloud takes inputs and outputs from the path parameters; it is not told of pictures that a lights document
    names, for these stand in no parameter.

    Args:
        graph: Its paths are absolute.
        parameters: Those of the graph.

    Raises:
        UnderstudyError: A lights document can't be read.
    """
    lights = [named.path for named in files_of(graph) if Path(named.path).suffix.lower() == ".json"]
    pictures = {
        light.file for path in lights for light in load_lights(Path(path)).lights if isinstance(light, EnvironmentLight)
    }
    outputs = sorted({parameter.path for parameter in parameters if parameter.flow == "OUT"})
    return {
        "assetReferences": {
            "inputs": {"filenames": sorted(pictures), "directories": []},
            "outputs": {"directories": outputs},
            "referencedPaths": [],
        }
    }


def _parted(named: NamedFile) -> tuple[str, str]:
    """The path of the parameter, and what stands after it: the name of a pattern, of a config, of an output."""
    path = named.path.rstrip("/") or "/"
    if named.mark.access == "read" and not split_pattern(path):
        return path, ""
    return os.path.split(path)


def _name(place: str, kind: str, taken: set[str]) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", place.removeprefix("nodes.")).strip("_")
    if kind == "DIRECTORY":
        words = f"{words.removesuffix('_file')}_folder"
    name, count = words[-_LONGEST:].lstrip("_0123456789"), 2
    while name in taken:
        name, count = f"{words[-_LONGEST + 4 :].lstrip('_0123456789')}_{count}", count + 1
    return name
