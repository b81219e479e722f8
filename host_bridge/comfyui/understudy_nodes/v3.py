# SPDX-License-Identifier: Apache-2.0
"""The nodes for ComfyUI's third API: an extension with schemas. Imported only where ComfyUI has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import ComfyExtension, io

from .knobs import Input, Node
from .v1 import CATEGORY

_KINDS = {
    "IMAGE": io.Image, "MASK": io.Mask, "INT": io.Int, "FLOAT": io.Float, "STRING": io.String, "BOOLEAN": io.Boolean,
    "COMBO": io.Combo,
}  # fmt: skip


def v3_class(node: Node) -> type:
    """The class of a node."""

    def define_schema(_cls: type, /) -> Any:
        return io.Schema(
            node_id=node.id,
            display_name=node.title,
            category=CATEGORY,
            description=node.about,
            inputs=[_declared(one) for one in node.inputs],
            outputs=[_KINDS[kind].Output(display_name=name) for kind, name in node.outputs],
            is_output_node=node.ends,
        )

    def execute(_cls: type, /, **inputs: Any) -> Any:
        results = node.run(**inputs)
        return io.NodeOutput(*results, ui={"text": [str(results[0])]}) if node.ends else io.NodeOutput(*results)

    members: dict[str, Any] = {"define_schema": classmethod(define_schema), "execute": classmethod(execute)}
    stamp = node.stamp
    if stamp is not None:
        members["fingerprint_inputs"] = classmethod(lambda _cls, **inputs: stamp(**inputs))
    return type(node.id, (io.ComfyNode,), members)


def _declared(one: Input) -> Any:
    told: dict[str, Any] = {"default": one.default, "min": one.low, "max": one.high, "step": one.step}
    if one.kind == "COMBO":
        told["options"] = one.choices()
    if one.multiline:
        told["multiline"] = True
    facts = {name: value for name, value in told.items() if value is not None}
    return _KINDS[one.kind].Input(one.name, tooltip=one.tip, optional=one.optional, **facts)


def extension(nodes: Sequence[Node]) -> Any:
    """The extension that ComfyUI asks for."""

    class Understudy(ComfyExtension):
        async def get_node_list(self) -> list[type]:
            return [v3_class(node) for node in nodes]

    return Understudy()
