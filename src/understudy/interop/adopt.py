# SPDX-License-Identifier: Apache-2.0
"""Makes a pack of a model file that somebody brought: looks into it, runs it, and writes what was found.

Nothing is asked of the person but what can't be found out: license and training basis stay ``unknown`` until somebody
writes them, and say so wherever the pack is shown.
"""

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from understudy.color.policy import policy
from understudy.color.shaper import HybridCurve
from understudy.contracts.errors import OutputError, PackError, UsageError
from understudy.contracts.manifest import Role
from understudy.interop.flame_json import FlameModel, read_flame
from understudy.interop.manifest_text import Draft, card_text, manifest_text
from understudy.interop.model_file import ModelKind, read_model
from understudy.interop.probe import Images, PictureFacts, ValueRange, probe_picture
from understudy.interop.probe_motion import MotionFacts, probe_motion
from understudy.packs import open_pack, write_hashes
from understudy.packs.bom import BOM_NAME, bom_text, write_bom
from understudy.packs.card import CARD_NAME
from understudy.packs.manifest import MANIFEST_NAME
from understudy.runtimes.foreign_graph import Node
from understudy.runtimes.outputs import output_channels
from understudy.runtimes.raw_model import RawModel, open_onnx, open_torch, open_weights_file

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TRUST = (
    "TorchScript is code that runs with the rights of whoever loads it; add it with --trust-code if you trust whoever"
    " made it, or ask for the model as .onnx or .safetensors"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A pack that was written.

    Attributes:
        folder: Where it lies.
        draft: What it says.
    """

    folder: Path
    draft: Draft


def adopt(path: Path, folder: Path, *, role: str = "", pack_id: str = "", trust_code: bool = False) -> Adopted:
    """Writes a pack for a model file.

    Args:
        path: The file: ONNX, with Flame's sidecar beside it or not; TorchScript; weights that spandrel knows.
        folder: Where the pack is written; it is there and empty.
        role: The role it plays; empty finds it out.
        pack_id: The pack's id; empty makes one of the file's name.
        trust_code: The caller trusts code in the file.

    Raises:
        InputError: The file is missing, unreadable or of a kind that is not taken.
        UsageError: It is code and not trusted, or the role or id is none.
        PackError: It is broken, unsafe, or does not do what any role wants.
        OutputError: The pack can't be written.
    """
    if role and role not in {each.value for each in Role}:
        raise UsageError(f'"{role}" is no role', where="--role", fix=f"choose {', '.join(each.value for each in Role)}")
    name = pack_id or slug(path.stem)
    if not _ID.fullmatch(name):
        fix = "write lower-case words joined by hyphens"
        raise UsageError(f'"{name}" is no id of a pack', where="--id", fix=fix)
    kind, data = read_model(path)
    if kind == "torchscript" and not trust_code:
        raise UsageError("is TorchScript, which is code", where=path.as_posix(), fix=_TRUST)
    draft, data, files = _drafted(path, kind, data, name, role)
    try:
        (folder / draft.file).write_bytes(data)
        for file in files:
            place = folder / file.relative_to(path.parent)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
        (folder / MANIFEST_NAME).write_text(manifest_text(draft), encoding="utf-8")
        (folder / CARD_NAME).write_text(card_text(draft), encoding="utf-8")
        write_hashes(folder)
        pack = open_pack(folder)
        write_bom(folder / BOM_NAME, bom_text(pack.manifest, folder, pack.digest))
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", where=folder.as_posix()) from None
    return Adopted(folder=folder, draft=draft)


def slug(text: str) -> str:
    """A pack's id made of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "model"


def _drafted(path: Path, kind: ModelKind, data: bytes, name: str, role: str) -> tuple[Draft, bytes, tuple[Path, ...]]:
    """The pack to be, its runtime file's bytes, and the files beside it that it needs."""
    where = path.as_posix()
    if kind in {"safetensors", "pickled"}:
        if role not in {"", Role.UPSCALE.value}:
            raise UsageError(f"weights alone play upscale, not {role}", where=where, fix="export the model as ONNX")
        raw, data, known = open_weights_file(data, where, pickled=kind == "pickled")
        draft = _picture(raw, name, path.stem, "spandrel", "weights.safetensors", where, None, Role.UPSCALE)
        multiple, least = max(known.multiple_of, 1), known.minimum
        changed = dict(draft.contract)
        changed["multiple_of"] = (max(multiple, draft.contract["multiple_of"][0]), "")
        changed["minimum_size"] = (max(least, draft.contract["minimum_size"][0]), "")
        if known.whole:
            changed["radius"] = (-1, "spandrel says that it looks at the whole frame")
        told = f"{known.architecture} ({', '.join((known.purpose, *known.tags))}), as spandrel reads the weights."
        return replace(draft, contract=changed, found=(told, *draft.found)), data, ()
    raw = open_onnx(path, data) if kind == "onnx" else open_torch(data, where)
    sidecar = path.with_suffix(".json")
    flame = read_flame(sidecar) if kind == "onnx" and _is_flame(sidecar) else None
    wanted = Role(role) if role else _role_of(raw, where)
    file = "model.onnx" if kind == "onnx" else "model.pt"
    title = flame.name if flame else path.stem
    if wanted is Role.MOTION:
        draft = _motion(raw, name, title, kind, file, where, flame)
    elif wanted is Role.INTERPOLATE:
        draft = _interpolation(raw, name, title, kind, file, where)
    else:
        draft = _picture(raw, name, title, kind, file, where, flame, wanted)
    weights = tuple(beside.relative_to(path.parent).as_posix() for beside in raw.files)
    return replace(draft, weights=weights), data, raw.files


def _is_flame(path: Path) -> bool:
    """Whether a JSON file beside a graph is Flame's, right or wrong."""
    try:
        return path.is_file() and "ModelDescription" in path.read_text(encoding="utf-8", errors="replace")[: 1 << 20]
    except OSError:
        return False


def _role_of(raw: RawModel, where: str) -> Role:
    """The role that a model's inputs and outputs fit."""
    pictures = [node for node in raw.inputs if len(node.shape) in {0, 4}]
    outputs = {node.name for node in raw.outputs}
    if {"to_a", "to_b", "weight"} <= outputs:
        return Role.INTERPOLATE
    if "normal" in outputs:
        return Role.RELIGHT
    depths = [node.shape[1] for node in pictures if len(node.shape) == 4]
    if len(depths) == 1 and depths[0] != 6:
        return Role.UPSCALE
    if depths in ([6], [3, 3]) or (len(depths) == 2 and all(isinstance(depth, str) for depth in depths)):
        last = raw.outputs[0].shape[1] if len(raw.outputs[0].shape) == 4 else "free"
        if last in {2, "free"}:
            return Role.MOTION
    fix = "name the role with --role; docs/guides/your-own-models.md says what each takes and gives"
    raise PackError(f"takes {_listed(raw.inputs)} and gives {_listed(raw.outputs)}", where=where, fix=fix)


def _listed(nodes: tuple[Node, ...]) -> str:
    return ", ".join(f"{node.name} {list(node.shape)}" for node in nodes) or "nothing"


def _fixed(node: Node) -> tuple[int, int] | None:
    if len(node.shape) == 4 and isinstance(node.shape[2], int) and isinstance(node.shape[3], int):
        return node.shape[2], node.shape[3]
    return None


def _picture(
    raw: RawModel, name: str, title: str, kind: str, file: str, where: str, flame: FlameModel | None, role: Role
) -> Draft:
    """A model that makes a picture of one: an upscaler, a restorer, a relighter, or one that gives normals."""
    if len(raw.inputs) != 1:
        fix = "wrap it so that it takes one picture"
        raise PackError(f"takes {_listed(raw.inputs)}", where=where, fix=fix)
    (node,) = raw.inputs
    output = raw.outputs[0].name
    normals = role is Role.RELIGHT and any(one.name == "normal" for one in raw.outputs)
    given = "normal" if normals else "image"
    if len(raw.outputs) > 1 and not normals:
        raise PackError(f"gives {_listed(raw.outputs)}", where=where, fix="wrap it so that it gives one picture")
    if normals:
        output = "normal"

    def run(images: Images) -> Images:
        return np.asarray(raw.run({node.name: images})[output], np.float32)

    depth = node.shape[1] if len(node.shape) == 4 else "free"
    channels = (depth,) if isinstance(depth, int) else (3, 1)
    if isinstance(depth, int) and depth not in {1, 3}:
        fix = "wrap it so that it takes 3 channels, or 1"
        raise PackError(f"takes {depth} channels", where=where, fix=fix)
    size = _fixed(node)
    facts = probe_picture(run, channels, size, where)
    if role is Role.RELIGHT and (facts.scale, facts.channels) != (1, 3):
        fix = "a relight pack keeps the size and takes RGB"
        raise PackError(f"enlarges {facts.scale} times, {facts.channels} channels", where=where, fix=fix)
    scene_linear = flame is not None and flame.supports_scene_linear
    tensors = _pixel_tensors(facts.range, flame, where, linear=scene_linear)
    tensors = {"inputs": {"image": node.name}, "outputs": {given: output}, **tensors}
    if normals:
        extra = {one.name: one.name for one in raw.outputs if one.name in output_channels(role)}
        tensors["outputs"] = extra
    contract = _pixel_contract(facts, scene_linear=scene_linear, padding=flame.padding if flame else 1)
    if node.type == "tensor(float16)":
        contract["precisions"] = (["float16"], "the file computes in half floats")
    if role is Role.UPSCALE:
        contract["scales"] = ([facts.scale], "")
    what = f"model that enlarges {facts.scale} times" if facts.scale > 1 else "model that keeps the size"
    found = (*_picture_told(facts), *(_flame_told(flame) if flame else ()))
    opened = (_RANGE_OPEN,) if facts.guessed and flame is None else ()
    return Draft(
        id=name, role=role, title=title, description=_description(flame, what), kind=kind, file=file,
        tensors=tensors, contract=contract, found=found, open=(*opened, _DOMAIN_OPEN),
    )  # fmt: skip


_RANGE_OPEN = "Which range of values it takes could not be told by running it; 0 to 1 was taken."
_DOMAIN_OPEN = "That it was trained on display pictures is a guess; `contract.encoding` says what it sees."


def _motion(raw: RawModel, name: str, title: str, kind: str, file: str, where: str, flame: FlameModel | None) -> Draft:
    if len(raw.outputs) != 1 and "forward" not in {node.name for node in raw.outputs}:
        fix = "name the output of the vectors forward, or wrap the model so that it gives one"
        raise PackError(f"gives {_listed(raw.outputs)}", where=where, fix=fix)
    output = raw.outputs[0].name if len(raw.outputs) == 1 else "forward"
    names = [node.name for node in raw.inputs]
    if len(names) > 2:
        raise PackError(f"takes {_listed(raw.inputs)}", where=where, fix="wrap it so that it takes two pictures")

    def run(a: Images, b: Images) -> Images:
        feeds = {names[0]: np.concatenate([a, b], axis=1)} if len(names) == 1 else dict(zip(names, (a, b), strict=True))
        return np.asarray(raw.run(feeds)[output], np.float32)

    facts = probe_motion(run, where, _fixed(raw.inputs[0]))
    tensors = _pixel_tensors(facts.range, flame, where, linear=False)
    tensors = {
        "inputs": {"a": names[0], "b": names[-1]},
        "outputs": {"forward": output},
        **{key: value for key, value in tensors.items() if key.startswith(("input", "order"))},
    }
    tensors |= {"vectors_gain": facts.vectors_gain} if facts.vectors_gain != 1 else {}
    tensors |= {"vectors_step": facts.vectors_step} if facts.vectors_step != 1 else {}
    contract: dict[str, tuple[Any, str]] = {
        "channels": (3, ""),
        **_display(),
        "multiple_of": (max(facts.multiple_of, flame.padding if flame else 1), "pixels"),
        "minimum_size": (facts.minimum_size, "pixels; smaller ones were not tried"),
        "radius": (-1, "motion looks at the whole frame"),
        "temporal_window": (2, ""),
        "deterministic": (facts.deterministic, ""),
    }
    return Draft(
        id=name, role=Role.MOTION, title=title, description=_description(flame, "motion model"), kind=kind, file=file,
        tensors=tensors, contract=contract, found=_motion_told(facts, len(names)),
        open=((_RANGE_OPEN,) if facts.guessed else ()) + (_DOMAIN_OPEN,),
    )  # fmt: skip


def _interpolation(raw: RawModel, name: str, title: str, kind: str, file: str, where: str) -> Draft:
    outputs = {node.name for node in raw.outputs}
    pictures = [node.name for node in raw.inputs if len(node.shape) == 4 and node.shape[1] not in {1, 2}]
    times = [node.name for node in raw.inputs if len(node.shape) < 2 or node.shape[1] == 1]
    motion = [node.name for node in raw.inputs if node.name in {"forward", "backward"}]
    fits = len(pictures) == 2 and len(times) == 1 and len(pictures) + len(motion) + 1 == len(raw.inputs)
    if not fits or not {"to_a", "to_b", "weight"} <= outputs:
        fix = (
            "an interpolation pack warps the plate's own pixels, so export the model before it makes a picture: two"
            " pictures and the time in, to_a, to_b and weight out"
        )
        raise PackError(f"takes {_listed(raw.inputs)} and gives {_listed(raw.outputs)}", where=where, fix=fix)
    inputs = {"a": pictures[0], "b": pictures[1], "time": times[0]} | {name: name for name in motion}
    contract: dict[str, tuple[Any, str]] = {
        "channels": (3, ""),
        **_display(),
        "multiple_of": (1, "pixels; not measured"),
        "radius": (-1, "not measured"),
        "temporal_window": (2, ""),
    }
    return Draft(
        id=name, role=Role.INTERPOLATE, title=title, description=_description(None, "interpolation model"), kind=kind,
        file=file, contract=contract, tensors={"inputs": inputs},
        found=(f"Takes {pictures[0]}, {pictures[1]} and {times[0]}; gives to_a, to_b and weight.",),
        open=("Nothing of it was measured.", _DOMAIN_OPEN),
    )  # fmt: skip


def _white() -> float:
    """The code value of ``display_log`` for a display's white, linear light of 1."""
    return float(HybridCurve.of(policy().display_log).encode(np.ones((1, 1, 1), np.float32))[0, 0, 0])


def _display() -> dict[str, tuple[Any, str]]:
    """The encoding for a model of display pictures: it sees 0 to 1, and what is brighter is carried around it."""
    told = "a display's white; brighter light is carried around the model"
    return {"encoding": ("display_log", "scene_linear or plate for one trained on linear light"),
            "domain": ([0.0, round(_white(), 6)], told)}  # fmt: skip


def _pixel_tensors(range_: ValueRange, flame: FlameModel | None, where: str, *, linear: bool) -> dict[str, Any]:
    """Gains between the encoding and the model, and the order of channels."""
    white = 1.0 if linear else round(_white(), 6)
    gain, offset = range_.gain, range_.offset
    back, back_offset = 1 / gain, -offset / gain
    tensors: dict[str, Any] = {}
    if flame is not None:
        fronts = [part for part in flame.inputs if part.channels != "A"]
        if len(fronts) > 2 or len(flame.outputs) != 1 or any(part.type in {"Matte", "Aux"} for part in flame.inputs):
            sockets = ", ".join(part.type for part in flame.inputs)
            fix = "a pack takes one picture, or two for motion, and gives one"
            raise PackError(f"its sidecar has the inputs {sockets}", where=where, fix=fix)
        gain, offset, back, back_offset = fronts[0].gain, 0.0, flame.outputs[0].inverse_gain, 0.0
        order = fronts[0].channels or "RGB"
        if order not in {"RGB", "BGR"} or (flame.outputs[0].channels or order) not in {order, "RG"}:
            problem = f"its sidecar has the channels {order} in and {flame.outputs[0].channels} out"
            raise PackError(problem, where=where, fix="wrap it so that it takes and gives RGB, or BGR")
        tensors |= {"order": order} if order != "RGB" else {}
    values = {
        "input_gain": gain / white,
        "input_offset": offset,
        "output_gain": back * white,
        "output_offset": back_offset * white,
    }
    usual = {"input_gain": 1.0, "input_offset": 0.0, "output_gain": 1.0, "output_offset": 0.0}
    return tensors | {name: round(value, 9) for name, value in values.items() if value != usual[name]}


def _pixel_contract(facts: PictureFacts, *, scene_linear: bool, padding: int) -> dict[str, tuple[Any, str]]:
    encoding: dict[str, tuple[Any, str]] = {"encoding": ("scene_linear", "its sidecar says so")}
    radius = "pixels, measured" if facts.radius >= 0 else "the whole frame: a pixel reached as far as was looked"
    return {
        "channels": (facts.channels, "each channel alone" if facts.channels == 1 else "RGB"),
        **(encoding if scene_linear else _display()),
        "multiple_of": (max(facts.multiple_of, padding), "pixels, measured"),
        "minimum_size": (facts.minimum_size, "pixels, measured"),
        "radius": (facts.radius, radius),
        "precisions": (["float32"], ""),
        "deterministic": (facts.deterministic, ""),
    }


def _description(flame: FlameModel | None, what: str) -> str:
    return (flame.description if flame else "") or f"A {what} that was brought along; write here what it is good at."


def _picture_told(facts: PictureFacts) -> tuple[str, ...]:
    sides = f"any size from {facts.minimum_size} pixels a side on, in steps of {facts.multiple_of}"
    if facts.size:
        sides = f"{facts.size[1]}x{facts.size[0]} pixels alone, which the engine tiles"
    reach = f"{facts.radius} pixels" if facts.radius >= 0 else "over the whole frame"
    return (
        f"Makes {facts.scale}x{facts.scale} pixels of each, in {facts.channels} channels, measured.",
        f"Takes {sides}; a pixel reaches {reach}, measured.",
        f"Takes values of {facts.range.told}" + ("." if facts.guessed else ", as its answers show."),
    )


def _motion_told(facts: MotionFacts, inputs: int) -> tuple[str, ...]:
    taken = "both pictures in one input" if inputs == 1 else "two pictures"
    return (
        f"Takes {taken}, sides a multiple of {facts.multiple_of} pixels, values of {facts.range.told}.",
        f"A picture moved by 3.6 pixels was found with an error of {facts.error:.2f} pixels.",
    )


def _flame_told(flame: FlameModel) -> tuple[str, ...]:
    return (f"Flame's sidecar is followed: gain {flame.inputs[0].gain:g}, padding {flame.padding}.",)
