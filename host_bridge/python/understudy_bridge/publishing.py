# SPDX-License-Identifier: Apache-2.0
"""What the publish plug-ins share: they are loose files that can't import each other. Standard library only.

A pyblish context or instance comes in as what it is to us: an object with a ``data`` dictionary.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from .command import BridgeError, run

Finding = dict[str, Any]
"""One ``finding`` event of ``understudy publish --check-only --json``."""

REPAIRABLE = frozenset(
    [
        "frames-missing",
        "frames-empty",
        "frames-unreadable",
        "frames-not-finite",
        "colorspace-header",
        "window-changed",
        "channels-changed",
        "premultiplication-changed",
        "record-stale",
        "frame-foreign",
        "frame-altered",
        "frame-header",
        "frame-recompressed",
        "frame-rewrapped",
        "retime-frames",
    ]
)
"""Checks whose frames are sound again once they are rendered again."""

_FINDINGS = "understudyFindings"
_VARIABLES = {
    "source": "UNDERSTUDY_PUBLISH_SOURCE",
    "root": "UNDERSTUDY_PUBLISH_ROOT",
    "final": "UNDERSTUDY_PUBLISH_FINAL",
    "movies": "UNDERSTUDY_PUBLISH_MOVIES",
    "link": "UNDERSTUDY_PUBLISH_LINK",
    "trust": "UNDERSTUDY_PUBLISH_TRUST",
    "certificate": "UNDERSTUDY_PUBLISH_CERTIFICATE",
    "key": "UNDERSTUDY_PUBLISH_KEY",
}


def setting(context: Any, name: str, default: str = "") -> str:
    """A setting of the publish: ``context.data["understudy<Name>"]``, else the variable for it.

    Args:
        context: The pyblish context.
        name: ``source``, ``root``, ``final``, ``movies``, ``link``, ``trust``, ``certificate``,
            ``key``.
        default: What it is when neither is given.
    """
    value = context.data.get("understudy" + name.capitalize())
    if value is None:
        value = os.environ.get(_VARIABLES[name], default)
    if isinstance(value, bool):
        return "1" if value else ""
    return str(value)


def rules_options(context: Any) -> list[str]:
    """Options of the command that say under which rules frames are published."""
    policy = context.data.get("understudyPolicy", "")
    options = ["--final"] if setting(context, "final") else []
    for option, value in (("--policy", str(policy)), ("--trust", setting(context, "trust"))):
        options += [option, value] if value else []
    return options


def findings(instance: Any, *, fresh: bool = False) -> list[Finding]:
    """What the checks find of an instance: one run of the command, shared by all validators.

    Args:
        instance: The pyblish instance.
        fresh: Run the checks again.

    Raises:
        BridgeError: The command is missing, or could not check.
    """
    if fresh or _FINDINGS not in instance.data:
        source = instance.data["source"]
        try:
            events = run(["publish", *rules_options(instance.context), "--check-only", "--", source])
        except BridgeError as error:
            if not any(event.get("event") == "checked" for event in error.events):
                raise
            events = list(error.events)
        name = instance.data["productName"]
        instance.data[_FINDINGS] = [
            event for event in events if event.get("event") == "finding" and event.get("name") == name
        ]
    found: list[Finding] = instance.data[_FINDINGS]
    return found


def share(instance: Any, family: str, log: Any, *, fresh: bool = False) -> None:
    """Tells what the checks of one family found: warnings to the log, errors as one.

    Args:
        instance: The pyblish instance.
        family: Family of checks.
        log: The plug-in's logger.
        fresh: Run the checks again.

    Raises:
        ValueError: There are errors; the message has one line for each.
        BridgeError: The command is missing, or could not check.
    """
    errors = []
    for finding in findings(instance, fresh=fresh):
        if finding["family"] == family:
            if finding["severity"] == "error":
                errors.append(sentence(finding))
            else:
                log.warning(sentence(finding))
    if errors:
        raise ValueError("\n".join(errors))


def sentence(finding: Finding) -> str:
    """A finding as an artist reads it."""
    return "{title}: {problem}. To do: {fix}.".format(**finding)


def frames_of(found: list[Finding]) -> list[int]:
    """The frames that findings are about, sorted."""
    return sorted({frame for finding in found for frame in parse_frames(finding["frames"])})


def parse_frames(text: str) -> list[int]:
    """Frames of a range such as ``1001-1010x2,1020``."""
    frames: list[int] = []
    for chunk in filter(None, text.split(",")):
        body, _, step = chunk.partition("x")
        first, dash, last = body[1:].partition("-")
        start = int(body[:1] + first)
        frames += range(start, int(last) + 1 if dash else start + 1, int(step or 1))
    return frames


def select_frames(instance: Any, family: str) -> list[int]:
    """Puts the frames that a family's findings are about into ``instance.data["selectedFrames"]``."""
    frames = frames_of([finding for finding in findings(instance) if finding["family"] == family])
    instance.data["selectedFrames"] = frames
    return frames


def repair(instance: Any, family: str) -> list[int]:
    """Renders again the frames that a family found wrong, by the graph that the record has; records them again.

    Returns:
        The frames. Nothing is done without any.

    Raises:
        ValueError: Nothing says how the frames were made.
        BridgeError: The render failed.
    """
    wrong = [one for one in findings(instance) if one["family"] == family and one["check"] in REPAIRABLE]
    frames = frames_of(wrong)
    still = bool(wrong) and not instance.data.get("frames")
    if frames or still:
        graph, draft = _graph_of(instance, frames)
        with tempfile.TemporaryDirectory(prefix="understudy-") as folder:
            document = Path(folder) / "graph.yaml"
            document.write_text(json.dumps(graph), encoding="utf-8")  # JSON is YAML
            chosen = ["--frames", ",".join(map(str, frames))] if frames else []
            run(["render", *chosen, *(["--draft"] if draft else []), "--", str(document)])
    instance.data.pop(_FINDINGS, None)
    return frames


def repair_record(instance: Any) -> None:
    """Writes the record of frames that are there, where the graph that made them is known.

    Raises:
        ValueError: The graph is not known.
        BridgeError: The render failed.
    """
    graph = instance.data.get("graph", "")
    if not graph:
        raise ValueError("Which graph made these frames? Publish the graph document to have their record written.")
    run(["render", "--", graph])
    instance.data.pop(_FINDINGS, None)


def _graph_of(instance: Any, frames: list[int]) -> tuple[dict[str, Any], bool]:
    """The graph that made most of the frames beside these, and whether as drafts."""
    try:
        record = json.loads(Path(instance.data["record"]).read_text(encoding="utf-8"))
        wrong = set(frames)
        jobs = [entry["job"] for entry in record["frames"] if entry.get("frame") not in wrong]
        jobs = jobs or [entry["job"] for entry in record["frames"]] or list(record["jobs"])
        job = record["jobs"][max(jobs, key=jobs.count)]
        return job["graph"]["document"], bool(job.get("draft"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError("The record does not say how the frames were made; render them again by hand.") from error
