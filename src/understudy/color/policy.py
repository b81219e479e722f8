# SPDX-License-Identifier: Apache-2.0
"""Reads ``ocio/shaper_policy.toml``: the pinned config, the curve's constants, the values of the self-test."""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from understudy.contracts.errors import ColorspaceError
from understudy.share_root import share_root


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PinnedConfig(_Part):
    """The config that is used when nobody names one.

    Attributes:
        config: Its ``ocio://`` name.
        cache_id: What OCIO says of its content.
    """

    config: str = Field(pattern=r"^ocio://[a-z0-9._-]+$")
    cache_id: str = Field(min_length=1)


class DisplayLog(_Part):
    """Constants of the ``display_log`` encoding; the formula stands in ``understudy.color.shaper``.

    Attributes:
        primaries: Interop id of the linear color space that the curve is applied in.
        knee: Linear light where the logarithm takes over.
        peak: Linear light that becomes code value 1.
        gamma: Exponent of the curve below the knee.
        offset: Offset of the curve below the knee.
    """

    primaries: str = Field(min_length=1)
    knee: float = Field(gt=0, allow_inf_nan=False)
    peak: float = Field(allow_inf_nan=False)
    gamma: float = Field(gt=1, le=10)
    offset: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _in_order(self) -> "DisplayLog":
        toe = (self.offset * self.gamma / ((self.gamma - 1) * (1 + self.offset))) ** self.gamma
        if not toe < self.knee < self.peak:
            raise ValueError(f"needs toe ({toe:.6f}) < knee < peak")
        return self


class KnownValue(_Part):
    """A gray value whose conversion is known.

    Attributes:
        source: Interop id of the space it is in.
        target: Interop id of the space it goes to.
        value: The gray value.
        expected: What must come out in each channel.
        tolerance: Absolute error allowed.
    """

    source: str
    target: str
    value: float
    expected: float
    tolerance: float = Field(gt=0)


class Policy(_Part):
    """The whole file."""

    schema_: Literal["understudy.shaper/1"] = Field(alias="schema")
    pinned: PinnedConfig
    display_log: DisplayLog
    known: tuple[KnownValue, ...] = Field(min_length=1)


def read_policy(path: Path) -> Policy:
    """Reads and checks one policy file.

    Raises:
        ColorspaceError: It is missing, or a field is wrong; names the file and the field.
    """
    fix = "reinstall understudy or correct the file"
    try:
        return Policy.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ColorspaceError(f"{field}: {first['msg']}", where=str(path), fix=fix) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ColorspaceError(f"the shaper policy can't be read ({error})", where=str(path), fix=fix) from None


@lru_cache(maxsize=1)
def policy() -> Policy:
    """The shipped policy, read once.

    Raises:
        ColorspaceError: The installation is damaged.
    """
    try:
        root = share_root()
    except FileNotFoundError as error:
        raise ColorspaceError(str(error)) from None
    return read_policy(root / "ocio" / "shaper_policy.toml")
