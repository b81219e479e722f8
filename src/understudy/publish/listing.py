# SPDX-License-Identifier: Apache-2.0
"""What a version is to hold (``understudy.listing/1``), and what it holds (``understudy.version/1``).

Representations have the keys that AYON and OpenPype integrators read.
"""

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from understudy.contracts.errors import MissingFileError, UnreadableFileError, UsageError
from understudy.contracts.fields import field_path

VERSION_FILE = "version.json"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


class Representation(_Part):
    """One form of the product: frames, a movie, the record.

    Attributes:
        name: ``exr``, ``vectors``, ``confidence``, ``h264``, ``thumbnail``, ``provenance`` ...
        ext: File extension, without the dot.
        files: File names in ``staging_dir``; a single file is a text, not a list.
        staging_dir: Where the files lie (``stagingDir``).
        folder: Where they go, a folder of the version; empty for the version's own.
        frame_start: First frame (``frameStart``); none where there are no frames.
        frame_end: Last frame (``frameEnd``).
        fps: Frames per second.
        tags: Such as ``review`` and ``thumbnail``.
        channels: Channels, where a representation is told by them.
        derived: It is made from the others, so it does not tell one version from another.
        blake3: File name to the BLAKE3 it must have, where that is known.
    """

    name: Name
    ext: str = ""
    files: str | tuple[str, ...]
    staging_dir: str = Field("", alias="stagingDir")
    folder: str = ""
    frame_start: int | None = Field(None, alias="frameStart")
    frame_end: int | None = Field(None, alias="frameEnd")
    fps: float | None = None
    tags: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    derived: bool = False
    blake3: dict[str, Digest] = {}

    @field_validator("folder")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or "\0" in value:
            raise ValueError("name a folder inside the version")
        return value

    @field_validator("files")
    @classmethod
    def _plain_names(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for name in (value,) if isinstance(value, str) else value:
            if not name or "/" in name or "\0" in name or name in (".", ".."):
                raise ValueError(f"{name!r} is no file name")
        return value

    @property
    def names(self) -> tuple[str, ...]:
        """The file names, however many there are."""
        return (self.files,) if isinstance(self.files, str) else self.files


class Listing(_Part):
    """What is to become a version.

    Attributes:
        schema_: Always ``understudy.listing/1`` (written ``schema``).
        name: Name of the product; the folder of its versions.
        representations: What it consists of.
        data: What else is to be kept: the instance's data.
    """

    schema_: Literal["understudy.listing/1"] = Field("understudy.listing/1", alias="schema")
    name: Name
    representations: tuple[Representation, ...] = Field(min_length=1)
    data: dict[str, Any] = {}


class VersionFile(_Part):
    """A file of a version.

    Attributes:
        file: Its path in the version, with forward slashes.
        size: Bytes.
        blake3: BLAKE3, 256 bits.
        xxh128: XXH3 with 128 bits, for the ASC MHL hash list.
    """

    file: str
    size: int
    blake3: Digest
    xxh128: str = Field("", pattern=r"^([0-9a-f]{32})?$")


class Version(_Part):
    """What a version holds; written into it as ``version.json``.

    Attributes:
        schema_: Always ``understudy.version/1`` (written ``schema``).
        name: Name of the product.
        version: Its number.
        digest: SHA-256 over the names and hashes of all files that are not derived.
        created: When it was published, UTC.
        representations: As listed, without where they came from.
        files: Every file but this one and the hash list, which covers this one too.
        data: As listed.
    """

    schema_: Literal["understudy.version/1"] = Field("understudy.version/1", alias="schema")
    name: Name
    version: int = Field(ge=1)
    digest: Digest
    created: str
    representations: tuple[Representation, ...]
    files: tuple[VersionFile, ...]
    data: dict[str, Any] = {}

    def to_bytes(self) -> bytes:
        """Its file."""
        document = {"schema": self.schema_} | self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return (json.dumps(document, indent=1) + "\n").encode()


def read_listing(path: Path) -> Listing:
    """Reads and checks a listing.

    Raises:
        MissingFileError: It is not there.
        UsageError: It is no listing; the message names the field.
    """
    try:
        return Listing.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise MissingFileError("there is no such listing", where=str(path), fix="check the path") from None
    except OSError as error:
        raise UnreadableFileError(f"can't be read ({error.strerror})", where=str(path)) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"{field_path(first['loc'])}: {first['msg'].lower()}", where=str(path)) from None


def read_version(folder: Path) -> Version | None:
    """What a version's folder says that it holds; None where it says nothing that can be understood."""
    try:
        return Version.model_validate_json((folder / VERSION_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def digest_of(name: str, files: tuple[VersionFile, ...]) -> str:
    """SHA-256 over a product's name and files; the same content has the same digest."""
    lines = sorted([one.file, one.size, one.blake3] for one in files)
    return hashlib.sha256(json.dumps([name, lines]).encode()).hexdigest()
