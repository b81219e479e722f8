# SPDX-License-Identifier: Apache-2.0
"""The pack manifest, ``pack.toml``, schema ``understudy.pack/1``: what a pack promises.

One folder per pack: ``pack.toml``, the runtime's files, a card (``README.md``). Every field stands below with its unit.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from understudy.contracts.rights import RightsSpec

SCHEMA = "understudy.pack/1"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
OptionValue = bool | int | float | str


class Role(StrEnum):
    """The jobs that packs play."""

    MOTION = "motion"
    INTERPOLATE = "interpolate"
    UPSCALE = "upscale"
    RELIGHT = "relight"


class Encoding(StrEnum):
    """What the numbers that a model sees mean. Every one but ``plate`` is reached through OCIO and a fixed shaper."""

    PLATE = "plate"
    """The plate's own scene-linear values, any finite float: no conversion, no shaper, no carry."""
    SCENE_LINEAR = "scene_linear"
    """The config's ``scene_linear`` role (ACEScg), any finite float: converted, no shaper, no carry needed."""
    ACESCCT = "acescct"
    """ACEScct code values (Academy S-2016-001)."""
    DISPLAY_LOG = "display_log"
    """sRGB below the knee and a logarithm above it, for networks trained on display pictures."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WeightFile(_Part):
    """A further file the model needs.

    Attributes:
        file: The file, relative to the pack folder.
        sha256: SHA-256 of that file.
    """

    file: str = Field(min_length=1)
    sha256: Sha256


class RemoteSpec(_Part):
    """A model on another server that plays a pack, by the Open Inference Protocol (Triton, KServe, another Understudy).

    Attributes:
        address: Where the server answers gRPC: ``host:port``.
        model: The server's name of the model.
        version: The server's version of it; empty takes the one that the server chooses, which then must stay the same.
        tls: Encrypt, and require a certificate.
        authority: A certificate in the pack folder, listed under ``[[weights]]``, of the authority that vouches for the
            server's; empty takes the system's.
        layout: Axes of the server's images.
        datatype: What the server's images are.
        inputs: The role's tensors to the server's inputs, where names differ; a lone picture finds its input by itself.
            ``scale``, ``time`` or an option that stands here is sent as an input too, one FP32 value.
        outputs: The role's tensors to the server's outputs. Left out: those of the role that the server has;
            an upscaler's only one may have any name.
        parameters: Which of ``scale``, ``time`` and the options are sent as parameters of a request.
        timeout_s: For how long to wait for one call, seconds.
    """

    address: str = Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$")
    model: str = Field(min_length=1)
    version: str = ""
    tls: bool = False
    authority: str = ""
    layout: Literal["NCHW", "NHWC", "HWC"] = "NCHW"
    datatype: Literal["FP32", "FP16"] = "FP32"
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    parameters: tuple[str, ...] = ()
    timeout_s: float = Field(60.0, gt=0, le=3600)


class TensorsSpec(_Part):
    """How a model made elsewhere names and scales what it takes and gives. What is left out is as the role has it.

    Attributes:
        inputs: The role's tensors, ``scale``, ``time`` and options to the model's inputs. Those that share one input
            lie one after another on its channel axis: ``a`` and ``b`` in one input of six channels. An interpolation
            model that finds its own motion takes no ``forward`` and ``backward``.
        outputs: The role's tensors to the model's outputs; those that share one output lie in it likewise.
        order: Of the color channels.
        input_gain: What the encoding's values are multiplied by for the model: 255 for one that takes 0 to 255.
        input_offset: What is added after that: -1, with a gain of 2, for one that takes -1 to 1.
        output_gain: What the model's pictures are multiplied by to be values of the encoding again.
        output_offset: What is added after that.
        vectors_gain: What the model's vectors are multiplied by to be pixels of its input, u right, v down.
        vectors_step: Pixels of its input between two of its vectors; the field is enlarged.
    """

    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    order: Literal["RGB", "BGR"] = "RGB"
    input_gain: float = Field(1.0, gt=0)
    input_offset: float = 0.0
    output_gain: float = Field(1.0, gt=0)
    output_offset: float = 0.0
    vectors_gain: float = 1.0
    vectors_step: int = Field(1, ge=1, le=64)


class RuntimeSpec(_Part):
    """How the model is run.

    Attributes:
        kind: ``python`` (an ``adapter.py`` with ``load(folder)``), ``onnx`` (a graph for ONNX Runtime), ``torchscript``
            (a module for torch, which is code), ``spandrel`` (weights of a network that spandrel knows) or ``remote``
            (a model on another server; refused unless the engine was told to allow it).
        file: The runtime's file, relative to the pack folder; ``remote`` has none.
        sha256: SHA-256 of that file.
        float16: For ``onnx``: the same graph in float16, which a service that is set to float16 takes instead.
        graph: For ``python``: an ONNX graph for the adapter to run, which ``load(folder, graph)`` gets open.
        graphs: For ``python``: several such graphs by name, which ``load(folder, graphs)`` gets open.
        remote: For ``remote``: the server and its model.
        tensors: For ``onnx``, ``torchscript`` and ``spandrel``: how the model names and scales what it takes and gives.
    """

    kind: Literal["python", "onnx", "torchscript", "spandrel", "remote"]
    file: str = ""
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    float16: WeightFile | None = None
    graph: WeightFile | None = None
    graphs: dict[str, WeightFile] = {}
    remote: RemoteSpec | None = None
    tensors: TensorsSpec | None = None

    @property
    def is_code(self) -> bool:
        """What runs is code of the pack, which is trusted or not."""
        return self.kind in {"python", "torchscript"}


class Contract(_Part):
    """What goes in and comes out.

    Attributes:
        channels: Channels a call takes: 1 (each channel runs alone), 3 (RGB), or 0 for any number.
        encoding: What the numbers mean to the model.
        domain: Values the model was trained on, low and high, in ``encoding``; values outside are carried around it.
            None means every finite float.
        scales: Scale factors an upscaler offers; empty means any positive rational. Unused by other roles.
        multiple_of: Sides are padded (edges repeated) to a multiple of this, pixels.
        minimum_size: Sides are padded to at least this, pixels.
        radius: Receptive radius in input pixels: how far one input sample reaches. -1 means the whole frame (no tiles).
        temporal_window: Frames a call looks at.
        precisions: Numeric types it may run in.
        deterministic: Same input, same device: the same bytes.
        confidence: The model gives its own confidence.
        max_batch: Tiles of one size that one call may take together; each must come out with the bytes it has alone.
            Worth it where small tiles leave a GPU idle. A graph needs a free batch axis for it.
        bounded: Whatever an upscaler returns with its default options lies within the extremes of the 4x4 input samples
            around it (more when shrinking), so that alpha need not be held there afterward. Unused by other roles.
        doubt: For an upscaler that is a network: the expected error at factors 2, 3 and 4 as a multiple of what it adds
            to a bicubic, from held-out pictures. Empty takes the rule for filters (``roles.back_projection``).
    """

    channels: Literal[0, 1, 3] = 3
    encoding: Encoding
    domain: tuple[float, float] | None = None
    scales: tuple[float, ...] = ()
    multiple_of: int = Field(1, ge=1, le=256)
    minimum_size: int = Field(1, ge=1, le=4096)
    radius: int = Field(ge=-1, le=4096)
    temporal_window: int = Field(1, ge=1, le=16)
    precisions: tuple[Literal["float32", "float16", "bfloat16"], ...] = ("float32",)
    deterministic: bool = True
    confidence: bool = False
    max_batch: int = Field(1, ge=1, le=64)
    bounded: bool = False
    doubt: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _domain_in_order(self) -> "Contract":
        if self.domain is not None and self.domain[0] >= self.domain[1]:
            raise ValueError("domain must be [low, high] with low < high")
        if self.domain is None and self.encoding in (Encoding.ACESCCT, Encoding.DISPLAY_LOG):
            raise ValueError("domain is required for an encoded input: say what values the model was trained on")
        return self


class OptionSpec(_Part):
    """A knob of the pack.

    Attributes:
        type: ``bool``, ``int``, ``float`` or ``choice``.
        default: Its value when nobody sets it.
        minimum: Smallest value, in ``unit``.
        maximum: Largest value, in ``unit``.
        choices: For ``choice``.
        unit: Unit of the value (``px``, ``iterations``); empty for none.
        help: One sentence for a person.
    """

    type: Literal["bool", "int", "float", "choice"]
    default: OptionValue
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    help: str = Field(min_length=1)


class LicenseSpec(_Part):
    """Terms, as SPDX expressions.

    Attributes:
        declared: What the author declares.
        concluded: What a reviewer concluded after reading code, weights and training data's terms.
    """

    declared: str = Field(min_length=1)
    concluded: str = Field(min_length=1)


class TrainingSpec(_Part):
    """What the model learned from.

    Attributes:
        basis: Where the training data came from; ``none`` for a model that never learned.
        evidence: What backs that.
        note: One sentence.
    """

    basis: Literal["synthetic", "licensed", "own", "public-domain", "none", "scraped", "unknown"]
    evidence: Literal["self-declared", "contract", "audited", "not-applicable"]
    note: str = ""


class Citation(_Part):
    """The paper or specification behind the pack.

    Attributes:
        text: Authors, title, year.
        url: Where it can be read; empty for none.
    """

    text: str = Field(min_length=1)
    url: str = ""


class PackManifest(_Part):
    """The whole of ``pack.toml``.

    Attributes:
        schema_: Always ``understudy.pack/1`` (written ``schema``).
        id: Lower-case words with hyphens; unique together with ``version``.
        version: Semantic version of the pack.
        role: The job it plays.
        title: A short name for people.
        description: One or two sentences: what it is good at and where it fails.
        draft: The id of the lighter pack that ``--draft`` takes instead; empty for none.
        runtime: How the model is run.
        weights: Further files the model needs, each pinned by its hash. An adapter can import no other file beside it.
        contract: What goes in and comes out.
        options: The pack's own knobs, by name (lower-case words joined by underscores).
        license: Terms of code and weights.
        training: What the model learned from.
        rights: What its rights record says beyond that; what is left out is unknown, which never counts in its favor.
        citation: The papers or specifications behind it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["understudy.pack/1"] = Field(alias="schema")
    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+([-+][0-9A-Za-z.-]+)?$")
    role: Role
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    draft: str = ""
    runtime: RuntimeSpec
    weights: tuple[WeightFile, ...] = ()
    contract: Contract
    options: dict[str, OptionSpec] = {}
    license: LicenseSpec
    training: TrainingSpec
    rights: RightsSpec = RightsSpec()
    citation: tuple[Citation, ...] = ()
