# SPDX-License-Identifier: Apache-2.0
"""What a publish instance is told of its frames: the keys that AYON and OpenPype integrators read."""

from fractions import Fraction
from pathlib import Path
from typing import Any

from understudy.contracts.channels import ChannelKind, classify
from understudy.contracts.errors import InputError
from understudy.frames.header import read_header
from understudy.frames.sequence import format_frames
from understudy.provenance.mhl import CHAIN, FOLDER, read_list
from understudy.provenance.record_file import SUFFIX, definition_path, signature_path
from understudy.publish.integrate import next_version
from understudy.publish.subject import Subject

DEFAULT_FPS = 24.0


def instance_event(subject: Subject, root: Path | None = None) -> dict[str, Any]:
    """One instance, as ``understudy publish --list --json`` prints it; no pixel is read.

    Args:
        subject: What it is made of.
        root: The publish root, to tell which version it will be.
    """
    record = subject.record
    numbers = [frame for frame in subject.expected if frame is not None]
    handles = record.sequence.handles if record else 0
    data = bool(record and record.sequence.content == "data")
    event = {
        "event": "instance",
        "name": subject.name,
        "productName": subject.name,
        "productType": "data" if data else "render",
        "families": ["understudy", "data" if data else "render"],
        "source": str(subject.record_path or subject.path_pattern),
        "stagingDir": str(subject.folder),
        "pattern": subject.pattern,
        "frames": format_frames(numbers),
        "frameStart": numbers[0] + handles if numbers else None,
        "frameEnd": numbers[-1] - handles if numbers else None,
        "handleStart": handles,
        "handleEnd": handles,
        "fps": float(Fraction(record.sequence.fps)) if record and record.sequence.fps else DEFAULT_FPS,
        "colorspace": next((job.color.output for job in record.jobs.values()), "") if record else "",
        "record": str(subject.record_path or ""),
        "representations": representations(subject),
    }
    if root is not None:
        event["version"] = next_version(root / subject.name)
    return event


def representations(subject: Subject) -> list[dict[str, Any]]:
    """The frames, what lies beside them, and their record, as they are on disk."""
    record = subject.record
    folder = str(subject.folder)
    numbers = [frame for frame in subject.expected if frame is not None]
    there = set(subject.there)
    files = [subject.path(frame).name for frame in subject.expected if frame in there]
    data = bool(record and record.sequence.content == "data")
    ext = subject.pattern.rpartition(".")[2]
    main: dict[str, Any] = {
        "name": "vectors" if data else ext,
        "ext": ext,
        "files": files[0] if subject.files is None and files else files,
        "stagingDir": folder,
        "tags": ["data"] if data else ["review"],
    }
    if numbers:
        main |= {"frameStart": numbers[0], "frameEnd": numbers[-1]}
    if record:
        main["blake3"] = {entry.file: entry.blake3 for entry in record.frames if entry.file in files}
    found = [main, *_layers(main, subject)]
    beside = {file.file: file.blake3 for entry in (record.frames if record else ()) for file in entry.beside}
    if beside:
        found.append({"name": "layers", "ext": "exr", "files": list(beside), "stagingDir": folder, "blake3": beside})
    if subject.record_path:
        path = subject.record_path
        notes = [one.name for one in (path, signature_path(path), definition_path(path)) if one.is_file()]
        found.append({"name": "provenance", "ext": "json", "files": notes, "stagingDir": folder})
        lists = _hash_list(subject.folder, path.name)
        if lists:
            found.append(
                {
                    "name": "hashlist",
                    "ext": "mhl",
                    "files": lists,
                    "stagingDir": str(subject.folder / FOLDER),
                    "folder": FOLDER,
                }
            )
    return found


def _hash_list(folder: Path, record: str) -> list[str]:
    """The files of a folder's hash list, where it lists no other product: an integrator of ours writes one anyway."""
    try:
        found = read_list(folder)
    except InputError:  # a check tells
        return []
    others = [name for name in found.files if name.endswith(SUFFIX) and name != record] if found else []
    return [CHAIN, found.path.name] if found and not others else []


def _layers(main: dict[str, Any], subject: Subject) -> list[dict[str, Any]]:
    """Vectors and confidence that lie in the same files as the picture: the same files, told by their channels."""
    first = next((subject.path(frame) for frame in subject.there), None)
    try:
        parts = read_header(first).parts if first else ()
    except InputError:  # a check tells
        return []
    groups = classify([name for part in parts for name in part.channels])
    found = []
    for name, wanted in (("vectors", ChannelKind.VECTOR), ("confidence", ChannelKind.DATA)):
        channels = [one for group in groups if group.kind is wanted for one in group.names]
        channels = [one for one in channels if wanted is ChannelKind.VECTOR or "confidence" in one.split(".")]
        if channels and name != main["name"]:
            found.append(main | {"name": name, "channels": channels, "tags": ["data"]})
    return found
