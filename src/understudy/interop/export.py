# SPDX-License-Identifier: Apache-2.0
"""Writes packs of one picture for Flame (ONNX and its JSON sidecar) and for Nuke (TorchScript for CatFileCreator).

What is written does by itself what an engine does around the pack: color, highlights that the network never saw, single
channels, edges. It takes and gives scene-linear RGB. It is read back, run on pictures of other sizes with highlights
and negatives, and compared with the engine; a file that differs is not written.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from understudy.color.apply import apply_rgb
from understudy.color.config import ColorConfig
from understudy.color.policy import policy
from understudy.color.shaper import HybridCurve
from understudy.contracts.errors import OutputError, QualityGateError, UsageError
from understudy.contracts.jobs import RelightParams, RoleRequest, UpscaleParams
from understudy.contracts.lights import LightRig
from understudy.contracts.manifest import Encoding, Role
from understudy.contracts.plate import FloatImage, blank_plate
from understudy.frames.atomic import atomic
from understudy.interop.flame_json import FlameInput, FlameModel, FlameOutput, flame_text, parse_flame
from understudy.interop.nuke_script import creator_script
from understudy.interop.probe import drawn
from understudy.packs import Pack
from understudy.roles.engine import LocalEngine
from understudy.roles.network_upscaler import OVERSHOOT
from understudy.runtimes import torch_export
from understudy.runtimes.torch_host_module import HostColor, HostShape, Matrix, host_module

Host = Literal["flame", "torchscript"]

_SIZES = ((48, 64), (61, 47), (33, 90))
_SMALLEST = min(height * width for height, width in _SIZES)
_TOLERANCE = 1e-3
_HALF_TOLERANCE = 0.05
_LARGEST_BORDER = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written.

    Attributes:
        files: Their paths.
        scale: Output pixels per input pixel.
        difference: The largest difference from the engine, relative where a value is over 1.
        half_difference: The same as half floats, on values up to 1; None where a host has no such mode.
        torch: The version of torch that wrote it.
    """

    files: tuple[Path, ...]
    scale: int
    difference: float
    half_difference: float | None
    torch: str


def export_pack(pack: Pack, to: Host, out: Path, *, scale: int = 0, colorspace: str = "") -> Exported:
    """Writes a pack for a host.

    Args:
        pack: An upscaler, or a relight pack that makes a picture, that is a network.
        to: For which host.
        out: The file; its suffix may be left out. Nothing there is overwritten.
        scale: Which of several factors; 0 where there is one.
        colorspace: The host's working space, scene-linear; empty for the config's ``scene_linear``.

    Raises:
        UsageError: The pack is none that can be exported, or has no such factor.
        ColorspaceError: The color space is unknown.
        PackError: The pack is broken, torch is missing, or an operator can't be written.
        QualityGateError: What was written differs from the engine.
        OutputError: The file is there already, or can't be written.
    """
    pack.verify()
    factor = _factor(pack, scale)
    path = out.with_suffix(".onnx" if to == "flame" else ".pt")
    beside = path.with_suffix(".json" if to == "flame" else ".nk")
    for file in (path, beside):
        if file.exists():
            raise OutputError("is there already", where=file.as_posix(), fix="choose another name, or remove it")
    config = ColorConfig.load()
    space = config.resolve(colorspace or config.scene_linear)
    shape = _shape(pack, factor)
    color = _color(pack, config, space)
    network = torch_export.network_of(pack, factor)
    where = pack.folder.as_posix()
    if to == "flame":
        module = host_module(network, shape, color, pad=False)
        written = torch_export.write_onnx(module, 3, where)
    else:
        module = host_module(network, shape, color, pad=True)
        written = torch_export.write_torchscript(module, 3, where)
    _write(path, written.data)
    try:
        difference, half = _compared(pack, path, factor, space, shape, half=to == "torchscript")
        text = _flame(pack, shape) if to == "flame" else creator_script(path, str(pack.pin), factor)
        _write(beside, text.encode())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Exported(
        files=(path, beside), scale=factor, difference=difference, half_difference=half, torch=written.torch
    )


