# SPDX-License-Identifier: Apache-2.0
"""Packs that are changed, added, broken and removed on disk under an engine."""

import gc
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from understudy.contracts.engine import PackState
from understudy.contracts.errors import PackError, PackNotFoundError, PinMismatchError
from understudy.contracts.jobs import InterpolateParams, PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import blank_plate
from understudy.packs import write_hashes
from understudy.packs.fingerprint import fingerprint
from understudy.roles.engine import LocalEngine
from understudy.roles.pack_settings import PackSettings
from unit.packs.pack_folders import ADAPTER, make_pack

_EDIT = (('encoding = "acescct"\ndomain = [0.0, 1.0]', 'encoding = "plate"'),)
MINE = PackPin(id="mine")


def adapter(factor: int) -> str:
    """A pack that multiplies, so that its results tell which bytes made them."""
    return ADAPTER.replace("image[np.ix_(rows, columns)]}", f"image[np.ix_(rows, columns)] * np.float32({factor})}}")


def put(folder: Path, factor: int, version: str = "1.0.0") -> None:
    """A working pack in place of what was there, as ``install_pack`` puts it: whole or not at all."""
    fresh = folder.parent / f".new-{folder.name}"
    edit = (*_EDIT, ('version = "1.0.0"', f'version = "{version}"'))
    make_pack(fresh, adapter=adapter(factor), edit=edit)
    stale = folder.parent / f".old-{folder.name}"
    if folder.exists():
        folder.rename(stale)  # not removed file by file: a watch that looks meanwhile would see the pack go
    fresh.rename(folder)
    shutil.rmtree(stale, ignore_errors=True)


def break_adapter(folder: Path, text: str = "raise ValueError('no weights')\n") -> None:
    (folder / "adapter.py").write_text(text)
    write_hashes(folder)


class Rig:
    """An engine on a folder of packs."""

    def __init__(self, packs: Path, **settings: object) -> None:
        self.packs = packs
        self.engine = LocalEngine(
            device="cpu",
            extra_packs=(packs,),
            settings=PackSettings(retry_s=1000.0, **settings),  # type: ignore[arg-type]
        )
        self.told: list[str] = []
        self.engine.observe(lambda state: self.told.append(f"{state.pin.version} {state.state}"))

    def factor(self, pin: PackPin = MINE) -> float:
        """What a request is multiplied by."""
        plate = blank_plate(np.full((4, 5, 3), 2, np.float32), ("R", "G", "B"), colorspace="ACEScg")
        request = RoleRequest(pack=pin, params=UpscaleParams(scale=Fraction(1)), plates={"plate": plate})
        return float(self.engine.run(request).plates["plate"].pixels[0, 0, 0]) / 2

    def states(self) -> list[PackState]:
        return [state for state in self.engine.states() if state.pin.id == "mine"]

    def failures(self) -> list[str]:
        return [f"{f.problem} {f.fix}" for f in self.engine.info().failures if f.path.startswith(str(self.packs))]


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make(**settings: object) -> Rig:
        folder = tmp_path / "packs"
        folder.mkdir(exist_ok=True)
        put(folder / "mine", 1)
        rigs.append(Rig(folder, **settings))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.engine.close()


