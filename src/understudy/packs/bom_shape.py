# SPDX-License-Identifier: Apache-2.0
"""Whether a document has the shape of a CycloneDX 1.6 ML-BOM, as far as rights records use the format.

It stands in for a schema validator, which Understudy does not need at run time; the tests compare its tables with the
published schema. Parts of the format that no rights record of ours holds are let through unread.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from understudy.contracts.document_problems import Problem, quoted


@dataclass(frozen=True, slots=True)
class _Text:
    """A text, of a pattern or one of some words."""

    pattern: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Each:
    """A list of things of one shape."""

    inner: str
    least: int = 0


TEXT = _Text()
_ANY = None
_Shape = _Text | _Each | str | None

_TYPES = (
    *("application", "framework", "library", "container", "platform", "operating-system", "device", "device-driver"),
    *("firmware", "file", "machine-learning-model", "data", "cryptographic-asset"),
)
_HASHES = (
    *("MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512", "SHA3-256", "SHA3-384", "SHA3-512"),
    *("BLAKE2b-256", "BLAKE2b-384", "BLAKE2b-512", "BLAKE3"),
)
_HASH = r"([a-fA-F0-9]{32}|[a-fA-F0-9]{40}|[a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128})"
_SERIAL = r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ACKNOWLEDGEMENT = _Text(words=("declared", "concluded"))


def _others(*names: str) -> dict[str, _Shape]:
    return dict.fromkeys(names, _ANY)


SHAPES: Mapping[str, Mapping[str, _Shape]] = {
    "bom": {
        "bomFormat": _Text(words=("CycloneDX",)),
        "specVersion": _Text(words=("1.6",)),
        "serialNumber": _Text(_SERIAL),
        "version": _ANY,
        "metadata": "metadata",
        "components": _Each("component", 1),
        "dependencies": _Each("dependency"),
        "properties": _Each("property"),
        **_others("$schema", "services", "externalReferences", "compositions", "vulnerabilities", "annotations"),
        **_others("formulation", "declarations", "definitions", "signature"),
    },
    "metadata": {
        "timestamp": _Text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"),
        "authors": _Each("contact"),
        "component": "component",
        "properties": _Each("property"),
        **_others("lifecycles", "tools", "manufacture", "manufacturer", "supplier", "licenses"),
    },
    "component": {
        "type": _Text(words=_TYPES),
        "bom-ref": TEXT,
        "name": TEXT,
        "version": TEXT,
        "description": TEXT,
        "supplier": "organization",
        "publisher": TEXT,
        "hashes": _Each("hash"),
        "licenses": _Each("terms"),
        "purl": TEXT,
        "pedigree": "pedigree",
        "externalReferences": _Each("reference"),
        "modelCard": "modelCard",
        "data": _Each("data"),
        "components": _Each("component"),
        "properties": _Each("property"),
        **_others("mime-type", "manufacturer", "authors", "author", "group", "scope", "copyright", "cpe", "omniborId"),
        **_others("swhid", "swid", "modified", "evidence", "releaseNotes", "cryptoProperties", "tags", "signature"),
    },
    "contact": {"bom-ref": TEXT, "name": TEXT, "email": TEXT, "phone": TEXT},
    "organization": {"bom-ref": TEXT, "name": TEXT, **_others("address", "url", "contact")},
    "hash": {"alg": _Text(words=_HASHES), "content": _Text(_HASH)},
    "terms": {"license": "license", "expression": TEXT, "acknowledgement": _ACKNOWLEDGEMENT, "bom-ref": TEXT},
    "license": {
        "bom-ref": TEXT,
        "id": TEXT,
        "name": TEXT,
        "acknowledgement": _ACKNOWLEDGEMENT,
        **_others("text", "url", "licensing", "properties"),
    },
    "pedigree": {"ancestors": _Each("component"), **_others("descendants", "variants", "commits", "patches", "notes")},
    "reference": {"url": TEXT, "type": TEXT, "comment": TEXT, "hashes": _Each("hash")},
    "modelCard": {
        "bom-ref": TEXT,
        "modelParameters": "modelParameters",
        "quantitativeAnalysis": "quantitativeAnalysis",
        "considerations": "considerations",
        "properties": _Each("property"),
    },
    "modelParameters": {
        "task": TEXT,
        "architectureFamily": TEXT,
        "modelArchitecture": TEXT,
        "inputs": _Each("format"),
        "outputs": _Each("format"),
        **_others("approach", "datasets"),
    },
    "format": {"format": TEXT},
    "quantitativeAnalysis": {"performanceMetrics": _Each("metric"), **_others("graphics")},
    "metric": {"type": TEXT, "value": TEXT, "slice": TEXT, **_others("confidenceInterval")},
    "considerations": {
        "users": _Each(""),
        "useCases": _Each(""),
        "technicalLimitations": _Each(""),
        "performanceTradeoffs": _Each(""),
        "ethicalConsiderations": _Each("risk"),
        **_others("environmentalConsiderations", "fairnessAssessments"),
    },
    "risk": {"name": TEXT, "mitigationStrategy": TEXT},
    "data": {
        "type": _Text(words=("source-code", "configuration", "dataset", "definition", "other")),
        "bom-ref": TEXT,
        "name": TEXT,
        "sensitiveData": _Each(""),
        **_others("contents", "classification", "graphics", "description", "governance"),
    },
    "dependency": {"ref": TEXT, "dependsOn": _Each(""), "provides": _Each("")},
    "property": {"name": TEXT, "value": TEXT},
}
"""Kind of object to its fields: a text, a kind, a list of a kind (of texts where it is empty), or anything."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "bom": ("bomFormat", "specVersion", "serialNumber", "version", "components"),
    "component": ("type", "name"),
    "hash": ("alg", "content"),
    "reference": ("url", "type"),
    "data": ("type",),
    "dependency": ("ref",),
    "property": ("name",),
}
"""Fields that must be there; for ``bom``, those too that CycloneDX leaves open and a rights record needs."""


