# SPDX-License-Identifier: Apache-2.0
"""The part of a record that a job says of itself: graph, operations, packs, inputs, color, machines."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from understudy.contracts.rights import Answer

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GraphEntry(_Part):
    """The graph that was rendered.

    Attributes:
        sha256: Digest of what decides pixels, as in ``understudy:graph``.
        document: The document, paths made absolute.
    """

    sha256: Digest
    document: dict[str, Any]


class Operation(_Part):
    """What one node did.

    Attributes:
        node: Its name.
        type: Its type.
        inputs: The nodes it takes from, by field.
        parameters: Its fields that differ from their defaults.
        packs: The packs that play it, keys of ``packs``.
        source_type: IPTC digital source type of what it makes, a URI; empty for none.
        learned: A trained model was used.
        generative: A model that makes content up was used: ``yes``, ``no``, or ``unknown`` where a pack does not say.
    """

    node: str
    type: str
    inputs: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    packs: tuple[str, ...] = ()
    source_type: str = ""
    learned: bool = False
    generative: Answer = "no"


class PackEntry(_Part):
    """A pack that was used.

    Attributes:
        pin: ``id@version#sha256``.
        role: The job it plays.
        title: Its name for people.
        license_declared: SPDX expression of its author.
        license_concluded: SPDX expression of a reviewer.
        training_basis: Where what it learned from came from; ``none`` for a classical method.
        training_evidence: What backs that.
        learned: It was trained.
        generative: It makes content up: ``yes``, ``no``, or ``unknown`` where it does not say.
        badge: ``green``, ``amber`` or ``red`` at the time of the render; empty where it was not computed.
        badge_reasons: Why.
        bom_serial: Serial number of its rights record (``pack.cdx.json``); empty without one.
        bom_sha256: SHA-256 of that record's file, which a published version holds; empty where it was not told.
    """

    pin: str = Field(min_length=1)
    role: str
    title: str = ""
    license_declared: str = ""
    license_concluded: str = ""
    training_basis: str = "unknown"
    training_evidence: str = ""
    learned: bool = True
    generative: Answer = "unknown"
    badge: str = ""
    badge_reasons: tuple[str, ...] = ()
    bom_serial: str = ""
    bom_sha256: str = ""


class InputFile(_Part):
    """A file that was read.

    Attributes:
        file: Its name, in the folder of the input's ``pattern``.
        frame: Its frame number; none for a still or a document.
        size: Bytes.
        blake3: BLAKE3 of the file, 256 bits.
    """

    file: str
    frame: int | None = None
    size: int = Field(ge=0)
    blake3: Digest


class InputEntry(_Part):
    """An input: what a read node read, or a document that a node names.

    Attributes:
        node: The node that names it.
        kind: ``picture``, or the field that names it: ``lights``, ``timeline`` ...
        pattern: Its path or pattern.
        colorspace: Color space of a picture.
        rule: What decided that.
        files: What of it was read.
    """

    node: str
    kind: str = "picture"
    pattern: str
    colorspace: str = ""
    rule: str = ""
    files: tuple[InputFile, ...] = ()


class ColorChain(_Part):
    """Which color spaces the pictures went through; those of the inputs stand with the inputs.

    Attributes:
        config: Name of the OCIO config.
        cache_id: Its cache id, which tells its content.
        working: The space that nodes compute in: ``input``, each picture's own scene-linear space.
        models: Node to what its pack's model saw.
        output: Color space of the files; empty for data.
    """

    config: str
    cache_id: str = ""
    working: str = "input"
    models: dict[str, str] = {}
    output: str = ""


class Environment(_Part):
    """What a part of the frames was computed on: all that has to be the same for the same bytes, beside the job itself.

    Attributes:
        frames: Those frames; empty for a still.
        device: Where models ran: ``cpu``, ``cuda:0``, ``openvino``; empty where none did.
        precision: What they computed in.
        providers: ONNX Runtime's execution providers that were in use.
        processor: Name of the processor of the engine's machine.
        instructions: Its widest vector instructions, by which libraries choose their code: ``avx2``, ``avx512`` ...
        gpu: Name and compute capability of the GPU, where one was used.
        runtimes: Library that models ran in to its version, on the engine's machine.
        versions: Program or library to version, on the machine that read and wrote the pictures.
        platform: Operating system and architecture of that machine.
        tiles: Node to the side of its tiles, pixels, where it was set.
    """

    frames: str = ""
    device: str = ""
    precision: str = ""
    providers: tuple[str, ...] = ()
    processor: str = ""
    instructions: str = ""
    gpu: str = ""
    runtimes: dict[str, str] = {}
    versions: dict[str, str] = {}
    platform: str = ""
    tiles: dict[str, int] = {}


class PolicyEntry(_Part):
    """A show policy that was asked.

    Attributes:
        by: Whose it was: ``caller`` or ``engine``.
        show: The production's name.
        sha256: SHA-256 of its file.
    """

    by: str
    show: str
    sha256: str


class Job(_Part):
    """One job: everything that decides pixels, and what it was computed on.

    Attributes:
        draft: It was a draft, the whole of it or a node: computed at a smaller size, with packs' lighter stand-ins.
        draft_scale: That size over the final's, such as ``1/2``; empty of a final.
        graph: What was rendered.
        operations: What was done, in order.
        packs: What was used.
        inputs: What was read.
        color: Color spaces.
        seed: Seed of random numbers; none: nothing is random.
        environments: What it was computed on; several where a farm shared the frames.
        policies: The show policies that allowed it.
        warnings: What the renders warned of.
        started: When the first render of it began, UTC.
        finished: When the last render of it ended, UTC; empty while none has.
    """

    draft: bool = False
    draft_scale: str = ""
    graph: GraphEntry
    operations: tuple[Operation, ...]
    packs: tuple[PackEntry, ...] = ()
    inputs: tuple[InputEntry, ...] = ()
    color: ColorChain
    seed: int | None = None
    environments: tuple[Environment, ...] = ()
    policies: tuple[PolicyEntry, ...] = ()
    warnings: tuple[str, ...] = ()
    started: str = ""
    finished: str = ""
