# SPDX-License-Identifier: Apache-2.0
"""A record as the definition of a C2PA manifest: actions, ingredients, models, training. It holds no path."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from understudy import __version__
from understudy.provenance.job import InputEntry, Job, Operation, PackEntry
from understudy.provenance.record import Record

_ACTIONS = {
    "upscale": "c2pa.resized",
    "color": "c2pa.color_adjustments",
    "relight": "c2pa.edited",
    "interpolate": "c2pa.edited",
    "motion": "c2pa.edited",
    "vector_blur": "c2pa.filtered",
}
_USES = ("cawg.ai_generative_training", "cawg.ai_inference", "cawg.ai_training", "cawg.data_mining")
_MODEL = "c2pa.types.model"


def manifest_of(record: Record, title: str, media_type: str) -> dict[str, Any]:
    """The definition of a manifest.

    ``c2pa.ai-disclosure`` stands for learned packs only: classical methods disclose nothing.

    Args:
        record: The record.
        title: Name of the asset that the manifest is over.
        media_type: What that asset is.
    """
    assertions: list[dict[str, Any]] = [
        {"label": "c2pa.actions.v2", "data": {"actions": list(_actions(record)), "allActionsIncluded": True}}
    ]
    assertions += [_disclosure(pack, record) for pack in _packs(record) if pack.learned]
    if record.rights.do_not_train:
        entries = {use: {"use": "notAllowed"} for use in _USES}
        assertions.append({"label": "cawg.training-mining", "data": {"entries": entries}})
    assertions.append({"label": "org.understudy.record", "data": _summary(record)})
    return {
        "claim_generator_info": [{"name": "understudy", "version": __version__}],
        "title": title,
        "format": media_type,
        "assertions": assertions,
    }


def ingredients_of(record: Record) -> dict[str, bytes]:
    """The definition of each ingredient, and its list of files with their hashes: a manifest binds that list.

    The first plate is the parent; whatever else was read is an input.
    """
    found: dict[str, bytes] = {}
    for label, entry in _inputs(record):
        parent = label == "input0"
        definition = {
            "title": Path(entry.pattern).name,
            "relationship": "parentOf" if parent else "inputTo",
            "label": label,
        }
        files = [{"file": file.file, "size": file.size, "blake3": file.blake3} for file in entry.files]
        found[json.dumps(definition)] = json.dumps({"kind": entry.kind, "files": files}, sort_keys=True).encode()
    return found


def _inputs(record: Record) -> Iterator[tuple[str, InputEntry]]:
    unique: dict[tuple[str, str, str], InputEntry] = {}
    for job in record.jobs.values():
        plate = _first_plate(job)
        for entry in sorted(job.inputs, key=lambda one: (one.node != plate, one.node, one.kind, one.pattern)):
            unique.setdefault((entry.node, entry.kind, entry.pattern), entry)
    for index, entry in enumerate(unique.values()):
        yield f"input{index}", entry


def _first_plate(job: Job) -> str:
    """The read node that the written picture is of, following ``input`` from the end."""
    operations = {operation.node: operation for operation in job.operations}
    node = job.operations[-1].node
    while "input" in operations[node].inputs:
        node = operations[node].inputs["input"]
    return node


def _actions(record: Record) -> Iterator[dict[str, Any]]:
    opened: dict[str, Any] = {"action": "c2pa.opened"}
    labels = [label for label, _ in _inputs(record)]
    yield opened | {"parameters": {"ingredientIds": labels[:1]}} if labels else {"action": "c2pa.created"}
    told: set[str] = set()
    for job in record.jobs.values():
        for operation in job.operations:
            key = operation.model_dump_json()
            if operation.type in _ACTIONS and key not in told:
                told.add(key)
                yield _action(operation)


def _action(operation: Operation) -> dict[str, Any]:
    action: dict[str, Any] = {"action": _ACTIONS[operation.type]}
    if operation.source_type:
        action["digitalSourceType"] = operation.source_type
    if operation.packs:
        name, version = _name(operation.packs[0])
        action["softwareAgent"] = {"name": name, "version": version}
    action["parameters"] = {
        "org.understudy.node": operation.node,
        "org.understudy.operation": operation.type,
        "org.understudy.packs": list(operation.packs),
    }
    return action


def _disclosure(pack: PackEntry, record: Record) -> dict[str, Any]:
    name, version = _name(pack.pin)
    data: dict[str, Any] = {
        "modelType": _MODEL,
        "modelName": pack.title or name,
        "modelIdentifier": f"pkg:generic/{name}@{version}",
    }
    if record.rights.approval:
        data["contentProfile"] = {"humanOversightLevel": "human_validated"}
    return {"label": "c2pa.ai-disclosure", "data": data}


def _packs(record: Record) -> list[PackEntry]:
    found = {pack.pin: pack for job in record.jobs.values() for pack in job.packs}
    return [found[pin] for pin in sorted(found)]


def _name(pin: str) -> tuple[str, str]:
    name, _, rest = pin.partition("@")
    return name, rest.partition("#")[0]


def _summary(record: Record) -> dict[str, Any]:
    """What of the record goes into every manifest, also those in files that leave the house: no path, no setting."""
    files = "".join(f"{file.blake3} {file.pixels} {file.size} {file.file}\n" for file in record.files)
    return {
        "schema": record.schema_,
        "id": record.id,
        "sequence": record.sequence.model_dump(mode="json"),
        "source_type": record.source_type,
        "draft": record.draft,
        "runs": [run.model_dump(mode="json") for run in record.runs],
        "quality": record.quality.model_dump(mode="json"),
        "rights": record.rights.model_dump(mode="json"),
        "packs": [
            {
                "pin": pack.pin,
                "badge": pack.badge,
                "learned": pack.learned,
                "generative": pack.generative,
                "training": pack.training_basis,
                "mlbom": pack.bom_serial,
                "mlbom_sha256": pack.bom_sha256,
            }
            for pack in _packs(record)
        ],
        "graphs": sorted(job.graph.sha256 for job in record.jobs.values()),
        "files_sha256": sha256(files.encode()).hexdigest(),
    }