def test_a_changed_pack_takes_over_and_the_old_one_is_let_go(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    assert rig.factor() == 1
    (old,) = rig.states()
    put(rig.packs / "mine", 3)
    assert rig.factor() == 1  # not before somebody looked
    rig.engine.refresh()
    (new,) = rig.states()
    assert (new.state, new.problem) == ("ready", "")
    assert new.pin.sha256 != old.pin.sha256
    assert rig.told[2:] == ["1.0.0 loading", "1.0.0 ready", "1.0.0 available"]  # beside the old one, then without it
    assert rig.factor() == 3
    with pytest.raises(PinMismatchError, match="not the pinned"):
        rig.factor(old.pin)


def test_a_lease_keeps_the_old_bytes_until_it_ends(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    with rig.engine.lease(MINE) as held:
        put(rig.packs / "mine", 3)
        rig.engine.refresh()
        put(rig.packs / "mine", 5)
        rig.engine.refresh()
        with rig.engine.lease(MINE) as newest:
            assert newest.pin != held.pin
        shown = {(state.pin.sha256, state.state, state.users) for state in rig.states()}
        assert shown == {(held.pin.sha256, "draining", 1), (newest.pin.sha256, "ready", 0)}
    assert [state.pin for state in rig.states()] == [newest.pin]
    assert rig.factor() == 5


def test_going_back_to_bytes_that_still_drain_loads_nothing(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    with rig.engine.lease(MINE) as held:
        put(rig.packs / "mine", 3)
        rig.engine.refresh()
        put(rig.packs / "mine", 1)
        rig.engine.refresh()
        loads = rig.told.count("1.0.0 loading")
        assert rig.factor(held.pin) == 1
    assert rig.told.count("1.0.0 loading") == loads == 2
    assert [(state.pin, state.state) for state in rig.states()] == [(held.pin, "ready")]


def test_a_pin_in_memory_passes_to_the_new_bytes(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    assert rig.engine.load(MINE).pinned
    put(rig.packs / "mine", 3)
    rig.engine.refresh()
    (state,) = rig.states()
    assert (state.pinned, state.state) == (True, "ready")
    assert rig.engine.unload(MINE).state == "available"


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        pytest.param(break_adapter, "does not load: ValueError: no weights", id="does not load"),
        pytest.param(
            lambda folder: break_adapter(folder, adapter(2).replace("np.float32", "np.float64")),
            'its tensor "image" is float64',
            id="fails at its warm-up",
        ),
        pytest.param(
            lambda folder: (folder / "adapter.py").write_text("# other bytes\n"),
            "has other bytes than pack.toml declares",
            id="not pinned",
        ),
        pytest.param(lambda folder: (folder / "adapter.py").unlink(), 'there is no file "adapter.py"', id="gone"),
        pytest.param(lambda folder: (folder / "pack.toml").write_text("id = 3"), "problems", id="manifest"),
    ],
)
def test_what_is_broken_leaves_what_was_there(
    make_rig: Callable[..., Rig], damage: Callable[[Path], object], problem: str
) -> None:
    rig = make_rig()
    assert rig.factor() == 1
    (before,) = rig.states()
    damage(rig.packs / "mine")
    rig.engine.refresh()
    assert any(problem in failure for failure in rig.failures())
    assert rig.factor() == 1
    rig.engine.refresh()  # and the failure stays shown while nothing changes
    (state,) = rig.states()
    assert (state.pin, state.state) == (before.pin, "ready")
    assert problem in state.problem
    put(rig.packs / "mine", 7)
    rig.engine.refresh()
    assert rig.factor() == 7
    assert rig.failures() == []
    assert [state.problem for state in rig.states()] == [""]


def test_a_pack_that_does_not_load_is_not_tried_again_while_it_is_the_same(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.factor()
    tried = rig.packs / "tried"
    break_adapter(rig.packs / "mine", f"with open({str(tried)!r}, 'a') as f:\n    f.write('x')\nraise ValueError()\n")
    for _ in range(3):
        rig.engine.refresh()
    assert tried.read_text() == "x"


def test_one_that_was_never_in_memory_is_tried_when_it_is_wanted(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    break_adapter(rig.packs / "mine")
    rig.engine.refresh()
    assert rig.failures() == []
    for _ in range(2):
        with pytest.raises(PackError, match="no weights"):
            rig.factor()
    (state,) = rig.states()
    assert (state.state, state.users) == ("failed", 0)
    assert "no weights" in state.problem
    assert rig.told == ["1.0.0 loading", "1.0.0 failed"]
    put(rig.packs / "mine", 4)
    assert rig.factor() == 4  # the files changed, so it looked again by itself


def test_versions_stand_side_by_side(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    assert rig.factor() == 1
    put(rig.packs / "second", 2, "1.1.0")
    rig.engine.refresh()
    assert [(state.pin.version, state.state) for state in rig.states()] == [("1.0.0", "ready"), ("1.1.0", "ready")]
    assert rig.factor() == 2
    assert rig.factor(PackPin(id="mine", version="1.0.0")) == 1


def test_an_added_version_that_does_not_load_takes_no_requests(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    assert rig.factor() == 1
    put(rig.packs / "second", 2, "1.1.0")
    break_adapter(rig.packs / "second")
    rig.engine.refresh()
    assert rig.factor() == 1
    assert "no weights" in rig.failures()[0]


def test_a_pack_just_added_is_found_by_who_wants_it(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    put(rig.packs / "second", 2, "2.0.0")
    assert rig.factor(PackPin(id="mine", version="2.0.0")) == 2


def test_a_removed_pack_drains_and_is_gone(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    with rig.engine.lease(MINE):
        shutil.rmtree(rig.packs / "mine")
        rig.engine.refresh()
        assert [state.state for state in rig.states()] == ["draining"]
        with pytest.raises(PackNotFoundError):
            rig.factor()
    assert rig.states() == []


def test_polls_wait_until_the_files_stand_still(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    library = rig.engine._library
    rig.factor()
    library.poll()
    put(rig.packs / "mine", 3)
    library.poll()
    assert rig.factor() == 1
    put(rig.packs / "mine", 4)
    library.poll()
    assert rig.factor() == 1
    library.poll()
    assert rig.factor() == 4


def test_polls_read_no_file(make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    rig = make_rig()
    rig.factor()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(Path, "read_text", refuse)
    for _ in range(3):
        rig.engine._library.poll()


def test_the_watch_reloads_and_unloads_by_itself(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(reload_s=0.05, idle_unload_s=0.4)
    gone = threading.Event()
    rig.engine.observe(lambda state: gone.set() if state.state == "available" else None)
    rig.factor()
    rig.engine.watch()
    assert gone.wait(20)
    changed = threading.Event()
    with rig.engine.lease(MINE) as held:
        rig.engine.observe(lambda state: changed.set() if state.pin != held.pin and state.state == "ready" else None)
        put(rig.packs / "mine", 3)
        assert changed.wait(20)
    assert rig.factor() == 3


def test_code_is_taken_only_from_whom_it_is_trusted(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(allow_python_packs=False)
    with pytest.raises(PackNotFoundError):
        rig.factor()
    (failure,) = rig.failures()
    assert "is code, which is not trusted here" in failure
    listed = failure.split('"')[1]
    assert rig.engine.info().packs  # those that ship
    trusting = Rig(rig.packs, allow_python_packs=False, trusted_python_packs=(listed,))
    assert trusting.factor() == 1
    put(rig.packs / "mine", 2)
    trusting.engine.refresh()
    assert trusting.factor() == 1  # not the bytes on disk, which nobody listed
    assert "is code" in trusting.failures()[0]
    trusting.engine.close()


def test_a_fingerprint_tells_of_every_file_of_a_pack_and_of_no_other(tmp_path: Path) -> None:
    put(tmp_path / "mine", 1)
    (tmp_path / "mine" / "weights").mkdir()
    (tmp_path / "loose.txt").write_text("1")
    seen = [fingerprint([tmp_path])]
    for path, text in (
        ("mine/weights/a.safetensors", "1"),
        ("mine/weights/a.safetensors", "22"),
        ("mine/pack.toml", "x"),
    ):
        (tmp_path / path).write_text(text)
        seen.append(fingerprint([tmp_path]))
    (tmp_path / "mine" / "adapter.py").unlink()
    seen.append(fingerprint([tmp_path]))
    assert len(set(seen)) == len(seen)
    for path in ("loose.txt", ".hidden", "mine/.hidden"):
        (tmp_path / path).write_text("22")
    assert fingerprint([tmp_path]) == seen[-1]
    assert fingerprint([tmp_path / "mine"]) == seen[-1]
    before = (tmp_path / "mine" / "pack.toml").stat()
    os.utime(tmp_path / "mine" / "pack.toml", ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert fingerprint([tmp_path]) != seen[-1]
    assert fingerprint([tmp_path / "nothing"]) == ()


def test_two_packs_for_one_request_under_a_budget_for_none() -> None:
    """Interpolation with a motion pack: the same bytes as with all the memory there is, and nothing stays behind."""
    rng = np.random.default_rng(4)
    pixels = np.kron(rng.uniform(0, 1, (12, 16, 3)), np.ones((4, 4, 1))).astype(np.float32)
    plates = {
        name: replace(
            blank_plate(np.ascontiguousarray(np.roll(pixels, shift, axis=1)), tuple("RGB"), colorspace="ACEScg"),
            frame=1001 + shift,
        )
        for name, shift in (("a", 0), ("b", 1))
    }
    params = InterpolateParams(outputs=((Fraction(1, 2),),), motion_pack="dis-draft")
    request = RoleRequest(pack=PackPin(id="flow-projection"), params=params, plates=plates)
    results: list[bytes] = []
    for settings in (PackSettings(), PackSettings(resident_bytes=1)):
        engine = LocalEngine(device="cpu", settings=settings)
        with ThreadPoolExecutor(3) as threads:
            results += [result.plates["0"].pixels.tobytes() for result in threads.map(engine.run, [request] * 6)]
        ready = [state.pin.id for state in engine.states() if state.state == "ready"]
        assert ready == ([] if settings.resident_bytes else ["dis-draft", "flow-projection"])
        assert not any(state.users for state in engine.states())
        engine.close()
    assert len(set(results)) == 1


def _adapters() -> int:
    """Models of adapters that are alive, in this test or left by another."""
    gc.collect()
    return len([found for found in gc.get_objects() if type(found).__name__ == "Repeat"])


def test_many_reloads_leave_nothing_behind(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.factor()
    modules, threads, adapters = set(sys.modules), set(threading.enumerate()), _adapters()
    files = len(list(Path("/proc/self/fd").iterdir()))
    for round_ in range(2, 22):
        put(rig.packs / "mine", round_)
        rig.engine.refresh()
        assert rig.factor() == round_
    assert len({name for name in sys.modules if name.startswith("understudy._packs.")}) == len(
        {name for name in modules if name.startswith("understudy._packs.")}
    )
    assert _adapters() == adapters
    assert set(threading.enumerate()) <= threads  # none is new; those of other tests may end meanwhile
    assert len(list(Path("/proc/self/fd").iterdir())) == files
    assert len(rig.engine._residency.states()) == 1


def test_engines_of_one_process_share_the_budget() -> None:
    assert PackSettings(resident_bytes=900).shared_by(3).memory_budget == 300
    assert PackSettings().shared_by(2).memory_budget == PackSettings().memory_budget // 2
