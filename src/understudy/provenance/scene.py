# SPDX-License-Identifier: Apache-2.0
"""What a record tells of a job, taken from the graph that is rendered and from who renders it."""

import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from understudy import __version__
from understudy.contracts.engine import PackInfo
from understudy.contracts.lights import EnvironmentLight, LightRig
from understudy.contracts.rights import Answer
from understudy.graph.document import Graph, InterpolateNode, MotionNode, Node, WriteNode, inputs_of
from understudy.graph.draft import drafted_nodes
from understudy.graph.lights_file import load_lights
from understudy.graph.paths import files_of, with_absolute_files
from understudy.graph.steps.read import ReadStep
from understudy.graph.steps.step import Frame, Key, Outcome, at
from understudy.graph.witness import Made, Scene
from understudy.packs.bom import bom_sha256
from understudy.packs.rights import rights_facts
from understudy.provenance.job import ColorChain, Environment, GraphEntry, InputEntry, Job, Operation, PackEntry
from understudy.provenance.record import Origin
from understudy.provenance.source_types import SourceTypes, strongest
from understudy.runtimes.machine import instructions, processor

_LIBRARIES = ("numpy", "OpenImageIO", "opencolorio", "OpenEXR", "opencv-python-headless")


def job_of(scene: Scene, node: str, types: SourceTypes, *, frames: str, output: str) -> Job:
    """Everything that a record tells of a job, seen from one write node; inputs come as they are read.

    Args:
        scene: The render.
        node: The write node.
        types: The policy of source types.
        frames: The frames of this render.
        output: Color space of the files.
    """
    graph = with_absolute_files(scene.graph)
    above = nodes_above(graph, node)
    drafted = node in drafted_nodes(graph, draft=scene.draft)
    pins = {name: pack for name, pack in sorted(scene.packs.items()) if name.split(".")[0] in above}
    packs = {full_pin(pack): pack for pack in pins.values()}
    return Job(
        draft=drafted,
        draft_scale=str(graph.draft.scale) if drafted else "",
        graph=GraphEntry(sha256=graph.digest, document=graph.document),
        operations=tuple(_operation(name, graph.nodes[name], pins, types) for name in above),
        packs=tuple(_pack(packs[pin]) for pin in sorted(packs)),
        color=ColorChain(
            config=scene.color.name,
            cache_id=scene.color.cache_id,
            models={name: str(pack.manifest.get("contract", {}).get("encoding", "")) for name, pack in pins.items()},
            output=output,
        ),
        environments=(_environment(scene, frames, above),),
    )


def nodes_above(graph: Graph, node: str) -> tuple[str, ...]:
    """A node and all that it is made from, what comes first first."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        for source in inputs_of(graph.nodes[name]).values():
            visit(source)
        order[name] = None

    visit(node)
    return tuple(order)


def document_inputs(graph: Graph, above: Iterable[str]) -> list[tuple[InputEntry, Path]]:
    """The files that nodes name beside pictures: lights, timelines, environments."""
    found: list[tuple[InputEntry, Path]] = []
    names = set(above)
    for named in files_of(with_absolute_files(graph)):
        parts = named.place.split(".")
        if len(parts) < 3 or parts[1] not in names or named.mark.access != "read":
            continue
        if graph.nodes[parts[1]].type == "read":
            continue
        path = Path(named.path)
        kind = "environment" if parts[-1] == "file" and parts[2] != "timeline" else parts[2]
        found.append((InputEntry(node=parts[1], kind=kind, pattern=str(path)), path))
        if kind in ("lights", "present"):
            found += [_environment_input(parts[1], light) for light in _environments(load_lights(path))]
    return found


def picture_inputs(scene: Scene, made: Made) -> list[tuple[InputEntry, Path, int | None]]:
    """The files that an output was read from, with the entry of the input they belong to."""
    found = []
    for name, frame in made.made_from:
        step = scene.plan.steps[name]
        if isinstance(step, ReadStep) and (path := step.source_of(frame)) is not None:
            entry = InputEntry(
                node=name,
                pattern=step.pattern,
                colorspace=step.decision.colorspace,
                rule=step.decision.rule,
            )
            found.append((entry, path, frame))
    return found


def origin_of(scene: Scene, made: Made) -> Origin:
    """Where a picture stands in time: the retime nearest above it says so; ``source`` where there is none."""
    name = scene.plan.writes[made.node].source.name
    frame: Frame = made.frame
    while True:
        outcome = _outcome(scene, made, name, frame)
        told = outcome.report.get("origin") if outcome else None
        if told in ("source", "synthesized", "held"):
            return told
        node = scene.graph.nodes[name]
        if isinstance(node, MotionNode) or "input" not in inputs_of(node):
            return "source"
        name = inputs_of(node)["input"]


def source_type_of(made: Made, job: Job, types: SourceTypes, origin: Origin) -> str:
    """The source type of a frame: the strongest of what was done to it and of what its input says of itself."""
    found = [str(made.outcome.plate.metadata.get("understudy:sourceType", ""))]
    for operation in job.operations:
        if operation.type == "interpolate" and origin != "synthesized":
            found.append(types.of("interpolate.source"))
        else:
            found.append(operation.source_type)
    return strongest(found)


def full_pin(pack: PackInfo) -> str:
    """``id@version#sha256``, the digest whole."""
    return f"{pack.pin.id}@{pack.pin.version}#{pack.pin.sha256}"


