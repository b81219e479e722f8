# SPDX-License-Identifier: Apache-2.0
"""What a session says, schema ``understudy.session/1``: ``session.json`` in the file.

Paths start at variables, such as ``${SHOT}/plate/sh010.%04d.exr``, so that they can be found elsewhere.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from understudy.contracts.errors import UnreadableFileError
from understudy.contracts.fields import field_path
from understudy.packs.pins import parse_pin
from understudy.session.variables import NAME, require_sound

SCHEMA = "understudy.session/1"

Quality = Literal["final", "draft"]
"""Which render an output is of: that of the graph, or its draft."""

Content = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""BLAKE3 of a file's bytes, or a content key: 32 hexadecimal digits."""

_Name = Annotated[str, Field(pattern=rf"^{NAME}$")]
_Member = Annotated[str, Field(pattern=r"^results/[0-9]{1,9}\.[a-z0-9]{1,8}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Variable(_Part):
    """What paths start at.

    Attributes:
        folder: The folder it stood for where the session was saved.
        beside: The way there from the folder of the session's file; empty where they have nothing in common.
    """

    folder: str = Field(min_length=1)
    beside: str = ""


class Config(_Part):
    """The OCIO config.

    Attributes:
        name: Its built-in name, or the path of its file.
        cache_id: What OCIO says of its content.
        member: The config itself in the session's file; empty for a built-in one.
    """

    name: str = Field(min_length=1)
    cache_id: str
    member: Literal["", "ocio/config.ocio", "ocio/config.ocioz"] = ""


class Pack(_Part):
    """A pack that the graph takes.

    Attributes:
        pin: ``id@version#sha256``.
        final: Nodes that take it, or name it and take its stand-in, in the final; ``slow.motion`` for the motion pack
            of a retime.
        draft: The same for the draft.
    """

    pin: str
    final: tuple[str, ...] = ()
    draft: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> "Pack":
        pin = parse_pin(self.pin)
        if not pin.version or len(pin.sha256) != 64:
            raise ValueError("a pin is id@version#sha256, all of it")
        return self


class Input(_Part):
    """A file or a sequence that the graph reads.

    Attributes:
        place: What reads it: ``plate`` for a read node, ``nodes.sun.lights`` for another field.
        file: Its path or pattern.
        content: BLAKE3 of a single file; empty for a sequence.
        frames: BLAKE3 of each frame that is read.
    """

    place: str
    file: str
    content: Content | Literal[""] = ""
    frames: dict[int, Content] = {}


class Output(_Part):
    """How an output stood when the session was saved.

    Attributes:
        write: The write node.
        quality: Of which render.
        frame: Its frame; null for a still.
        state: ``done`` is there and right; all else has to be made.
        key: Its content key.
        why: Why it has to be made; empty when done or missing.
    """

    write: str
    quality: Quality
    frame: int | None
    state: Literal["done", "missing", "damaged", "stale", "unknown"]
    key: Content
    why: str = ""


class Result(_Part):
    """A file of a draft that is in the session.

    Attributes:
        write: The write node.
        quality: Of which render; a final has drafts in it where nodes are drafts.
        frame: Its frame; null for a still, and for a record.
        part: The picture, the sidecar of its further channels, or the record of provenance of all of them.
        key: The content key; empty for a record.
        name: The record's file name; empty for the others, whose names the graph tells.
        member: Where it is in the session's file.
        size: Bytes.
        content: BLAKE3 of its bytes.
    """

    write: str
    quality: Quality
    frame: int | None = None
    part: Literal["picture", "sidecar", "record"]
    key: Content | Literal[""] = ""
    name: str = ""
    member: _Member
    size: int = Field(ge=0)
    content: Content


class Session(_Part):
    """The whole of ``session.json``; the graph is beside it in ``graph.yaml``.

    Attributes:
        schema_: Always ``understudy.session/1`` (written ``schema``).
        saved: When, UTC, ISO 8601.
        version: Understudy's version.
        device: Class of the device: ``cpu``, ``cuda``, ``openvino``.
        graph: The path of the document that was saved.
        frames: The frames that were chosen; empty for all.
        variables: What paths start at.
        ocio: The OCIO config.
        packs: Every pack, pinned.
        inputs: What is read, with digests.
        outputs: What stands.
        results: Files of drafts, where they were asked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    schema_: Literal["understudy.session/1"] = Field("understudy.session/1", alias="schema")
    saved: str
    version: str
    device: str
    graph: str
    frames: str = ""
    variables: dict[_Name, Variable]
    ocio: Config
    packs: tuple[Pack, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    results: tuple[Result, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> "Session":
        require_sound(self.graph, self.variables, "graph")
        for index, entry in enumerate(self.inputs):
            require_sound(entry.file, self.variables, f"inputs[{index}].file")
        return self

    @property
    def text(self) -> str:
        """It as JSON; the same text for the same session."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"


def parse_session(content: bytes, where: str) -> Session:
    """Checks a ``session.json``.

    Args:
        content: Its bytes.
        where: What messages call the file.

    Raises:
        UnreadableFileError: It is no session; the message names the field.
    """
    try:
        return Session.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = field_path(first["loc"])
        text = "there is no such field" if first["type"] == "extra_forbidden" else first["msg"]
        text = text.removeprefix("Value error, ")
        newer = "; a newer Understudy may have written it" if place == "schema" else ""
        raise UnreadableFileError(
            f"is no sound session: {place + ': ' if place else ''}{text}{newer}",
            where=where,
            fix="take it from a backup",
        ) from None
