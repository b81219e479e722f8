# SPDX-License-Identifier: Apache-2.0
"""Ways to break a publish: files, headers, pixels, records."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from understudy.contracts.plate import Plate, Window
from understudy.contracts.shot_rights import ShotRights
from understudy.frames.pixel_hash import pixel_hash
from understudy.frames.read import read_plate
from understudy.frames.write import WriteOptions, write_plate
from understudy.provenance.hashing import file_hashes
from understudy.provenance.job import Operation, PackEntry
from understudy.provenance.merge import settled
from understudy.provenance.mhl import c4_id
from understudy.provenance.record import Record
from understudy.provenance.record_file import read_record, write_record
from understudy.provenance.store import write_folder_list

FIRST, LAST = 1001, 1009


@dataclass(frozen=True)
class Shot:
    """The folder of a shot: ``plate``, ``out``, ``slow.yaml``; and what signs its record again."""

    folder: Path
    sign: Callable[[Path], object]

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def record_path(self) -> Path:
        return next(self.out.glob("*.provenance.json"))

    def frame(self, number: int) -> Path:
        return self.out / f"sh010.{number}.exr"

    def frames(self) -> range:
        return range(FIRST, LAST + 1)

    def rewrite(self, change: Callable[[Record], Record], *, sign: bool = True) -> None:
        """Writes the record as a render would have that was so from the start."""
        path = self.record_path
        write_record(settled(change(read_record(path).model_copy(update={"signed": False}))), path)
        path.with_name(path.name.removesuffix(".json") + ".c2pa").unlink(missing_ok=True)
        write_folder_list(self.out)
        if sign:
            self.sign(path)

    def change_frame(self, number: int, change: Callable[[Plate], Plate], **metadata: Any) -> None:
        """Changes a frame behind the record's back."""
        path = self.frame(number)
        plate = change(read_plate(path, frame=number, colorspace="ACEScg"))
        path.unlink()
        write_plate(plate, path, WriteOptions(metadata=metadata))

    def render_so(self, change: Callable[[int, Plate], Plate]) -> None:
        """Changes every frame, and records it as if it had been rendered so."""
        hashes = {}
        for number in self.frames():
            before = read_plate(self.frame(number), frame=number, colorspace="ACEScg")
            after = change(number, before)
            if after is not before:
                self.frame(number).unlink()
                write_plate(after, self.frame(number))
            found = file_hashes(self.frame(number), listed=True)
            pixels = pixel_hash(self.frame(number))
            hashes[number] = {"size": found.size, "blake3": found.blake3, "xxh128": found.xxh128, "pixels": pixels}
        self.rewrite(
            lambda record: record.model_copy(
                update={"frames": tuple(entry.model_copy(update=hashes[entry.frame or 0]) for entry in record.frames)}
            )
        )


def of_packs(change: Callable[[PackEntry], PackEntry]) -> Callable[[Record], Record]:
    def changed(record: Record) -> Record:
        jobs = {
            name: job.model_copy(update={"packs": tuple(change(pack) for pack in job.packs)})
            for name, job in record.jobs.items()
        }
        return record.model_copy(update={"jobs": jobs})

    return changed


def packs(**changes: Any) -> Callable[[Shot], None]:
    """Records the interpolation pack as another kind of pack."""

    return lambda shot: shot.rewrite(of_packs(_of_interpolation(**changes)))


def _of_interpolation(**changes: Any) -> Callable[[PackEntry], PackEntry]:
    return lambda pack: pack.model_copy(update=changes) if pack.role == "interpolate" else pack


def rights(**changes: Any) -> Callable[[Record], Record]:
    """Other rights."""
    return lambda record: record.model_copy(
        update={"rights": ShotRights.model_validate(record.rights.model_dump() | changes)}
    )


def job(**changes: Any) -> Callable[[Record], Record]:
    """Another job."""
    return lambda record: record.model_copy(
        update={"jobs": {name: one.model_copy(update=changes) for name, one in record.jobs.items()}}
    )


def operation(kind: str, **facts: Any) -> Callable[[Record], Record]:
    """One operation more."""

    def changed(record: Record) -> Record:
        more = Operation(node="more", type=kind, **facts)
        jobs = {
            name: one.model_copy(update={"operations": (*one.operations, more)}) for name, one in record.jobs.items()
        }
        return record.model_copy(update={"jobs": jobs})

    return changed


def both(*changes: Callable[[Record], Record]) -> Callable[[Shot], None]:
    """Several changes of the record."""

    def do(shot: Shot) -> None:
        def changed(record: Record) -> Record:
            for change in changes:
                record = change(record)
            return record

        shot.rewrite(changed)

    return do


def edited(edit: Callable[[Any], None]) -> Callable[[Plate], Plate]:
    def change(plate: Plate) -> Plate:
        pixels = plate.pixels.copy()
        edit(pixels)
        return plate.with_pixels(pixels)

    return change


def put(value: float) -> Callable[[Any], None]:
    def edit(pixels: Any) -> None:
        pixels[5, 7, 1] = value

    return edit


def write_raw(path: Path, value: float) -> None:
    """Puts a value that our writer would refuse into a frame, and keeps its header."""
    import OpenImageIO as oiio

    buffer = oiio.ImageBuf(str(path))
    pixels: Any = buffer.get_pixels(oiio.FLOAT)
    pixels[5, 7, 1] = value
    spec = buffer.spec()
    out = oiio.ImageBuf(spec)
    out.set_pixels(out.roi, pixels)
    out.write(str(path))


def cropped(plate: Plate) -> Plate:
    window = plate.data_window
    return replace(plate, display_window=Window(window.x, window.y, 60, 40))