def shape_problems(document: Any) -> Iterator[Problem]:
    """What is wrong with the shape of a rights record, by field such as ``components[0].hashes[0].alg``."""
    if not isinstance(document, dict):
        yield Problem("", f"{quoted(document)} is no CycloneDX document")
        return
    yield from _object(document, "bom", "")
    version = document.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        yield Problem("version", f"{quoted(version)} is no whole number of 1 or more")
    yield from _references(document)


def _object(value: Any, kind: str, place: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(place, f"{quoted(value)} is no object")
        return
    fields = SHAPES[kind]
    for name in REQUIRED.get(kind, ()):
        if name not in value:
            yield Problem(_inner(place, name), "is missing")
    for name, inner in value.items():
        if name not in fields:
            yield Problem(_inner(place, name), "unknown field")
        else:
            yield from _value(inner, fields[name], _inner(place, name))
    if kind == "terms" and ("license" in value) == ("expression" in value):
        yield Problem(place, "holds a license or an expression, and one of them alone")
    if kind == "terms" and "license" in value and len(value) > 1:
        yield Problem(place, "holds more beside a license")
    if kind == "license" and ("id" in value) == ("name" in value):
        yield Problem(place, "has an id or a name, and one of them alone")


def _value(value: Any, shape: _Shape, place: str) -> Iterator[Problem]:
    if isinstance(shape, str):
        yield from _object(value, shape, place)
    elif isinstance(shape, _Each):
        if not isinstance(value, list):
            yield Problem(place, f"{quoted(value)} is no list")
            return
        if len(value) < shape.least:
            yield Problem(place, "is empty")
        for index, item in enumerate(value):
            yield from _value(item, shape.inner or TEXT, f"{place}[{index}]")
        if shape.inner == "terms" and len(value) > 1 and any("expression" in item for item in value if item):
            yield Problem(place, "an expression stands alone")
    elif isinstance(shape, _Text):
        if not isinstance(value, str):
            yield Problem(place, f"{quoted(value)} is no text")
        elif shape.words and value not in shape.words:
            yield Problem(place, f"unknown {quoted(value)}", f"known: {', '.join(shape.words)}")
        elif shape.pattern and not re.fullmatch(shape.pattern, value):
            yield Problem(place, f"{quoted(value)} does not fit")


def _references(document: dict[str, Any]) -> Iterator[Problem]:
    """Every reference is unique, and what depends on what is there."""
    components = document.get("components")
    known: set[str] = set()
    for index, component in enumerate(components if isinstance(components, list) else []):
        name = component.get("bom-ref") if isinstance(component, dict) else None
        if isinstance(name, str):
            if name in known:
                yield Problem(f"components[{index}].bom-ref", f"{quoted(name)} is there twice")
            known.add(name)
    dependencies = document.get("dependencies")
    for index, dependency in enumerate(dependencies if isinstance(dependencies, list) else []):
        if isinstance(dependency, dict):
            listed = dependency.get("dependsOn")
            for name in (dependency.get("ref"), *(listed if isinstance(listed, list) else ())):
                if isinstance(name, str) and name not in known:
                    yield Problem(f"dependencies[{index}]", f"{quoted(name)} is no component")


def _inner(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