def _factor(pack: Pack, scale: int) -> int:
    manifest = pack.manifest
    if manifest.role not in {Role.UPSCALE, Role.RELIGHT}:
        fix = "export an upscaler: a host's inference node takes one picture and gives one"
        raise UsageError(f"plays {manifest.role}", where=pack.id, fix=fix)
    if len(pack.manifest.runtime.tensors.outputs if pack.manifest.runtime.tensors else ()) > 1:
        raise UsageError("gives several pictures", where=pack.id, fix="export a pack that gives one")
    graphs = _graph_factors(pack)
    if graphs and manifest.role is Role.UPSCALE:
        if scale not in graphs:
            told = ", ".join(map(str, sorted(graphs)))
            fix = f"give --scale; it has a network for {told}"
            raise UsageError(
                f"it has no network for {scale}" if scale else "it has several factors", where=pack.id, fix=fix
            )
        return scale
    if manifest.runtime.kind in {"python", "remote"}:
        what = "code" if manifest.runtime.kind == "python" else "on another server"
        raise UsageError(f"is {what}, and only a network can be exported", where=pack.id, fix="choose a network")
    if manifest.role is Role.RELIGHT:
        return 1
    offered = [Fraction(str(one)) for one in manifest.contract.scales]
    if not scale and len(offered) == 1 and offered[0].denominator == 1:
        return int(offered[0])
    told = ", ".join(map(str, offered)) or "any"
    if not scale:
        raise UsageError("it has several factors", where=pack.id, fix=f"give --scale; it offers {told}")
    if scale < 1 or (offered and Fraction(scale) not in offered):
        raise UsageError(f"it does not scale by {scale}", where=pack.id, fix=f"it offers {told}")
    return scale


def _graph_factors(pack: Pack) -> set[int]:
    """The factors that a Python pack of ``roles.network_upscaler`` has a network for; what its adapter is will show."""
    names = pack.manifest.runtime.graphs if pack.manifest.runtime.kind == "python" else {}
    return {int(name[1:]) for name in names if name.startswith("x") and name[1:].isdigit()}


