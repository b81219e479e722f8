# SPDX-License-Identifier: Apache-2.0
"""The file of measured runs: never required, never half written, never believed when it is broken."""

import logging
from pathlib import Path

import pytest

from understudy.contracts.jobs import PackPin, UpscaleParams
from understudy.contracts.workload import PlateSize, workload_of
from understudy.service.costs_file import CostsFile, default_costs_file

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
        '{"schema": "understudy.costs/1", "runs": [7]}',
        '{"schema": "understudy.costs/1"}',
        "[" * 100_000,
        "\xff",
    ],
)
def test_a_broken_file_is_ignored_with_a_line_in_the_log(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "costs.json"
    path.write_bytes(text.encode("latin-1"))
    with caplog.at_level(logging.WARNING, "understudy.service"):
        kept = CostsFile(path)
    assert [record.getMessage() for record in caplog.records] == ["costs not read"]
    assert kept.costs.cost(WORK).runs == 0
    kept.costs.observe(WORK, PIN, "cpu", 3.0)
    kept.save()
    assert CostsFile(path).costs.cost(WORK).runs == 1


def test_a_place_that_can_not_be_written_costs_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    kept = CostsFile(tmp_path / "file" / "costs.json")
    kept.costs.observe(WORK, PIN, "cpu", 3.0)
    with caplog.at_level(logging.WARNING, "understudy.service"):
        kept.save()
    assert "costs not saved" in [record.getMessage() for record in caplog.records]
    assert kept.costs.cost(WORK).runs == 1


def test_without_a_file_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept = CostsFile(None)
    kept.costs.observe(WORK, PIN, "cpu", 3.0)
    kept.save()
    assert list(tmp_path.iterdir()) == []


def test_each_machine_has_a_file_of_its_own_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("socket.gethostname", lambda: "gpu/box")
    assert default_costs_file() == tmp_path / "understudy" / "costs-gpu_box.json"
