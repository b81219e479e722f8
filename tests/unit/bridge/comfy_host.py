# SPDX-License-Identifier: Apache-2.0
"""A small executor that keeps ComfyUI's contract for custom nodes, and a stand-in for its third API."""

import asyncio
import importlib.util
import sys
import types
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

PACK = Path(__file__).resolve().parents[3] / "host_bridge" / "comfyui" / "understudy_nodes"

Workflow = dict[str, dict[str, Any]]
"""As ComfyUI's API takes it: id to ``class_type`` and ``inputs``; a link is ``[id, output]``."""


def load_pack() -> ModuleType:
    """The pack as ComfyUI imports it: by its folder, under a name of ComfyUI's choice."""
    name = "custom_nodes_understudy"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, PACK / "__init__.py", submodule_search_locations=[str(PACK)]
        )
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


class InvalidError(Exception):
    """ComfyUI would refuse the workflow before it runs."""


class Executor:
    """Runs workflows; a node whose inputs did not change is not run again."""

    def __init__(self, mappings: dict[str, type]) -> None:
        self.mappings = mappings
        self.runs: list[str] = []
        self._known: dict[str, tuple[str, tuple[Any, ...]]] = {}

    def run(self, workflow: Workflow) -> dict[str, tuple[Any, ...]]:
        if not any(getattr(self.mappings[node["class_type"]], "OUTPUT_NODE", False) for node in workflow.values()):
            raise InvalidError("a workflow needs an output node")
        for node in workflow.values():
            self._validate(workflow, node)
        return {name: self._result(workflow, name) for name in workflow}

    def _validate(self, workflow: Workflow, node: dict[str, Any]) -> None:
        cls: Any = self.mappings[node["class_type"]]
        types_of = cls.INPUT_TYPES()
        declared = {**types_of["required"], **types_of.get("optional", {})}
        for name in types_of["required"]:
            if name not in node["inputs"]:
                raise InvalidError(f"{node['class_type']}.{name} is missing")
        for name, value in node["inputs"].items():
            kind, facts = declared[name]
            if isinstance(value, list):
                source: Any = self.mappings[workflow[value[0]]["class_type"]]
                if source.RETURN_TYPES[value[1]] != kind:
                    raise InvalidError(f"{name}: {source.RETURN_TYPES[value[1]]} is not {kind}")
            elif isinstance(kind, list):
                if value not in kind:
                    raise InvalidError(f"{name}: {value!r} is not in the list")
            elif kind in ("INT", "FLOAT") and not facts.get("min", value) <= value <= facts.get("max", value):
                raise InvalidError(f"{name}: {value} is out of range")

    def _result(self, workflow: Workflow, name: str) -> tuple[Any, ...]:
        node = workflow[name]
        cls: Any = self.mappings[node["class_type"]]
        inputs = {
            key: self._result(workflow, value[0])[value[1]] if isinstance(value, list) else value
            for key, value in node["inputs"].items()
        }
        changed = cls.IS_CHANGED(**inputs) if hasattr(cls, "IS_CHANGED") else ""
        key = repr([(k, v if not hasattr(v, "data_ptr") else (id(v), v.shape)) for k, v in sorted(inputs.items())])
        if self._known.get(name, ("",))[0] != key + changed:
            self.runs.append(name)
            found = getattr(cls(), cls.FUNCTION)(**inputs)
            result = found["result"] if isinstance(found, dict) else found
            assert len(result) == len(cls.RETURN_TYPES) == len(cls.RETURN_NAMES)
            self._known[name] = (key + changed, result)
        return self._known[name][1]


def comfy_api() -> ModuleType:
    """``comfy_api.latest`` as far as schemas and results go."""

    def declared(kind: str, name: str = "", **facts: Any) -> SimpleNamespace:
        return SimpleNamespace(kind=kind, id=name, **facts)

    def kind(name: str) -> SimpleNamespace:
        return SimpleNamespace(Input=partial(declared, name), Output=partial(declared, name))

    class NodeOutput:
        def __init__(self, *args: Any, ui: Any = None) -> None:
            self.args, self.ui = args, ui

    module = types.ModuleType("comfy_api.latest")
    names = ("Image", "Mask", "Int", "Float", "String", "Boolean", "Combo")
    told: dict[str, Any] = {name: kind(name) for name in names}
    told |= {"ComfyNode": type("ComfyNode", (), {}), "NodeOutput": NodeOutput, "Schema": SimpleNamespace}
    module.io = SimpleNamespace(**told)  # type: ignore[attr-defined] # a module made by hand
    module.ComfyExtension = type("ComfyExtension", (), {})  # type: ignore[attr-defined]
    return module


def v3_nodes(pack: ModuleType) -> dict[str, Any]:
    """The classes that the third API is given, by id."""

    async def asked() -> list[Any]:
        extension = await pack.comfy_entrypoint()
        return list(await extension.get_node_list())

    return {cls.define_schema().node_id: cls for cls in asyncio.run(asked())}
