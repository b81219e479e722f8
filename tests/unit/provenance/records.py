# SPDX-License-Identifier: Apache-2.0
"""Records made by hand, for tests."""

from hashlib import sha256
from typing import Any

from xxhash import xxh3_128

from understudy.provenance.job import ColorChain, Environment, GraphEntry, InputEntry, InputFile, Job, Operation
from understudy.provenance.merge import sequence_of, settled
from understudy.provenance.record import FrameEntry, Generator, Record, Sequence, record_id

JOB = sha256(b"job").hexdigest()


def entry(frame: int, job: str = JOB, **fields: Any) -> FrameEntry:
    text = f"{frame}{job}".encode()
    header = {"compression": "zip", "understudy:job": job, "smpte:TimeCode": [frame, 0]}
    return FrameEntry(
        file=f"sh.{frame:04d}.exr",
        size=10,
        blake3=sha256(text).hexdigest(),
        xxh128=xxh3_128(text).hexdigest(),
        pixels=sha256(b"pixels" + text).hexdigest(),
        frame=frame,
        job=job,
        **({"header": header} | fields),
    )


def job_of(frames: str, numbers: list[int], *, device: str = "cpu", **fields: Any) -> Job:
    files = tuple(
        InputFile(file=f"in.{number}.exr", frame=number, size=1, blake3=sha256(b"%d" % number).hexdigest())
        for number in numbers
    )
    given: dict[str, Any] = {
        "graph": GraphEntry(sha256=JOB, document={}),
        "operations": (Operation(node="plate", type="read"),),
        "inputs": (InputEntry(node="plate", pattern="/in/in.%d.exr", files=files),),
        "color": ColorChain(config="c"),
        "environments": (Environment(frames=frames, device=device),),
    }
    return Job(**(given | fields))


def record_with(numbers: list[int], job: str = JOB, when: str = "", **fields: Any) -> Record:
    frames = f"{numbers[0]}-{numbers[-1]}"
    made = job_of(frames, numbers, started=when, finished=when)
    sequence = sequence_of(Sequence(node="out", pattern="sh.%04d.exr"), numbers)
    given: dict[str, Any] = {
        "id": record_id(job, "out"),
        "created": when,
        "updated": when,
        "generator": Generator(version="1"),
        "sequence": sequence,
        "jobs": {job: made},
        "frames": tuple(entry(number, job) for number in numbers),
    }
    return settled(Record(**(given | fields)))
