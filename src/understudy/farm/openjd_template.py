# SPDX-License-Identifier: Apache-2.0
"""The job template of a bundle: Open Job Description, ``jobtemplate-2023-09`` with the extension ``TASK_CHUNKING``.

Every action runs ``understudy`` itself, with no shell between. What may differ between two submissions of a job, and
between two farms, is a parameter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from understudy.farm.openjd_paths import PathParameter, environment_of
from understudy.farm.requirements import Requirements

SPECIFICATION = "jobtemplate-2023-09"
GRAPH_FILE = "graph.yaml"
SERVICE_FILE = "understudy-service.json"
"""What the service of a session is noted in, in the session's folder."""

_NOTICE_S = 15
"""A render that is told to stop has put its frame in order after 5 s."""

_CHUNKS = "TASK_CHUNKING"
_LONGEST_NAME = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a job is to run.

    Attributes:
        name: The job's, for people.
        frames: OpenJD range expression; empty where stills are all it makes.
        frame_count: How many frames that are.
        chunk: Frames of a chunk; the first chunk's where the size is adaptive.
        target_s: Seconds that a chunk is to take, by which the farm chooses its size; 0: the size is fixed.
        contiguous: The frames of a chunk follow each other.
        draft: A draft.
        policy: The show policy's file on this machine; empty for none.
        publish: The publish root on this machine; empty publishes nothing.
        verify: The records are compared with the frames in the end.
        device: ``auto``, ``cpu``, ``cuda`` or ``openvino``.
        requirements: What a rendering task needs.
    """

    name: str
    frames: str
    frame_count: int
    chunk: int
    target_s: int
    contiguous: bool
    draft: bool
    policy: str
    publish: str
    verify: bool
    device: str
    requirements: Requirements


def job_template(wishes: Wishes, paths: tuple[PathParameter, ...]) -> dict[str, Any]:
    """The template as JSON types.

    Args:
        wishes: How the job is to run.
        paths: The files and folders of its graph.
    """
    steps = [_render_step(wishes)]
    if wishes.publish:
        arguments = ["publish", "{{Param.Graph}}", "--to", "{{Param.PublishRoot}}", *_policy(wishes)]
        steps.append(_last_step("Publish", arguments))
    elif wishes.verify:
        steps.append(_last_step("Verify", ["farm", "verify", "{{Param.Graph}}", *_draft(wishes)]))
    template: dict[str, Any] = {"specificationVersion": SPECIFICATION}
    if wishes.frames:
        template["extensions"] = [_CHUNKS]
    template |= {"name": _plain(wishes.name), "parameterDefinitions": [*_parameters(wishes), *_own(paths)]}
    if paths:
        template["jobEnvironments"] = [{"name": "Paths", "variables": environment_of(paths)}]
    return {**template, "steps": steps}


def parameter_values(wishes: Wishes, paths: tuple[PathParameter, ...]) -> Mapping[str, str]:
    """The values of those parameters that have no default, as they are on this machine."""
    values = {parameter.name: parameter.path for parameter in paths}
    if wishes.policy:
        values["Policy"] = wishes.policy
    if wishes.publish:
        values["PublishRoot"] = wishes.publish
    return values


def _parameters(wishes: Wishes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if wishes.frames:
        found += [
            _parameter("Frames", "STRING", wishes.frames, "Frames to render; 1-9:2 is 1,3,5,7,9."),
            _parameter("ChunkSize", "INT", wishes.chunk, "Frames of a task, to begin with."),
            _parameter("TargetSeconds", "INT", wishes.target_s, "Seconds a task is to take; 0 keeps to ChunkSize."),
        ]
        found[1]["minValue"] = 1
        found[2]["minValue"] = 0
    found += [
        _parameter("Understudy", "STRING", "understudy", "The command on the workers."),
        _parameter("Device", "STRING", wishes.device, "What models run on: auto, cpu, cuda or openvino."),
        {**_parameter("Graph", "PATH", GRAPH_FILE, "The graph."), "objectType": "FILE", "dataFlow": "IN"},
    ]
    if wishes.policy:
        found.append({"name": "Policy", "type": "PATH", "objectType": "FILE", "dataFlow": "IN"})
    if wishes.publish:
        found.append({"name": "PublishRoot", "type": "PATH", "objectType": "DIRECTORY", "dataFlow": "OUT"})
    return found


def _parameter(name: str, kind: str, default: str | int, description: str) -> dict[str, Any]:
    return {"name": name, "type": kind, "default": default, "description": description}


def _own(paths: tuple[PathParameter, ...]) -> list[dict[str, Any]]:
    return [parameter.definition() for parameter in paths]


def _render_step(wishes: Wishes) -> dict[str, Any]:
    service = "{{Session.WorkingDirectory}}/" + SERVICE_FILE
    start = ["farm", "start", service, "--device={{Param.Device}}", *_policy(wishes)]
    task = ["farm", "task", "{{Param.Graph}}", *_draft(wishes), *_policy(wishes)]
    if wishes.frames:
        task.append("--part={{Task.Param.Frame}}")
    step: dict[str, Any] = {
        "name": "Render",
        "hostRequirements": wishes.requirements.host_requirements(),
        "stepEnvironments": [
            {
                "name": "Service",
                "description": "One service for all tasks of a session: models are loaded once.",
                "script": {
                    "actions": {
                        "onEnter": {**_action(start), "timeout": 180},
                        "onExit": {**_action(["farm", "stop", service]), "timeout": 60},
                    }
                },
            }
        ],
    }
    if wishes.frames:
        step["parameterSpace"] = {"taskParameterDefinitions": [_frame_parameter(contiguous=wishes.contiguous)]}
    action = _action(task)
    if timeout := wishes.requirements.timeout_s(min(wishes.chunk, wishes.frame_count or 1), wishes.target_s):
        action["timeout"] = timeout
    action["cancelation"] = {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": _NOTICE_S}
    return {**step, "script": {"actions": {"onRun": action}}}


def _frame_parameter(*, contiguous: bool) -> dict[str, Any]:
    return {
        "name": "Frame",
        "type": "CHUNK[INT]",
        "range": "{{Param.Frames}}",
        "chunks": {
            "defaultTaskCount": "{{Param.ChunkSize}}",
            "targetRuntimeSeconds": "{{Param.TargetSeconds}}",
            "rangeConstraint": "CONTIGUOUS" if contiguous else "NONCONTIGUOUS",
        },
    }


def _last_step(name: str, arguments: list[str]) -> dict[str, Any]:
    action = {
        **_action(arguments),
        "cancelation": {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": _NOTICE_S},
    }
    return {"name": name, "dependencies": [{"dependsOn": "Render"}], "script": {"actions": {"onRun": action}}}


def _action(arguments: list[str]) -> dict[str, Any]:
    return {"command": "{{Param.Understudy}}", "args": arguments}


def _policy(wishes: Wishes) -> list[str]:
    return ["--policy", "{{Param.Policy}}"] if wishes.policy else []


def _draft(wishes: Wishes) -> list[str]:
    return ["--draft"] if wishes.draft else []


def _plain(name: str) -> str:
    """A name that is no format string, and that OpenJD takes: 1 to 128 characters, none of them for control."""
    text = "".join(letter for letter in name.replace("{{", "{ {").replace("}}", "} }") if letter.isprintable())
    return text[:_LONGEST_NAME] or "understudy"
