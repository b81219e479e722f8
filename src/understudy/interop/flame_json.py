# SPDX-License-Identifier: Apache-2.0
"""Flame's sidecar of a model: ``model.json`` beside ``model.onnx``, as Autodesk's Inference Builder describes it.

``Channels`` came with Flame 2025.2. An RGBA input is two inputs of one name, the second with the channel ``A``.
Source: help.autodesk.com, Flame 2025, "Inference Builder" and "What's New in 2025.2, Inference".
"""

import json
import re
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from understudy.contracts.document_problems import joined, problems_of
from understudy.contracts.errors import MissingFileError, UnreadableFileError, UsageError

_MOST_BYTES = 1 << 20
_VERSION = re.compile(r"^20\d\d(\.\d+){0,2}$")
_WITH_CHANNELS = (2025, 2)
_COLORS = tuple("".join(order) for count in (1, 2, 3) for order in permutations("RGB", count))
_TWO = frozenset({"RG", "GR"})

Gain = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FlameInput(_Part):
    """A socket of the node.

    Attributes:
        name: The graph's input.
        description: For people.
        type: Which clip it takes.
        gain: What pixels are multiplied by for the model.
        channels: Which channels, in the model's order: letters of RGB, or ``A``; empty where the file says nothing.
    """

    name: str = Field(alias="Name", min_length=1)
    description: str = Field("", alias="Description")
    type: Literal["Front", "Back", "Matte", "Aux"] = Field(alias="Type")
    gain: Gain = Field(1.0, alias="Gain")
    channels: str = Field("", alias="Channels")

    @field_validator("channels")
    @classmethod
    def _known(cls, value: str) -> str:
        if value and value != "A" and value not in _COLORS:
            raise ValueError("is none of the letters R, G and B in some order, or A")
        return value


class FlameOutput(_Part):
    """A result of the node.

    Attributes:
        name: The graph's output.
        description: For people.
        type: What it is.
        inverse_gain: What the model's pixels are multiplied by.
        scaling_factor: Pixels of the result per pixel of the input.
        channels: ``A``, ``RG``, ``GR`` or three letters; empty where the file says nothing.
    """

    name: str = Field(alias="Name", min_length=1)
    description: str = Field("", alias="Description")
    type: Literal["Result", "OutMatte"] = Field(alias="Type")
    inverse_gain: Gain = Field(1.0, alias="InverseGain")
    scaling_factor: Gain = Field(1.0, alias="ScalingFactor")
    channels: str = Field("", alias="Channels")

    @field_validator("channels")
    @classmethod
    def _known(cls, value: str) -> str:
        if value and value != "A" and value not in _TWO and (len(value) != 3 or value not in _COLORS):
            raise ValueError("is none of A, RG, GR or R, G and B in some order")
        return value


class FlameModel(_Part):
    """The whole description.

    Attributes:
        minimum_version: The first Flame that runs it: ``2025.1``.
        name: For people.
        description: For people.
        supports_scene_linear: It takes scene-linear pictures; Flame converts them for a model that does not.
        keep_aspect_ratio: Flame keeps the picture's shape when it fits it to a model of one size.
        padding: Sides are padded to a multiple of this, pixels.
        inputs: Its sockets.
        outputs: Its results.
    """

    minimum_version: str = Field("2025.1", alias="MinimumVersion")
    name: str = Field(alias="Name", min_length=1)
    description: str = Field("", alias="Description")
    supports_scene_linear: bool = Field(False, alias="SupportsSceneLinear")
    keep_aspect_ratio: bool = Field(False, alias="KeepAspectRatio")
    padding: int = Field(1, alias="Padding", ge=1, le=4096)
    inputs: tuple[FlameInput, ...] = Field(alias="Inputs", min_length=1)
    outputs: tuple[FlameOutput, ...] = Field(alias="Outputs", min_length=1)

    @field_validator("minimum_version")
    @classmethod
    def _version(cls, value: str) -> str:
        if not _VERSION.match(value):
            raise ValueError("is no version of Flame such as 2025.1")
        return value

    @model_validator(mode="after")
    def _together(self) -> "FlameModel":
        used = [part.channels for part in self.inputs] + [part.channels for part in self.outputs]
        year, minor, *_ = (*(int(part) for part in self.minimum_version.split(".")), 0)
        if any(used) and (year, minor) < _WITH_CHANNELS:
            raise ValueError("Channels needs MinimumVersion 2025.2")
        for name in {part.name for part in self.inputs}:
            sharing = [part for part in self.inputs if part.name == name]
            if len(sharing) > 1 and [part.channels == "A" for part in sharing] != [False, True]:
                raise ValueError(f'the inputs named "{name}" must be two: the colors, and then Channels A')
        if len({part.name for part in self.outputs}) != len(self.outputs):
            raise ValueError("two outputs have one name")
        return self

    def document(self) -> dict[str, Any]:
        """As the file holds it."""
        return {"ModelDescription": self.model_dump(mode="json", by_alias=True)}


def parse_flame(data: bytes, where: str) -> FlameModel:
    """A sidecar's content.

    Raises:
        UnreadableFileError: It is no JSON, or no model description.
        UsageError: A token is wrong; the message names each.
    """
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise UnreadableFileError("is no JSON", where=where, fix="write it anew by inference_builder -j") from None
    if not isinstance(document, dict) or not isinstance(document.get("ModelDescription"), dict):
        raise UnreadableFileError("holds no ModelDescription", where=where, fix="write it by inference_builder -j")
    raw = document["ModelDescription"]
    try:
        return FlameModel.model_validate(raw)
    except ValidationError as error:
        text, place, fix = joined(where, problems_of(error, raw, FlameModel, schema="", hints={}))
        raise UsageError(text, where=place, fix=fix) from None


def read_flame(path: Path) -> FlameModel:
    """A sidecar file.

    Raises:
        MissingFileError: There is none.
        UnreadableFileError: It can't be read, is no JSON, or no model description.
        UsageError: A token is wrong.
    """
    where = path.as_posix()
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableFileError("is larger than 1 MiB, so it is no model description", where=where)
        return parse_flame(path.read_bytes(), where)
    except FileNotFoundError:
        raise MissingFileError("there is no such file", where=where) from None
    except OSError as error:
        raise UnreadableFileError(f"can't be read: {error.strerror}", where=where) from None


def flame_text(model: FlameModel) -> str:
    """A sidecar's text."""
    return json.dumps(model.document(), indent=4) + "\n"
