# SPDX-License-Identifier: Apache-2.0
"""The nodes as classes of ComfyUI's first API: ``NODE_CLASS_MAPPINGS``."""

from __future__ import annotations

from typing import Any

from .knobs import Input, Node

CATEGORY = "Understudy"


def v1_class(node: Node) -> type:
    """The class of a node."""

    def input_types(_cls: type) -> dict[str, dict[str, Any]]:
        groups: dict[str, dict[str, Any]] = {"required": {}, "optional": {}}
        for one in node.inputs:
            groups["optional" if one.optional else "required"][one.name] = _declared(one)
        return groups

    def run(_self: object, **inputs: Any) -> Any:
        results = node.run(**inputs)
        return {"ui": {"text": [str(results[0])]}, "result": results} if node.ends else results

    members: dict[str, Any] = {
        "__doc__": node.about,
        "DESCRIPTION": node.about,
        "INPUT_TYPES": classmethod(input_types),
        "RETURN_TYPES": tuple(kind for kind, _ in node.outputs),
        "RETURN_NAMES": tuple(name for _, name in node.outputs),
        "FUNCTION": "run",
        "CATEGORY": CATEGORY,
        "OUTPUT_NODE": node.ends,
        "run": run,
    }
    stamp = node.stamp
    if stamp is not None:
        members["IS_CHANGED"] = classmethod(lambda _cls, **inputs: stamp(**inputs))
    return type(node.id, (), members)


def _declared(one: Input) -> tuple[Any, ...]:
    facts: dict[str, Any] = {"tooltip": one.tip}
    told = {"default": one.default, "min": one.low, "max": one.high, "step": one.step}
    facts |= {name: value for name, value in told.items() if value is not None}
    if one.multiline:
        facts["multiline"] = True
    return (one.choices() if one.kind == "COMBO" else one.kind, facts)