def grown(plate: Plate) -> Plate:
    grown = np.pad(plate.pixels, ((8, 8), (8, 8), (0, 0)))
    window = plate.data_window
    return replace(
        plate, pixels=grown, data_window=Window(window.x - 8, window.y - 8, window.width + 16, window.height + 16)
    )


def unpremultiplied(_number: int, plate: Plate) -> Plate:
    pixels = plate.pixels.copy()
    alpha = pixels[..., plate.index("A")]
    for name in "RGB":
        pixels[..., plate.index(name)] /= np.where(alpha > 0, alpha, 1)
    return plate.with_pixels(pixels)


def premultiplied_twice(_number: int, plate: Plate) -> Plate:
    pixels = plate.pixels.copy()
    for name in "RGB":
        pixels[..., plate.index(name)] *= pixels[..., plate.index("A")]
    return plate.with_pixels(pixels)


def flickering(number: int, plate: Plate) -> Plate:
    """Every other frame is brighter."""
    gain = np.where(np.arange(len(plate.channels)) < 3, 1.2 - 0.2 * (number % 2), 1).astype(np.float32)
    return plate.with_pixels(plate.pixels * gain)


def only_source_changed(number: int, plate: Plate) -> Plate:
    return edited(put(0.987))(plate) if number == 1003 else plate


def swap(shot: Shot) -> None:
    def other(record: Record) -> Record:
        frames = tuple(entry.model_copy(update={"blake3": "0" * 64, "pixels": "0" * 64}) for entry in record.frames)
        return record.model_copy(update={"id": "00000000-0000-4000-8000-000000000000", "frames": frames})

    shot.rewrite(other)


def sign_another(shot: Shot) -> None:
    manifest = next(shot.out.glob("*.c2pa"))
    before = manifest.read_bytes()
    shot.rewrite(rights(approval="ABC-1"))
    manifest.write_bytes(before)
    write_folder_list(shot.out)


def replace_list(change: Callable[[bytes], bytes]) -> Callable[[Shot], None]:
    """Puts another file in the place of the hash list, whose hash the chain has."""

    def do(shot: Shot) -> None:
        path = next((shot.out / "ascmhl").glob("*.mhl"))
        before = path.read_bytes()
        path.write_bytes(change(before))
        in_chain(c4_id(before).encode(), c4_id(path.read_bytes()).encode())(shot)

    return do


def in_chain(old: bytes, new: bytes) -> Callable[[Shot], None]:
    """Changes the chain of the hash list."""

    def do(shot: Shot) -> None:
        path = shot.out / "ascmhl" / "ascmhl_chain.xml"
        assert old in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(old, new))

    return do


def cut(path: Path, count: int) -> None:
    path.write_bytes(path.read_bytes()[:-count])


def other_job(shot: Shot) -> None:
    """A frame that another version rendered."""
    facts = {"understudy:job": "0" * 64, "understudy:packs": "flow-projection@0.9.0#abc"}
    shot.change_frame(1004, edited(put(0.5)), **facts)


def remove(shot: Shot, *frames: int) -> None:
    """Removes frames."""
    for frame in frames:
        shot.frame(frame).unlink()


def relabel(shot: Shot, colorspace: str) -> None:
    """Every header states another color space."""
    for frame in shot.frames():
        shot.change_frame(frame, lambda plate: replace(plate, colorspace=colorspace))


def plate_changed(shot: Shot) -> None:
    path = shot.folder / "plate" / "plate.1002.exr"
    plate = read_plate(path, frame=1002, colorspace="ACEScg")
    write_plate(edited(put(0.25))(plate), path)


def graph_changed(shot: Shot) -> None:
    path = shot.folder / "slow.yaml"
    path.write_text(path.read_text().replace("edge: error", "edge: hold"))


def mixed(shot: Shot) -> None:
    def changed(record: Record) -> Record:
        ((name, one),) = record.jobs.items()
        other = "f" * 64
        newer = tuple(
            pack.model_copy(update={"pin": pack.pin.replace("@1.", "@2.")}) if pack.role == "interpolate" else pack
            for pack in one.packs
        )
        frames = tuple(
            entry.model_copy(update={"job": other} if entry.frame == 1006 else {}) for entry in record.frames
        )
        boms = record.boms | {pin.replace("@1.", "@2."): bom for pin, bom in record.boms.items()}
        jobs = {name: one, other: one.model_copy(update={"packs": newer})}
        return record.model_copy(update={"jobs": jobs, "boms": boms, "frames": frames})

    shot.rewrite(changed)


def doubtful(shot: Shot) -> None:
    def changed(record: Record) -> Record:
        frames = tuple(
            entry.model_copy(update={"confidence_p05": 0.2} if entry.origin == "synthesized" else {})
            for entry in record.frames
        )
        return record.model_copy(update={"frames": frames})

    shot.rewrite(changed)


def lose_bom(shot: Shot) -> None:
    def changed(record: Record) -> Record:
        boms = {pin: bom for pin, bom in record.boms.items() if "flow-projection" not in pin}
        return record.model_copy(update={"boms": boms})

    both(of_packs(_of_interpolation(bom_sha256="")), changed)(shot)


def swap_bom(shot: Shot) -> None:
    def changed(record: Record) -> Record:
        boms = {pin: bom | ({"version": 2} if "flow-projection" in pin else {}) for pin, bom in record.boms.items()}
        return record.model_copy(update={"boms": boms})

    shot.rewrite(changed)


def edit_json(path: Path, key: str, value: Any) -> None:
    document = json.loads(path.read_text())
    document[key] = value
    path.write_text(json.dumps(document))


def lose(*names: str) -> Callable[[Plate], Plate]:
    return lambda plate: plate.only(tuple(name for name in plate.channels if name not in names))


def remove_signature(shot: Shot) -> None:
    shot.rewrite(lambda record: record, sign=False)
