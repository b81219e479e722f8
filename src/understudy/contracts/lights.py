# SPDX-License-Identifier: Apache-2.0
"""The lights document, schema ``understudy.lights/1``: a small JSON that relighting reads.

Space is right-handed camera space: x right, y up, z toward the camera. Directions point **from the surface to the
light**. Colors are scene-linear RGB in the plate's own color space. Positions and sizes are in the units of the
position AOV.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from understudy.contracts.paths import InputPath

SCHEMA = "understudy.lights/1"

MAX_LIGHTS = 4096
"""Most lights of one rig; each is computed for every pixel."""

Length = Annotated[float, Field(ge=-1e12, le=1e12)]
"""One component of a vector; its square and its products must stay within float32."""

Vector3 = tuple[Length, Length, Length]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Light(_Part):
    name: str = ""
    color: Vector3 = (1.0, 1.0, 1.0)
    intensity: float = Field(1.0, ge=0, le=1e12, description="Multiplies color.")
    exposure: float = Field(0.0, ge=-32, le=32, description="Stops; multiplies color by two to this.")

    @property
    def radiance(self) -> Vector3:
        """Color times intensity times two to the exposure."""
        gain = self.intensity * 2.0**self.exposure
        return (self.color[0] * gain, self.color[1] * gain, self.color[2] * gain)


class DirectionalLight(_Light):
    """A sun: irradiance ``radiance`` on a surface that faces it."""

    type: Literal["directional"]
    direction: Vector3 = Field(description="From the surface to the light; any length but zero.")


class PointLight(_Light):
    """Radiant intensity ``radiance``; irradiance falls with the square of the distance."""

    type: Literal["point"]
    position: Vector3
    radius: float = Field(0.0, ge=0, description="Distances below this count as this.")


class SpotLight(_Light):
    """A point light within a cone."""

    type: Literal["spot"]
    position: Vector3
    aim: Vector3 = Field(description="The direction in which the light shines.")
    angle: float = Field(45.0, gt=0, le=180, description="Full cone angle, degrees.")
    softness: float = Field(0.2, ge=0, le=1, description="Share of the cone over which it fades.")
    radius: float = Field(0.0, ge=0)


class AreaLight(_Light):
    """A one-sided rectangle of constant radiance; ``u`` and ``v`` are its half edges, it shines along u cross v."""

    type: Literal["area"]
    position: Vector3 = Field(description="Its center.")
    u: Vector3
    v: Vector3
    samples: int = Field(16, ge=1, le=1024, description="Stratified samples over the rectangle.")


class EnvironmentLight(_Light):
    """A latitude-longitude HDRI at infinity; its center looks along -z, its top is +y."""

    type: Literal["environment"]
    file: InputPath = Field(description="Path of the picture, relative to the document.")
    colorspace: str = Field("", description="The file's color space; empty: decided as for any plate.")
    rotation: float = Field(0.0, description="Degrees about +y.")
    resolution: int = Field(64, ge=8, le=512, description="Rows of the grid the sky is averaged to.")


class AmbientLight(_Light):
    """The same radiance from every direction."""

    type: Literal["ambient"]


Light = Annotated[
    DirectionalLight | PointLight | SpotLight | AreaLight | EnvironmentLight | AmbientLight, Field(discriminator="type")
]


class LightRig(_Part):
    """The whole document.

    Attributes:
        schema_: Always ``understudy.lights/1`` (written ``schema``).
        lights: Any number of lights; their light adds up.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    schema_: Literal["understudy.lights/1"] = Field("understudy.lights/1", alias="schema")
    lights: tuple[Light, ...] = Field((), max_length=MAX_LIGHTS)
