# SPDX-License-Identifier: Apache-2.0
"""What a record costs a render, and how fast one is verified: ``python benchmarks/provenance.py``.

HD frames (1920x1080, RGBA, half, zip) are retimed to half speed, upscaled, or given vectors. Every function that works
for the record is timed by the processor time of its thread, so that other programs on the machine do not count; the
figure is their sum over the processor time of the whole render. Verifying is compared with reading the same files, on a
cold cache and from the page cache.
"""

import argparse
import functools
import os
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from understudy.contracts.cores import available_cores
from understudy.contracts.plate import Plate, Window
from understudy.frames.pixel_hash import PixelHash, pixel_hash
from understudy.frames.write import write_plate
from understudy.graph.parsing import parse_graph
from understudy.graph.render import render_graph
from understudy.provenance import frame_entry, recorder
from understudy.provenance.merge import sequence_of, settled
from understudy.provenance.record import FrameEntry, Record
from understudy.provenance.record_file import find_records, read_record, write_record
from understudy.provenance.recorder import Recorder
from understudy.provenance.store import RecordStore, write_folder_list
from understudy.provenance.verify import verify
from understudy.roles.engine import LocalEngine

WIDTH, HEIGHT = 1920, 1080
TURNS = 5


def write_plates(folder: Path, count: int) -> str:
    """A moving picture with fine grain, so that files are as large as a camera's."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    window = Window(0, 0, WIDTH, HEIGHT)
    for frame in range(1001, 1001 + count):
        wave = 0.4 + 0.3 * np.sin((x + 6 * (frame - 1001)) / 31) * np.cos(y / 47)
        grain = random.normal(0, 0.01, (HEIGHT, WIDTH, 3)).astype(np.float32)
        pixels = np.dstack([wave[..., None] * np.array([1, 0.8, 0.5], np.float32) + grain, np.ones_like(wave)])
        plate = Plate(
            pixels=np.ascontiguousarray(pixels, np.float32),
            channels=("R", "G", "B", "A"),
            sample_types=("half",) * 4,
            data_window=window,
            display_window=window,
            frame=frame,
            colorspace="ACEScg",
        )
        write_plate(plate, folder / f"plate.{frame}.exr")
    return str(folder / "plate.%04d.exr")


def jobs(source: str, out: Path) -> dict[str, dict[str, Any]]:
    """The renders that are measured."""
    read = {"type": "read", "file": source}
    write = {"type": "write", "input": "work", "file": str(out / "r.%04d.exr")}
    work: dict[str, dict[str, Any]] = {
        "retime x2": {"type": "interpolate", "speed": "1/2"},
        "upscale x2": {"type": "upscale", "scale": 2},
        "motion": {"type": "motion"},
    }
    return {name: {"nodes": {"in": read, "work": node | {"input": "in"}, "out": write}} for name, node in work.items()}


class Clock:
    """Adds up the processor time that functions take in whatever thread calls them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = threading.Lock()

    def watch(self, holder: Any, *names: str) -> None:
        """Has functions of a module or class timed; none of them calls another of them."""
        for name in names:
            setattr(holder, name, self._timed(getattr(holder, name)))

    def _timed(self, function: Any) -> Any:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                with self._lock:
                    self.seconds += time.thread_time() - start

        return timed


def watch_records() -> Clock:
    """A clock on everything that is done for a record."""
    clock = Clock()
    clock.watch(recorder.Recorder, "header", "skipped", "_begin", "_addition")
    clock.watch(RecordStore, "add", "finish")
    clock.watch(frame_entry, "_file")
    clock.watch(recorder, "_input_hashes")
    clock.watch(PixelHash, "add", "hexdigest")
    return clock


def timed(document: dict[str, Any], engine: LocalEngine) -> tuple[float, int]:
    """Processor seconds and frames of a render on record."""
    start = time.process_time()
    summary = render_graph(parse_graph(document), engine, witness=Recorder())
    return time.process_time() - start, summary.frames


def measure_pairs(jobs_of: dict[str, dict[str, Any]], out: Path, engine: LocalEngine, pairs: int) -> None:
    """Renders with and without a record in turns: the difference of processor and wall time, in percent of a render.

    Other programs on the machine make both noisy; the quartiles tell how much.
    """
    for name, document in jobs_of.items():
        differences: dict[str, list[float]] = {"processor": [], "wall": []}
        for turn in range(pairs):
            found = {}
            for record in (True, False) if turn % 2 else (False, True):
                shutil.rmtree(out, ignore_errors=True)
                cpu, wall = time.process_time(), time.perf_counter()
                render_graph(parse_graph(document | {"record": record}), engine, witness=Recorder())
                found[record] = (time.process_time() - cpu, time.perf_counter() - wall)
            for index, kind in enumerate(differences):
                differences[kind].append(found[True][index] / found[False][index] - 1)
        for kind, values in differences.items():
            low, middle, high = np.percentile(values, (25, 50, 75))
            print(f"{name:<12} {kind:<9} {middle:+.2%} with a record ({low:+.2%} to {high:+.2%}, {pairs} pairs)")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=6, help="source frames")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=0, help="renders with and without a record in turns, and no more")
    parser.add_argument("--only", default="", help="with --pairs: the one render, such as motion")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="understudy-provenance-"))
    try:
        if given.pairs:
            engine = LocalEngine(device="cpu")
            source = write_plates(folder / "in", given.frames)
            wanted = {name: job for name, job in jobs(source, folder / "out").items() if given.only in name}
            measure_pairs(wanted, folder / "out", engine, given.pairs)
            engine.close()
        else:
            measure(folder, given.frames, given.turns)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(folder: Path, frames: int, turns: int) -> None:
    """All figures."""
    source = write_plates(folder / "in", frames)
    engine = LocalEngine(device="cpu")
    print(f"{available_cores()} cores, {frames} source frames of {WIDTH}x{HEIGHT}, {turns} turns, medians")
    clock = watch_records()
    for name, document in jobs(source, folder / "out").items():
        shares, own, whole = [], [], []
        for _ in range(turns):
            shutil.rmtree(folder / "out", ignore_errors=True)
            before = clock.seconds
            seconds, made = timed(document, engine)
            own.append((clock.seconds - before) / made)
            whole.append(seconds / made)
            shares.append(own[-1] / whole[-1])
        print(
            f"{name:<12} {median(whole):5.2f} s of processor time a frame, {median(own) * 1e3:5.1f} ms of it for the"
            f" record: {median(shares):.2%}"
        )
    measure_verify(folder / "out")
    measure_large(folder / "out")
    measure_thousand(folder, engine, clock)
    engine.close()


