# SPDX-License-Identifier: Apache-2.0
"""What each viewer of the report shows: frames, and layers to wipe between."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from understudy.color.config import ColorConfig
from understudy.contracts.cores import available_cores
from understudy.contracts.plate import FloatImage, Plate
from understudy.demo.files import plate_path, truth_path
from understudy.demo.geometry import HEIGHT, WIDTH
from understudy.demo.measure import RGB
from understudy.demo.pictures import crop_to_display, data_uri, doubt_overlay, heat, wheel, wheel_legend
from understudy.demo.results import Rendered
from understudy.demo.scope import Scope
from understudy.demo.shot import COLORSPACE
from understudy.frames.read import read_plate

_FULL = 16
"""Vector length of full color, pixels of the full-size shot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One picture per frame.

    Attributes:
        key: Short name for links and tests.
        label: For people.
        images: Keys into the report's pictures; one per frame.
    """

    key: str
    label: str
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """One viewer.

    Attributes:
        role: The role it shows.
        frames: A label and a note for each frame.
        layers: What can be shown on either side of the wipe.
        left: Key of the layer on the left at first.
        right: Key of the layer on the right at first.
        start: Index of the frame at first.
        width: Pixels of its pictures.
        height: The same.
        doubt: Overlay images, one per frame (empty string: none); empty for no overlay at all.
        legend: Picture key of a legend; empty for none.
        legend_text: What the legend says.
    """

    role: str
    frames: tuple[tuple[str, str], ...]
    layers: tuple[Layer, ...]
    left: str
    right: str
    start: int = 0
    width: int
    height: int
    doubt: tuple[str, ...] = ()
    legend: str = ""
    legend_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewers:
    """All viewers and their pictures.

    Attributes:
        viewers: By role.
        pictures: Data URIs by key.
    """

    viewers: Mapping[str, Viewer]
    pictures: Mapping[str, str]


def make_viewers(out: Path, rendered: Mapping[str, Rendered], scope: Scope, color: ColorConfig) -> Viewers:
    """Reads the frames back and makes the report's pictures.

    Args:
        out: The demo folder.
        rendered: What each job told, by job name.
        scope: How much was rendered.
        color: The OCIO config, for its default display and view.

    Raises:
        InputError: A frame that was written can't be read back.
    """
    with ThreadPoolExecutor(available_cores(), thread_name_prefix="picture") as pool:
        gallery = _Gallery(out, rendered, scope, color, pool)
        viewers = {
            "motion": _motion(gallery),
            "interpolate": _interpolate(gallery),
            "upscale": _upscale(gallery),
            "relight": _relight(gallery),
        }
        return Viewers(viewers=viewers, pictures=gallery.made())


class _Gallery:
    def __init__(
        self, out: Path, rendered: Mapping[str, Rendered], scope: Scope, color: ColorConfig, pool: ThreadPoolExecutor
    ) -> None:
        self.out, self.scope = out, scope
        self.width, self.height = int(WIDTH * scope.scale), int(HEIGHT * scope.scale)
        self._pool = pool
        self._pictures: dict[str, Future[str]] = {}
        self._rendered = rendered
        self._color = color

    def files(self, job: str, node: str = "out") -> dict[int, Mapping[str, Any]]:
        return {event["frame"]: event for event in self._rendered[job].frames if event["node"] == node}

    def read(self, file: str | Path, channels: tuple[str, ...] | None = RGB) -> Plate:
        return read_plate(file, frame=None, colorspace=COLORSPACE, channels=channels)

    def color(self, key: str, file: str | Path) -> str:
        """A color picture of a file, under its key; made once."""
        if key not in self._pictures:
            self._later(key, lambda: self._of_file(file))
        return key

    def show(self, key: str, rgb: FloatImage) -> str:
        self._later(key, lambda: self._seen(rgb))
        return key

    def data(self, key: str, picture: FloatImage) -> str:
        self._later(key, lambda: data_uri(picture))
        return key

    def made(self) -> dict[str, str]:
        """Every picture, once all are made; display views and their encoding use every core."""
        return {key: picture.result() for key, picture in self._pictures.items()}

    def _later(self, key: str, make: Callable[[], str]) -> None:
        self._pictures[key] = self._pool.submit(make)

    def _seen(self, rgb: FloatImage) -> str:
        return data_uri(self._color.to_display(np.ascontiguousarray(rgb), COLORSPACE))

    def _of_file(self, file: str | Path) -> str:
        plate = self.read(file)
        return self._seen(crop_to_display(plate.pixels, plate))

    def plate(self, frame: int) -> str:
        return self.color(f"plate.{frame}", plate_path(self.out, frame))


def _motion(gallery: _Gallery) -> Viewer:
    full = float(_FULL * gallery.scope.scale)
    vectors, blurred = gallery.files("motion"), gallery.files("motion", "blurred")
    drafts = gallery.files("motion.draft")
    images: dict[str, list[str]] = {key: [] for key in ("plate", "found", "draft", "true", "error", "blur", "doubt")}
    for frame in gallery.scope.shown:
        found = gallery.read(vectors[frame]["file"], None)
        truth = gallery.read(truth_path(gallery.out, "vectors", frame), None)
        ours, true = (crop_to_display(p.take(("forward.u", "forward.v")), p) for p in (found, truth))
        confidence = crop_to_display(found.take(("forward.confidence",)), found)[..., 0]
        images["plate"].append(gallery.plate(frame))
        images["found"].append(gallery.data(f"found.{frame}", wheel(ours, full)))
        draft = gallery.read(drafts[frame]["file"], ("forward.u", "forward.v"))
        images["draft"].append(gallery.data(f"found.draft.{frame}", wheel(crop_to_display(draft.pixels, draft), full)))
        images["true"].append(gallery.data(f"true.{frame}", wheel(true, full)))
        images["error"].append(gallery.data(f"error.{frame}", heat(np.hypot(*np.moveaxis(ours - true, -1, 0)), 4.0)))
        images["blur"].append(gallery.color(f"blur.{frame}", blurred[frame]["file"]))
        images["doubt"].append(gallery.data(f"doubt.{frame}", doubt_overlay(confidence)))
    labels = {
        "plate": "Plate",
        "found": "Vectors found",
        "draft": "Vectors, draft",
        "true": "True vectors",
        "error": "Error (white: 4 px)",
        "blur": "Motion blur from vectors",
    }
    return Viewer(
        role="motion",
        width=gallery.width,
        height=gallery.height,
        frames=tuple((str(frame), "vectors to the next frame") for frame in gallery.scope.shown),
        layers=tuple(Layer(key=key, label=label, images=tuple(images[key])) for key, label in labels.items()),
        left="plate",
        right="found",
        start=1,
        doubt=tuple(images["doubt"]),
        legend=gallery.data("wheel", wheel_legend()),
        legend_text=f"Hue is the direction of motion, saturation its length: full at {full:.0f} px, gray at rest.",
    )


def _interpolate(gallery: _Gallery) -> Viewer:
    frames: list[tuple[str, str]] = []
    images: dict[str, list[str]] = {key: [] for key in ("ours", "draft", "blend", "true", "doubt")}
    drafts = gallery.files("retime.draft")
    for frame, event in gallery.files("retime").items():
        report = event["report"]
        images["draft"].append(gallery.color(f"retime.draft.{frame}", drafts[frame]["file"]))
        if report["origin"] == "source":
            source = report["source_frame"]
            key = gallery.plate(source)
            for name in ("ours", "blend", "true"):
                images[name].append(key)
            images["doubt"].append("")
            frames.append((str(frame), f"source frame {source}, bit for bit"))
            continue
        time = Fraction(report["times"][0])
        first = int(time)
        made = gallery.read(event["file"], (*RGB, "confidence.Y"))
        a, b = (gallery.read(plate_path(gallery.out, number)) for number in (first, first + 1))
        blend = np.float32(0.5) * (a.pixels + b.pixels)
        images["ours"].append(gallery.show(f"retime.{frame}", crop_to_display(made.take(RGB), made)))
        images["blend"].append(gallery.show(f"blend.{frame}", crop_to_display(blend, a)))
        images["true"].append(gallery.color(f"between.{first}", truth_path(gallery.out, "between", first)))
        confidence = crop_to_display(made.take(("confidence.Y",)), made)[..., 0]
        images["doubt"].append(gallery.data(f"doubt.retime.{frame}", doubt_overlay(confidence)))
        frames.append((str(frame), f"made, at source time {float(time):g}"))
    labels = {"blend": "Frame blending", "ours": "Retimed", "draft": "Retimed, draft", "true": "True picture"}
    return Viewer(
        role="interpolate",
        width=gallery.width,
        height=gallery.height,
        frames=tuple(frames),
        layers=tuple(Layer(key=key, label=label, images=tuple(images[key])) for key, label in labels.items()),
        left="blend",
        right="ours",
        start=next(index for index, key in enumerate(images["doubt"]) if key),
        doubt=tuple(images["doubt"]),
    )


def _upscale(gallery: _Gallery) -> Viewer:
    plate = gallery.read(plate_path(gallery.out, gallery.scope.middle))
    ours = gallery.read(gallery.files("upscale")[gallery.scope.middle]["file"])
    draft = gallery.read(gallery.files("upscale.draft")[gallery.scope.middle]["file"])
    other = gallery.read(gallery.files("upscale-back-projection")[gallery.scope.middle]["file"])
    truth = gallery.read(truth_path(gallery.out, "double", gallery.scope.middle))
    size = (ours.width, ours.height)
    # A window of the large picture at its own pixels, over the sign and the balls.
    left, top, width, height = ours.width * 10 // 24, ours.height * 6 // 24, gallery.width, gallery.height
    layers = []
    for key, label, pixels in (
        ("nearest", "Plate, pixels doubled", cv2.resize(plate.pixels, size, interpolation=cv2.INTER_NEAREST)),
        ("bicubic", "Bicubic (OpenCV)", cv2.resize(plate.pixels, size, interpolation=cv2.INTER_CUBIC)),
        ("ours", "Upscaled, Lanczos", ours.pixels),
        ("draft", "Upscaled, draft", draft.pixels),
        ("other", "Upscaled, back-projection", other.pixels),
        ("true", "True picture at this size", truth.pixels),
    ):
        window = np.asarray(pixels, dtype=np.float32)[top : top + height, left : left + width]
        layers.append(Layer(key=key, label=label, images=(gallery.show(f"upscale.{key}", window),)))
    return Viewer(
        role="upscale",
        width=gallery.width,
        height=gallery.height,
        frames=((str(gallery.scope.middle), "a part of the frame, one picture pixel to one screen pixel"),),
        layers=tuple(layers),
        left="bicubic",
        right="ours",
    )


def _relight(gallery: _Gallery) -> Viewer:
    files, passes, drafts = (gallery.files(job) for job in ("relight", "relight-passes", "relight.draft"))
    images: dict[str, list[str]] = {key: [] for key in ("plate", "ours", "draft", "passes", "true")}
    for frame in gallery.scope.relit:
        images["plate"].append(gallery.plate(frame))
        images["ours"].append(gallery.color(f"relit.{frame}", files[frame]["file"]))
        images["draft"].append(gallery.color(f"relit.draft.{frame}", drafts[frame]["file"]))
        images["passes"].append(gallery.color(f"passes.{frame}", passes[frame]["file"]))
        images["true"].append(gallery.color(f"truth.relit.{frame}", truth_path(gallery.out, "relit", frame)))
    labels = {
        "plate": "Plate",
        "ours": "Relit",
        "draft": "Relit, draft",
        "passes": "Shaded from passes alone",
        "true": "True render",
    }
    return Viewer(
        role="relight",
        width=gallery.width,
        height=gallery.height,
        frames=tuple((str(frame), "") for frame in gallery.scope.relit),
        layers=tuple(Layer(key=key, label=label, images=tuple(images[key])) for key, label in labels.items()),
        left="plate",
        right="ours",
        start=1,
    )