def _shape(pack: Pack, factor: int) -> HostShape:
    contract, spec = pack.manifest.contract, pack.manifest.runtime.tensors
    border = max(contract.radius, 0)
    if border > _LARGEST_BORDER:
        border = 0  # a border so wide costs more than it mends
    border = -(-border // contract.multiple_of) * contract.multiple_of
    values: dict[str, Any] = {}
    if spec is not None:
        values = {
            "blue_first": spec.order == "BGR",
            "gains": (spec.input_gain, spec.output_gain),
            "offsets": (spec.input_offset, spec.output_offset),
        }
    channels = contract.channels
    if _graph_factors(pack):
        channels, values["keeps_light"] = 1, True
        held = pack.manifest.options.get("antiringing")
        values["overshoot"] = OVERSHOOT.get(held.default) if held else None
    return HostShape(
        channels=channels, scale=factor, multiple_of=contract.multiple_of,
        minimum_size=contract.minimum_size, border=border, **values,
    )  # fmt: skip


def _color(pack: Pack, config: ColorConfig, space: str) -> HostColor | None:
    contract = pack.manifest.contract
    if contract.encoding is Encoding.PLATE:
        if contract.domain is None:
            return None
        return HostColor(curve="none", constants={}, to=None, back=None, domain=contract.domain)
    if contract.encoding is Encoding.SCENE_LINEAR:
        ways = (config.processor(space, config.scene_linear), config.processor(config.scene_linear, space))
        curve: Literal["display_log", "acescct", "none"] = "none"
        constants: dict[str, float] = {}
    elif contract.encoding is Encoding.ACESCCT:
        ways = (config.to_known(space, "lin_ap1_scene"), config.from_known("lin_ap1_scene", space))
        curve = "acescct"
        constants = {  # Academy S-2016-001
            "slope": 10.5402377416545, "offset": 0.0729055341958355, "break": 0.0078125,
            "break_code": 0.155251141552511,
        }  # fmt: skip
    else:
        known = policy().display_log.primaries
        ways = (config.to_known(space, known), config.from_known(known, space))
        curve, constants = "display_log", _display_constants()
    to, back = (_matrix(way) for way in ways)
    return HostColor(curve=curve, constants=constants, to=to, back=back, domain=contract.domain)


def _display_constants() -> dict[str, float]:
    curve = HybridCurve.of(policy().display_log)
    (toe, toe_height), (height, growth) = curve.toe, curve.shoulder
    return {
        "toe": toe, "toe_height": toe_height, "root": toe ** (1 / curve.gamma), "knee": curve.knee, "height": height,
        "growth": growth, "gamma": curve.gamma, "offset": curve.offset, "scale": curve.scale,
    }  # fmt: skip


def _matrix(processor: Any) -> Matrix | None:
    """The matrix of a conversion between linear spaces; None for none."""
    if processor is None:
        return None
    columns = apply_rgb(processor, np.eye(3, dtype=np.float32)[None])[0].astype(np.float64)
    first, second, third = (tuple(float(value) for value in row) for row in columns.T)
    return (first, second, third)  # type: ignore[return-value]  # three rows of three


def _compared(
    pack: Pack, path: Path, factor: int, space: str, shape: HostShape, *, half: bool
) -> tuple[float, float | None]:
    """The largest differences from the engine, over sizes that the module was not traced with."""
    engine = LocalEngine(device="cpu", extra_packs=(pack.folder,))
    worst, worst_half = 0.0, 0.0 if half else None
    try:
        for height, width in _SIZES:
            if not half:  # Flame pads by itself
                step = shape.multiple_of
                height, width = (max(-(-side // step) * step, shape.minimum_size) for side in (height, width))
            picture = _picture(height, width)
            wanted = _of_engine(engine, pack, picture, factor, space)
            frame = np.ascontiguousarray(picture.transpose(2, 0, 1)[None])
            data = path.read_bytes()
            made = torch_export.run_torchscript(data, frame, path.name) if half else torch_export.run_onnx(path, frame)
            worst = max(worst, _difference(made, wanted))
            if worst_half is not None and height * width == _SMALLEST:  # half floats are slow on a CPU
                calm = np.clip(picture, 0.02, 0.9)  # half a step from a clip would be half a step too far
                frame = np.ascontiguousarray(calm.transpose(2, 0, 1)[None])
                rough = torch_export.run_torchscript(data, frame, path.name, half=True)
                worst_half = max(worst_half, _difference(rough, _of_engine(engine, pack, calm, factor, space)))
    finally:
        engine.close()
    if not worst <= _TOLERANCE:
        problem = f"what was written differs from the engine by {worst:.3g}"
        raise QualityGateError(problem, where=pack.id, fix="report it with the pack; nothing was written")
    if worst_half is not None and not worst_half <= _HALF_TOLERANCE:
        problem = f"as half floats, what was written differs from the engine by {worst_half:.3g}"
        raise QualityGateError(problem, where=pack.id, fix="report it with the pack; nothing was written")
    return worst, worst_half


def _picture(height: int, width: int) -> FloatImage:
    """Light with a highlight, a negative and a saturated patch."""
    picture = drawn(height, width) ** np.float32(2.2)
    picture[4:9, 5:11] = (60.0, 45.0, 3.0)
    picture[12:15, 20:26] = (-0.1, 0.3, 0.02)
    picture[20:24, 6:10] = (0.9, 0.02, 0.01)
    return np.ascontiguousarray(picture, np.float32)


def _of_engine(engine: LocalEngine, pack: Pack, picture: FloatImage, factor: int, space: str) -> FloatImage:
    plate = blank_plate(picture, ("R", "G", "B"), colorspace=space)
    params: UpscaleParams | RelightParams = UpscaleParams(scale=Fraction(factor), tile=4 * max(picture.shape))
    if pack.role is Role.RELIGHT:
        params = RelightParams(lights=LightRig())
    out = engine.run(RoleRequest(pack=pack.pin, params=params, plates={"plate": plate})).plates["plate"]
    return out.take(("R", "G", "B"))


def _difference(made: Any, wanted: FloatImage) -> float:
    """The largest difference, relative where a value is over 1; infinite where shapes differ."""
    if made.shape[0] != 1 or made.shape[1] != 3 or made.shape[2:] != wanted.shape[:2]:
        return float("inf")
    error = np.abs(made[0].transpose(1, 2, 0) - wanted) / np.maximum(np.abs(wanted).max(axis=2, keepdims=True), 1)
    return float(error.max()) if np.isfinite(error).all() else float("inf")


def _flame(pack: Pack, shape: HostShape) -> str:
    manifest = pack.manifest
    told = f"{manifest.description} Understudy pack {pack.pin}; license {manifest.license.concluded}."
    model = FlameModel(
        minimum_version="2025.2",
        name=manifest.title,
        description=told,
        supports_scene_linear=True,
        padding=max(shape.multiple_of, 1),
        inputs=(FlameInput(name=torch_export.INPUT, description="Scene-linear", type="Front", channels="RGB"),),
        outputs=(
            FlameOutput(
                name=torch_export.OUTPUT, description="Scene-linear", type="Result",
                scaling_factor=float(shape.scale), channels="RGB",
            ),
        ),
    )  # fmt: skip
    text = flame_text(model)
    parse_flame(text.encode(), "the sidecar")  # by the same rules as anybody's
    return text


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", where=path.as_posix()) from None