def measure_verify(folder: Path) -> None:
    """Verifying a gigabyte, cold and in the page cache, beside reading the same files and doing nothing with them."""
    files = long_sequence(folder)
    size = sum(path.stat().st_size for path in files)
    rates: dict[str, list[float]] = {}
    for _ in range(TURNS):
        for kind, work in (("read", lambda: read_all(files)), ("verify", lambda: verify(folder / "long"))):
            for state in ("cold", "cached"):
                if state == "cold":
                    forget(files)
                start = time.perf_counter()
                work()
                rates.setdefault(f"{kind}, {state}", []).append(size / (time.perf_counter() - start) / 1e6)
    told = ", ".join(f"{name} {median(values):.0f} MB/s" for name, values in rates.items())
    print(f"verify       {len(files)} files, {size / 1e6:.0f} MB, {verify(folder / 'long').errors} errors: {told}")
    start = time.perf_counter()
    pixel_hash(files[0])
    print(f"pixel hash   {(time.perf_counter() - start) * 1e3:.0f} ms for a file that has to be decoded")


def long_sequence(folder: Path) -> list[Path]:
    """Thirty copies of a frame with the record and the hash list that belong to them."""
    record = read_record(find_records(folder)[0])
    like, out = record.frames[0], folder / "long"
    out.mkdir()
    entries = []
    for number in range(1, 31):
        shutil.copy(folder / like.file, out / f"r.{number:04d}.exr")
        own = {"frame": number, "file": f"r.{number:04d}.exr", "header": record.header_of(like)}
        entries.append(like.model_copy(update=own))
    whole = sequence_of(record.sequence, range(1, 31))
    update = {"frames": tuple(entries), "header": {}, "sequence": whole}
    write_record(settled(record.model_copy(update=update)), out / "r.provenance.json")
    write_folder_list(out)
    return sorted(out.glob("*.exr"))


def forget(files: list[Path]) -> None:
    """Has the system drop files from its page cache."""
    for path in files:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def read_all(files: list[Path]) -> None:
    """Reads files in as many threads as there are cores, and does nothing with them."""

    def read(path: Path) -> None:
        block = memoryview(bytearray(1 << 20))
        with path.open("rb", buffering=0) as file:
            while file.readinto(block):
                pass

    with ThreadPoolExecutor(available_cores()) as pool:
        list(pool.map(read, files))


def measure_thousand(folder: Path, engine: LocalEngine, clock: Clock) -> None:
    """What a record of a thousand frames costs beside hashing large files: the same render with small pictures."""
    window = Window(0, 0, 32, 18)
    for frame in range(1001, 2001):
        pixels = np.full((18, 32, 3), frame / 2000, np.float32)
        plate = Plate(
            pixels=pixels, channels=("R", "G", "B"), sample_types=("half",) * 3, data_window=window,
            display_window=window, frame=frame, colorspace="ACEScg",
        )  # fmt: skip
        write_plate(plate, folder / "small" / f"p.{frame}.exr")
    nodes = {
        "in": {"type": "read", "file": str(folder / "small/p.%04d.exr")},
        "work": {"type": "color", "input": "in", "to": "ACES2065-1"},
        "out": {"type": "write", "input": "work", "file": str(folder / "thousand/r.%04d.exr")},
    }
    before = clock.seconds
    _, made = timed({"nodes": nodes}, engine)
    print(f"1000 frames  {(clock.seconds - before) / made * 1e3:.1f} ms a frame for all but hashing large files")
    store = RecordStore(folder / "thousand" / "r.%04d.exr")
    record = read_record(find_records(folder / "thousand")[0])
    start = time.perf_counter()
    store.add(record.model_copy(update={"frames": record.frames[:1], "header": {}}), ())
    took = time.perf_counter() - start
    print(f"             {took:.2f} s each time that the record of 1000 is brought up to date")


def measure_large(folder: Path) -> None:
    """A record of a thousand frames."""
    record = read_record(find_records(folder)[0])
    like = record.frames[0]
    header = record.header_of(like)

    def entry(number: int) -> FrameEntry:
        own = header | {"smpte:TimeCode": [number, 0]}
        return like.model_copy(update={"frame": number, "file": f"r.{number}.exr", "header": own})

    start = time.perf_counter()
    large: Record = settled(
        record.model_copy(update={"header": {}, "frames": tuple(entry(number) for number in range(1001, 2001))})
    )
    path = folder / "large.1001-2000.provenance.json"
    write_record(large, path)
    write_s = time.perf_counter() - start
    start = time.perf_counter()
    read_record(path)
    read_s = time.perf_counter() - start
    size = path.stat().st_size
    print(f"1000 frames  put together and written in {write_s:.2f} s, {size / 1e3:.0f} kB; read in {read_s:.2f} s")


if __name__ == "__main__":
    main()
