# SPDX-License-Identifier: Apache-2.0
"""The rights record of a pack, ``pack.cdx.json``: a CycloneDX 1.6 ML-BOM (ECMA-424) with a model card.

It is made from the manifest, the card and the files' hashes, and says nothing that they do not. The same pack gives the
same bytes: the serial number is a UUID made of the pack's digest, and the only time in it is the date of the review
that the manifest names. The digest that pins a pack does not cover the record, so that the record can hold the digest.

Keys of our own stand in ``properties``, with the prefix ``understudy:``.
"""

import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from understudy.contracts.errors import OutputError, UnderstudyError
from understudy.contracts.manifest import PackManifest, Role
from understudy.contracts.rights import AncestorSpec, Answer, DatasetSpec, RecordState
from understudy.packs.badge import keeps_inputs, needs_network, people, trains_on_inputs
from understudy.packs.card import CARD_NAME, read_card
from understudy.packs.file_hash import file_sha256
from understudy.packs.licenses import commercial_use, known_identifier
from understudy.packs.manifest import declared_files, papers
from understudy.packs.toml_file import shown

BOM_NAME = "pack.cdx.json"
ADDITIONS = frozenset({"$schema", "annotations", "declarations", "signature"})
"""Top-level keys that others may add to a record; nothing that is read from it stands there."""

_MOST_BYTES = 8 << 20
_TASKS = {
    Role.MOTION: "optical-flow",
    Role.INTERPOLATE: "frame-interpolation",
    Role.UPSCALE: "super-resolution",
    Role.RELIGHT: "relighting",
}
_OUTPUTS = {
    Role.MOTION: ("forward: uv;float32;unit=px", "backward: uv;float32;unit=px"),
    Role.INTERPOLATE: ("to_a: uv;float32;unit=px", "to_b: uv;float32;unit=px", "weight: y;float32;range=0:1"),
    Role.RELIGHT: ("normal: xyz;float32;range=-1:1, or the relit picture",),
}
_PICTURES = {Role.MOTION: ("a", "b"), Role.INTERPOLATE: ("a", "b")}
_VECTORS = ("forward: uv;float32;unit=px", "backward: uv;float32;unit=px")
_USES = {"yes": "allowed", "no": "forbidden", "unknown": "unknown"}
_TRUTHS = {"yes": "true", "no": "false", "unknown": "unknown"}
_URL_SAFE = ":/?#@!$&'()*+,;=%~-._"


def serial_number(digest: str) -> str:
    """The serial number of the rights record of the pack with this digest: a UUID of version 5 (RFC 9562)."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"urn:understudy:pack:sha256:{digest}").urn


def purl(manifest: PackManifest) -> str:
    """The package URL of a pack: ``pkg:generic/dis-good@1.0.0``."""
    return f"pkg:generic/{manifest.id}@{quote(manifest.version, safe='')}"


def pack_bom(manifest: PackManifest, folder: Path, digest: str) -> dict[str, Any]:
    """The rights record of a pack, as JSON types.

    Args:
        manifest: What the pack promises.
        folder: Its folder, from which the card and license texts are read.
        digest: The pack's digest.

    Raises:
        PackError: The card or a license text can't be read.
    """
    files = list(_files(manifest, folder))
    datasets = [_dataset(index, dataset) for index, dataset in enumerate(manifest.rights.datasets)]
    model = _model(manifest, folder, digest)
    others = [*files, *datasets]
    found: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial_number(digest),
        "version": 1,
    }
    if review := _review(manifest):
        found["metadata"] = review
    found["components"] = [model, *others]
    found["dependencies"] = [{"ref": model["bom-ref"], "dependsOn": [part["bom-ref"] for part in others]}]
    return found


def bom_text(manifest: PackManifest, folder: Path, digest: str) -> str:
    """The rights record as ``pack.cdx.json`` holds it; arguments and errors as of ``pack_bom``."""
    return json.dumps(pack_bom(manifest, folder, digest), indent=2, ensure_ascii=False) + "\n"


def read_bom(path: Path) -> Any:
    """The JSON document in a file.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It can't be read as one; the text says why.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"can't be read: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise ValueError("is larger than 8 MiB")
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None


def known_bom(folder: Path) -> dict[str, Any] | None:
    """The rights record in a pack's folder, whatever it says; None where there is none that can be read."""
    try:
        found = read_bom(folder / BOM_NAME)
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def bom_bytes(bom: dict[str, Any]) -> bytes:
    """A rights record as a file holds it: the bytes of ``pack.cdx.json`` where ``understudy packs bom`` wrote that."""
    return (json.dumps(bom, indent=2, ensure_ascii=False) + "\n").encode()


def bom_sha256(bom: dict[str, Any]) -> str:
    """SHA-256 of ``bom_bytes``."""
    return hashlib.sha256(bom_bytes(bom)).hexdigest()


