# SPDX-License-Identifier: Apache-2.0
"""What a Dask job is made of: places, shares of cores, chunks, events put together, files that must be seen."""

import sys
from pathlib import Path
from typing import Any

import pytest

from understudy.contracts.errors import MissingFileError, OutputError, UsageError
from understudy.farm.dask_cluster import Place, core_shares, require_dask
from understudy.farm.dask_files import proofs, require_files
from understudy.farm.dask_render import _parts, _sorted_out, default_chunk
from understudy.farm.dask_tally import Tally
from understudy.frames.sequence import parse_frames
from understudy.graph.standing import Output, Standing, State


@pytest.mark.parametrize(("cores", "workers"), [(8, 2), (8, 3), (2, 2), (7, 7), (5, 1)])
def test_every_core_is_one_worker_s(cores: int, workers: int) -> None:
    shares = core_shares(range(10, 10 + cores), workers)
    assert len(shares) == workers
    assert [core for share in shares for core in share] == list(range(10, 10 + cores))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_more_workers_than_cores_share_them() -> None:
    assert core_shares([3, 5], 5) == [(3,), (5,), (3,), (5,), (3,)]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place(scheduler="h:1", workers=2), "give one of them"),
        (Place(tls_ca=Path(__file__)), "name it with --scheduler"),
        (Place(scheduler="tls://h:1"), "asks for a certificate"),
        (Place(scheduler="tcp://h:1", tls_ca=Path(__file__), tls_cert=Path(__file__)), "not encrypted"),
        (Place(scheduler="h:1", tls_ca=Path(__file__)), "add the other one"),
    ],
)
def test_options_that_do_not_go_together_are_refused(place: Place, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        place.check()


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    place = Place(scheduler="h:1", tls_ca=tmp_path / "no.pem", tls_cert=tmp_path / "no.pem")
    with pytest.raises(MissingFileError, match="--tls-ca"):
        place.check()


def test_tls_is_spoken_where_certificates_are_given() -> None:
    assert Place(scheduler="h:1").address == "tcp://h:1"
    assert Place(scheduler="h:1", tls_ca=Path("x")).address == "tls://h:1"
    assert Place(scheduler="tls://h:1", tls_ca=Path("x")).address == "tls://h:1"


def test_without_dask_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r'Dask is not installed; pip install "understudy\[farm\]"'):
        require_dask()


@pytest.mark.parametrize(("frames", "workers"), [(1, 4), (10, 2), (100, 2), (10_000, 16)])
def test_chunks_are_few_and_every_worker_has_some(frames: int, workers: int) -> None:
    size = default_chunk(frames, workers)
    assert 1 <= size <= 64
    assert -(-frames // size) >= min(frames, workers)
    parts = list(_parts(range(frames), 0, workers))
    assert sorted(frame for part in parts for frame in parse_frames(part)) == list(range(frames))
    assert all("," not in part for part in parts)


def test_frames_that_are_done_in_every_output_are_left_out() -> None:
    done, stale = Standing(State.DONE), Standing(State.STALE)
    outputs: list[Output] = [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)]
    found: dict[Output, Standing] = {("a", 1): done, ("b", 1): done, ("a", 2): done, ("b", 2): stale}
    assert _sorted_out(outputs, found) == ((1,), (2, 3))
    everything: dict[Output, Standing] = dict.fromkeys(outputs, done)
    assert _sorted_out(outputs, everything) == ((1, 2, 3), None)


def test_a_still_goes_with_the_first_frame() -> None:
    done = Standing(State.DONE)
    outputs = [("still", None), ("a", 5), ("a", 6)]
    assert _sorted_out(outputs, {("a", 5): done, ("a", 6): done}) == ((6,), (5,))
    assert _sorted_out(outputs, {("still", None): done, ("a", 6): done}) == ((6,), (5,))
    assert _sorted_out([("still", None)], {}) == ((), ())
    assert list(_parts((), 0, 3)) == [""]


def _frame(number: int, *, skipped: bool = False, confidence: float | None = None) -> dict[str, Any]:
    facts = {"done": 1, "total": 2, "skipped": skipped, "confidence": confidence}
    return {"event": "frame", "node": "out", "frame": number, **facts}


def test_chunks_are_told_as_one_render() -> None:
    heard: list[dict[str, Any]] = []
    tally = Tally(3, heard.append)
    tally.hear({"event": "start", "frames": 2})
    tally.hear(_frame(5, confidence=0.5))
    tally.hear(_frame(7, confidence=1.0))
    tally.hear(_frame(5, skipped=True))  # its worker was killed, and another one found it there
    tally.hear(_frame(6, skipped=True))
    warning = {"event": "warning", "node": "out", "frame": 5, "message": "dark"}
    tally.hear(warning)
    tally.hear({**warning, "frame": 7})
    tally.add({"max_in": 1.0, "max_out": None, "clamped": 2, "cached": 0})
    tally.add({"max_in": 4.0, "max_out": 2.0, "clamped": 1, "cached": 4})
    tally.finish()
    assert [(e["frame"], e["done"], e["total"]) for e in heard if e["event"] == "frame"] == [
        (5, 1, 3), (7, 2, 3), (6, 3, 3)
    ]  # fmt: skip
    assert heard.count(warning) == 1
    assert [e["event"] for e in heard] == ["frame", "frame", "frame", "warning", "done"]
    end = {key: value for key, value in heard[-1].items() if key not in ("event", "seconds")}
    assert end == {
        "frames": 2,
        "skipped": 1,
        "max_in": 4.0,
        "max_out": 2.0,
        "clamped": 3,
        "confidence": 0.75,
        "cached": 4,
    }


def test_files_that_differ_are_told_and_nothing_is_left(tmp_path: Path) -> None:
    plate = tmp_path / "in" / "plate.1001.exr"
    plate.parent.mkdir()
    plate.write_bytes(b"here")
    with proofs([plate], [tmp_path / "out" / "deep" / "x.%04d.exr"]) as proof:
        assert len(proof) == 2
        require_files(proof)
        plate.write_bytes(b"other")
        with pytest.raises(OutputError, match="has another file"):
            require_files(proof)
        plate.unlink()
        with pytest.raises(MissingFileError, match=r"does not see .*plate.1001.exr"):
            require_files(proof)
        hidden = next(tmp_path.glob(".understudy-*"))
        hidden.unlink()
        with pytest.raises(MissingFileError, match="does not see the folder"):
            require_files({name: digest for name, digest in proof.items() if "plate" not in name})
    assert not list(tmp_path.rglob(".understudy-*"))