def _outcome(scene: Scene, made: Made, name: str, frame: Frame) -> Outcome | None:
    write = scene.plan.writes[made.node]
    if name == write.source.name:
        return made.outcome
    key: Key = at(scene.plan.steps[name], frame)
    return made.made_from.get(key)


def _operation(name: str, node: Node, pins: Mapping[str, PackInfo], types: SourceTypes) -> Operation:
    mine = [pins[key] for key in (name, f"{name}.motion") if key in pins]
    facts = [rights_facts(pack) for pack in mine]
    said = {fact.generative for fact in facts}
    generative: Answer = "yes" if "yes" in said else "unknown" if "unknown" in said else "no"
    fields = node.model_dump(mode="json", exclude_defaults=True)
    inputs = inputs_of(node)
    hidden = {"type", "pack", "motion_pack", *inputs} | ({"file"} if isinstance(node, WriteNode) else set())
    return Operation(
        node=name,
        type=node.type,
        inputs=inputs,
        parameters={field: value for field, value in fields.items() if field not in hidden},
        packs=tuple(full_pin(pack) for pack in mine),
        source_type=types.of(node.type, generative=generative == "yes"),
        learned=any(fact.learned for fact in facts),
        generative=generative,
    )


def _pack(pack: PackInfo) -> PackEntry:
    facts = rights_facts(pack)
    return PackEntry(
        pin=full_pin(pack),
        role=pack.role,
        title=pack.title,
        license_declared=str(pack.manifest.get("license", {}).get("declared", "")),
        license_concluded=facts.license,
        training_basis=facts.training_basis,
        training_evidence=str(pack.manifest.get("training", {}).get("evidence", "")),
        learned=facts.learned,
        generative=facts.generative,
        badge=pack.badge,
        badge_reasons=pack.badge_reasons,
        bom_serial=facts.mlbom_serial,
        bom_sha256="" if pack.bom is None else bom_sha256(pack.bom),
    )


def _environment(scene: Scene, frames: str, above: Iterable[str]) -> Environment:
    versions = {"understudy": __version__, "python": platform.python_version()}
    if scene.engine.version != __version__:
        versions["understudy engine"] = scene.engine.version
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    tiles = {name: getattr(scene.graph.nodes[name], "tile", 0) for name in above}
    return Environment(
        frames=frames,
        versions=versions,
        platform=f"{platform.system()} {platform.machine()}",
        tiles={name: side for name, side in tiles.items() if side},
    )


def on_machine(here: Environment, machine: Mapping[str, Any], frames: str) -> Environment:
    """What frames were computed on.

    Args:
        here: The machine that reads and writes the pictures.
        machine: What an engine told of the models that ran for them; empty where none ran.
        frames: The frames.
    """
    told = {"processor": processor(), "instructions": instructions()} | dict(machine)
    return Environment.model_validate({**here.model_dump(), **told, "frames": frames})


def machine_of(made: Made) -> dict[str, Any]:
    """What an engine told of all models that ran for a frame; several machines are told side by side."""
    reports = [outcome.report.get("machine") for outcome in (*made.made_from.values(), made.outcome)]
    told = [report for report in reports if isinstance(report, dict)]
    if not told:
        return {}
    found: dict[str, Any] = {}
    for name in ("device", "precision", "processor", "instructions", "gpu"):
        parts = [part for report in told for part in str(report.get(name, "")).split(", ")]
        found[name] = ", ".join(dict.fromkeys(filter(None, parts)))
    lists = [report["providers"] for report in told if isinstance(report.get("providers"), list)]
    found["providers"] = list(dict.fromkeys(str(provider) for each in lists for provider in each))
    versions = [report["runtimes"] for report in told if isinstance(report.get("runtimes"), dict)]
    found["runtimes"] = {str(name): str(version) for each in versions for name, version in sorted(each.items())}
    return found


def fps_of(scene: Scene, node: str, attributes: Mapping[str, Any]) -> str:
    """Frames per second of an output: those that a retime gives it, or those of its header; empty when unknown."""
    for name in reversed(nodes_above(scene.graph, node)):
        above = scene.graph.nodes[name]
        if isinstance(above, InterpolateNode) and above.fps is not None:
            return str(above.fps.target)
    value = attributes.get("FramesPerSecond")
    if isinstance(value, (tuple, list)) and len(value) == 2 and value[1]:
        return str(value[0]) if value[1] == 1 else f"{value[0]}/{value[1]}"
    return f"{value:g}" if isinstance(value, (int, float)) else ""


def _environments(rig: LightRig) -> list[EnvironmentLight]:
    return [light for light in rig.lights if isinstance(light, EnvironmentLight)]


def _environment_input(node: str, light: EnvironmentLight) -> tuple[InputEntry, Path]:
    path = Path(light.file)
    return InputEntry(node=node, kind="environment", pattern=str(path), colorspace=light.colorspace), path