def record_state(manifest: PackManifest, folder: Path, digest: str) -> RecordState:
    """How the rights record in a pack's folder stands to its manifest, its card and its files."""
    try:
        found = read_bom(folder / BOM_NAME)
        first = next(differences(found, pack_bom(manifest, folder, digest)), None)
        return "agrees" if first is None else "differs"
    except FileNotFoundError:
        return "missing"
    except (ValueError, UnderstudyError):
        return "differs"


def differences(found: Any, wanted: dict[str, Any]) -> Iterator[str]:
    """Where a record is not the wanted one: places in it, empty for the whole. What others may add does not count."""
    if isinstance(found, dict):
        found = {key: value for key, value in found.items() if key not in ADDITIONS}
    yield from _differences(found, wanted, "")


def write_bom(path: Path, text: str) -> None:
    """Writes a record, whole or not at all.

    Raises:
        OutputError: It can't be written.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=".bom-", delete=False) as stream:
            temporary = Path(stream.name)
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise OutputError(f"can't be written: {error.strerror}", where=shown(path)) from None


def _differences(found: Any, wanted: Any, place: str) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in dict.fromkeys((*wanted, *found)):
            inner = f"{place}.{key}" if place else str(key)
            if key not in found or key not in wanted:
                yield inner
            else:
                yield from _differences(found[key], wanted[key], inner)
    elif isinstance(found, list) and isinstance(wanted, list):
        if len(found) != len(wanted):
            yield place
        for index, (one, other) in enumerate(zip(found, wanted, strict=False)):
            yield from _differences(one, other, f"{place}[{index}]")
    elif type(found) is not type(wanted) or found != wanted:
        yield place


def _model(manifest: PackManifest, folder: Path, digest: str) -> dict[str, Any]:
    rights = manifest.rights
    found: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": f"pack:{manifest.id}@{manifest.version}",
        "name": manifest.id,
        "version": manifest.version,
        "description": f"{manifest.title}. {manifest.description}",
    }
    if rights.supplier:
        found["supplier"] = {"name": rights.supplier}
    found["hashes"] = [{"alg": "SHA-256", "content": digest}]
    found["licenses"] = _licenses(manifest)
    found["purl"] = purl(manifest)
    if rights.ancestors:
        found["pedigree"] = {"ancestors": [_ancestor(ancestor) for ancestor in rights.ancestors]}
    if references := list(_references(manifest)):
        found["externalReferences"] = references
    found["modelCard"] = _model_card(manifest, folder)
    found["properties"] = [{"name": f"understudy:{name}", "value": value} for name, value in _facts(manifest, digest)]
    return found


def _facts(manifest: PackManifest, digest: str) -> Iterator[tuple[str, str]]:
    """Our own keys."""
    concluded, rights = manifest.license.concluded, manifest.rights
    yield "pack.schema", manifest.schema_
    yield "pack.sha256", digest
    yield "role", manifest.role.value
    yield "runtime", manifest.runtime.kind
    yield "license.declared", manifest.license.declared
    yield "license.concluded", concluded
    yield "license.commercialUse", _USES[commercial_use(concluded, rights.commercial_use)]
    yield "training.basis", manifest.training.basis
    yield "training.evidence", manifest.training.evidence
    if manifest.training.note:
        yield "training.note", manifest.training.note
    yield "training.containsPeople", people(manifest)
    yield "learned", "false" if manifest.training.basis == "none" else "true"
    answers: tuple[tuple[str, Answer], ...] = (
        ("output.generative", rights.generative),
        ("network.required", needs_network(manifest)),
        ("retainsInputs", keeps_inputs(manifest)),
        ("trainsOnInputs", trains_on_inputs(manifest)),
    )
    for name, answer in answers:
        yield name, _TRUTHS[answer]


def _licenses(manifest: PackManifest) -> list[dict[str, Any]]:
    declared, concluded = manifest.license.declared, manifest.license.concluded
    if declared == concluded and " " in concluded:  # CycloneDX takes one expression, or any number of single licenses
        return [{"expression": concluded, "acknowledgement": "concluded"}]
    pairs = (("declared", declared), ("concluded", concluded))
    return [{"license": {**_license(text), "acknowledgement": how}} for how, text in pairs]


def _license(text: str) -> dict[str, str]:
    """A license by its SPDX identifier where we know it to be one, else by name."""
    known = known_identifier(text)
    return {"id": known} if known else {"name": text}


def _terms(text: str) -> dict[str, Any]:
    return {"licenses": [{"license": _license(text)}]} if text else {}


def _ancestor(ancestor: AncestorSpec) -> dict[str, Any]:
    version = {"version": ancestor.version} if ancestor.version else {}
    return {"type": "machine-learning-model", "name": ancestor.name, **version, **_terms(ancestor.license)}


def _dataset(index: int, dataset: DatasetSpec) -> dict[str, Any]:
    data: dict[str, Any] = {"type": "dataset", "name": dataset.name}
    if dataset.url:
        data["contents"] = {"url": quote(dataset.url, safe=_URL_SAFE)}
    data["sensitiveData"] = [{"no": "none", "with-consent": "people, with consent"}.get(dataset.people, "unknown")]
    if dataset.owner:
        data["governance"] = {"owners": [{"organization": {"name": dataset.owner}}]}
    found: dict[str, Any] = {"type": "data", "bom-ref": f"data:{index}", "name": dataset.name}
    if dataset.version:
        found["version"] = dataset.version
    return {**found, **_terms(dataset.license), "data": [data]}


def _files(manifest: PackManifest, folder: Path) -> Iterator[dict[str, Any]]:
    """A component for each declared file and each paper; ``pack.toml`` itself is what the digest stands for."""
    for field, name, sha256 in declared_files(manifest):
        weights = field.startswith(("weights", "runtime.graph"))
        yield _file(name, sha256, "weights" if weights else "runtime")
    evidence = set(manifest.rights.evidence)
    for name in papers(manifest, folder):
        kind = "card" if name == CARD_NAME else "evidence" if name in evidence else "paper"
        yield _file(name, file_sha256(folder / name), kind)


def _file(name: str, sha256: str, kind: str) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": f"file:{name}",
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        "properties": [{"name": "understudy:file.kind", "value": kind}],
    }


def _references(manifest: PackManifest) -> Iterator[dict[str, str]]:
    urls = [("documentation", citation.url, citation.text) for citation in manifest.citation if citation.url]
    urls += [("evidence", text, "backs the training basis") for text in manifest.rights.evidence]
    for kind, url, comment in urls:
        yield {"type": kind, "url": quote(url, safe=_URL_SAFE), "comment": comment}


def _model_card(manifest: PackManifest, folder: Path) -> dict[str, Any]:
    rights, card = manifest.rights, read_card(folder)
    parameters: dict[str, Any] = {"task": _TASKS[manifest.role]}
    if rights.architecture:
        parameters["architectureFamily"] = rights.architecture
    if rights.datasets:
        parameters["datasets"] = [{"ref": f"data:{index}"} for index in range(len(rights.datasets))]
    parameters["inputs"] = [{"format": text} for text in _inputs(manifest)]
    parameters["outputs"] = [{"format": text} for text in _outputs(manifest)]
    found: dict[str, Any] = {"modelParameters": parameters}
    if card.metrics:
        metrics = [
            {"type": metric.type, "value": metric.value, **({"slice": metric.slice} if metric.slice else {})}
            for metric in card.metrics
        ]
        found["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    considerations: dict[str, Any] = {"useCases": list(rights.use_cases or (_TASKS[manifest.role],))}
    if card.limits:
        considerations["technicalLimitations"] = list(card.limits)
    if risks := list(_risks(manifest)):
        considerations["ethicalConsiderations"] = risks
    return {**found, "considerations": considerations}


def _risks(manifest: PackManifest) -> Iterator[dict[str, str]]:
    seen = people(manifest)
    if seen == "with-consent":
        yield {"name": "People can be recognized in the training data", "mitigationStrategy": "They consented"}
    elif seen == "unknown":
        yield {"name": "It is unknown whether people can be recognized in the training data"}
    if manifest.rights.generative != "no":
        invents = manifest.rights.generative == "yes"
        name = "It invents content" if invents else "It is unknown whether it invents content"
        yield {"name": name, "mitigationStrategy": "Shots with talent need a consent reference"}


def _inputs(manifest: PackManifest) -> Iterator[str]:
    for name in _PICTURES.get(manifest.role, ("image",)):
        yield f"{name}: {_picture(manifest)}"
    if manifest.role is Role.INTERPOLATE:
        yield from _VECTORS


def _outputs(manifest: PackManifest) -> Iterator[str]:
    if manifest.role is Role.UPSCALE:
        yield f"image: {_picture(manifest)}"
    yield from _OUTPUTS.get(manifest.role, ())
    if manifest.contract.confidence:
        yield "confidence: y;float32;range=0:1"


def _picture(manifest: PackManifest) -> str:
    contract = manifest.contract
    channels = {0: "any", 1: "y", 3: "rgb"}[contract.channels]
    domain = f";range={contract.domain[0]:g}:{contract.domain[1]:g}" if contract.domain else ""
    return f"{channels};{'|'.join(contract.precisions)};space={contract.encoding.value}{domain}"


def _review(manifest: PackManifest) -> dict[str, Any]:
    rights = manifest.rights
    found: dict[str, Any] = {}
    if rights.reviewed_on:
        found["timestamp"] = f"{rights.reviewed_on.isoformat()}T00:00:00Z"
    if rights.reviewed_by:
        found["authors"] = [{"name": rights.reviewed_by}]
    return found
