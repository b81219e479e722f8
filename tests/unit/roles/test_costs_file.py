# SPDX-License-Identifier: Apache-2.0
"""The file of measured runs: never required, never half written, never believed when it is broken."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from understudy.contracts.jobs import PackPin, UpscaleParams
from understudy.contracts.workload import PlateSize, workload_of
from understudy.roles.costs_file import CostsFile, default_costs_file

WORK = workload_of(UpscaleParams(), PackPin(id="p"), {"plate": PlateSize(1000, 1000, 4)})
PIN = PackPin(id="p", version="1.0.0", sha256="a" * 64)


def test_runs_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "costs.json"
    first = CostsFile(path)
    first.costs.observe(WORK, PIN, "cpu", 3.0)
    first.save()
    again = CostsFile(path).costs.cost(WORK)
    assert again.seconds == pytest.approx(3.0)
    assert again.runs == 1
    assert [file.name for file in path.parent.iterdir()] == ["costs.json"]


def test_it_is_saved_once_a_minute_and_only_when_there_is_something_new(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "costs.json"
    kept = CostsFile(path, clock=lambda: now[0])
    kept.save()
    kept.costs.observe(WORK, PIN, "cpu", 3.0)
    assert not path.exists()
    now[0] = 61.0
    kept.costs.observe(WORK, PIN, "cpu", 3.0)
    assert CostsFile(path).costs.cost(WORK).runs == 2
    path.unlink()
    kept.save()
    assert not path.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"schema": "understudy.costs/9", "runs": []}',
        '{"schema": "understudy.costs/2", "runs": [7]}',
        '{"schema": "understudy.costs/2"}',
        "[" * 100_000,
        "\xff",
    ],
)
def test_a_broken_file_is_told_of_ignored_and_replaced(text: str, tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    path.write_bytes(text.encode("latin-1"))
    told: list[tuple[str, Path]] = []
    kept = CostsFile(path, problem=lambda what, _why, file: told.append((what, file)))
    assert told == [("costs not read", path)]
    assert kept.costs.cost(WORK).runs == 0
    kept.costs.observe(WORK, PIN, "cpu", 3.0)
    kept.save()
    assert CostsFile(path).costs.cost(WORK).runs == 1


def test_a_place_that_can_not_be_written_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told: list[str] = []
    kept = CostsFile(tmp_path / "file" / "costs.json", problem=lambda what, _why, _file: told.append(what))
    kept.costs.observe(WORK, PIN, "cpu", 3.0)
    kept.save()
    assert told[-1] == "costs not saved"
    assert kept.costs.cost(WORK).runs == 1


def test_processes_that_share_a_file_keep_each_others_runs(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    several = [CostsFile(path) for _ in range(3)]  # all of them read it before any saves
    for number, kept in enumerate(several):
        kept.costs.observe(WORK, PIN, "cpu", 1.0 + number)
        kept.save()
    assert CostsFile(path).costs.cost(WORK).runs == 3
    assert several[-1].costs.cost(WORK).runs == 3
    several[0].costs.observe(WORK, PIN, "cpu", 9.0)
    several[0].save()
    assert CostsFile(path).costs.cost(WORK).runs == 4


def test_many_savers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"

    def learn(number: int) -> None:
        kept = CostsFile(path)
        kept.costs.observe_other("read", f"kind {number}", 1.0, 2.0)
        kept.save()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(learn, range(24)))
    costs = CostsFile(path).costs
    assert all(costs.cost_of_other("read", f"kind {number}", 1.0).exact for number in range(24))
    assert [file.name for file in tmp_path.iterdir()] == ["costs.json"]


def test_runs_on_other_machines_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "costs.json"
    here = CostsFile(path)
    here.costs.observe(WORK, PIN, "cpu", 3.0)
    here.save()
    monkeypatch.setattr("understudy.roles.costs_file.available_cores", lambda: 999)
    with_more_cores = CostsFile(path)
    assert with_more_cores.costs.cost(WORK).runs == 0
    with_more_cores.costs.observe(WORK, PIN, "cpu", 1.0)
    with_more_cores.save()
    monkeypatch.undo()
    cost = CostsFile(path).costs.cost(WORK)
    assert cost.runs == 1
    assert cost.seconds == pytest.approx(3.0)


def test_without_a_file_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept = CostsFile(None)
    kept.costs.observe(WORK, PIN, "cpu", 3.0)
    kept.save()
    assert list(tmp_path.iterdir()) == []


def test_each_machine_has_a_file_of_its_own_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERSTUDY_COSTS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("socket.gethostname", lambda: "gpu/box")
    assert default_costs_file() == tmp_path / "understudy" / "costs-gpu_box.json"
    monkeypatch.setenv("UNDERSTUDY_COSTS", str(tmp_path / "mine.json"))
    assert default_costs_file() == tmp_path / "mine.json"
    monkeypatch.setenv("UNDERSTUDY_COSTS", "off")
    assert default_costs_file() is None
