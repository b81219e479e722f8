# SPDX-License-Identifier: Apache-2.0
"""Sets through real packs, from the command line's words to the table."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

from measures import upscale_figures
from program import main
from sets.stills import stills
from understudy.interop.adopt import adopt
from unit.interop import models
from unit.quality import layouts

_ROOT = Path(__file__).resolve().parents[3]


def _report(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def _figures(report: dict[str, Any]) -> dict[str, dict[str, float]]:
    assert not [row["problem"] for row in report["rows"] if row["problem"]]
    return {row["name"]: row["figures"] for row in report["rows"]}


def test_stills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for n in range(3):
        layouts.write_picture(tmp_path / f"{n}.png", layouts.drawn(right=5 * n))
    report = _report(capsys, "stills", tmp_path, "--scale", 2, "--limit", 2)
    assert (report["samples"], report["role"], report["schema"]) == (2, "upscale", "understudy.quality/1")
    figures = _figures(report)
    assert {"MATLAB-like bicubic", "lanczos", "bicubic-back-projection"} <= set(figures)
    assert not [name for name in figures if name.startswith("identity")]
    # Smooth pictures: every method is near the truth, and a filter that is held to its neighbors is not the nearest.
    assert all(55 < figures[name]["PSNR-Y"] < 65 for name in ("MATLAB-like bicubic", "bicubic-back-projection"))
    assert figures["lanczos"]["PSNR-Y"] > 50
    # A pack in an encoding of its own is shown light, and told so; at nearest samples it is the worst of all.
    other = _report(capsys, "stills", tmp_path, "--pack", "identity-onnx-upscale")
    assert [row["note"] for row in other["rows"]][-1] == "light"
    assert _figures(other)["identity-onnx-upscale"]["PSNR"] < figures["OpenCV bicubic"]["PSNR"]


def test_a_pack_of_yours_stands_in_the_same_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "packs" / "mine").mkdir(parents=True)
    adopt(models.write(tmp_path / "mine.onnx", models.doubler()), tmp_path / "packs" / "mine")
    layouts.write_picture(tmp_path / "set" / "a.png", layouts.drawn())
    words = ("stills", tmp_path / "set", "--packs", tmp_path / "packs", "--pack", "mine", "--pack", "lanczos")
    report = _report(capsys, *words)
    assert [row["note"] for row in report["rows"][-2:]] == ["light", "codes"]
    (still,) = stills(tmp_path / "set", 2)
    small, truth = still.pair(2)
    big = cv2.resize(small, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    # The model is bilinear, in codes that differ little from the file's: a mistaken range or curve would show.
    wanted = upscale_figures(big, truth, 2)["PSNR"]
    assert _figures(report)["mine"]["PSNR"] == pytest.approx(wanted, abs=1)


def test_motion_is_measured_where_it_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = _report(capsys, "kitti", layouts.kitti(tmp_path), "--pack", "dis-draft", "--pack", "identity-motion")
    figures = _figures(report)
    still = figures["no motion"]
    assert still["EPE"] == pytest.approx(10**0.5, rel=1e-5)
    assert still["Fl-all"] == 100
    assert figures["identity-motion"]["EPE"] == still["EPE"]
    assert figures["dis-draft"]["EPE-visible"] < 0.5
    assert {"AUROC", "AUSE", "ECE", "less-fifth"} <= set(figures["dis-draft"])
    assert set(report["conventions"]) >= {"EPE", "EPE-visible", "Fl-all", "AUROC"}


def test_interpolation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = layouts.vimeo(tmp_path, 7, "sep_testlist.txt")
    report = _report(capsys, "vimeo-septuplet", root, "--pack", "flow-projection", "--motion", "dis-draft")
    figures = _figures(report)
    assert figures["flow-projection + dis-draft"]["IE"] < 0.5 * figures["frame blend"]["IE"]


def test_lights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = _figures(_report(capsys, "diligent", layouts.diligent(tmp_path)))
    assert figures["known normals"]["MAE"] == pytest.approx(0, abs=0.1)
    assert figures["known normals"]["si-PSNR"] > figures["copy, flat normals"]["si-PSNR"] + 3
    assert figures["shape-from-shading"]["MAE"] < figures["copy, flat normals"]["MAE"]


def test_a_table_states_its_conventions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layouts.write_picture(tmp_path / "a.png", layouts.drawn())
    assert main(["stills", str(tmp_path), "--pack", "lanczos"]) == 0
    said = capsys.readouterr().out
    assert "| upscale | in | PSNR-Y | SSIM-Y | PSNR |" in said
    assert "luma of BT.601 in [16, 235]" in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["kitti", "nowhere"], 3, "there is no such folder; the layout is training/image_2"),
        (["stills", ".", "--pack", "lancos"], 6, "lancos"),
        (["stills", ".", "--pack", "dis-good"], 6, "plays motion, and this set tests upscale"),
    ],
)
def test_trouble_is_a_sentence_and_an_exit_code(
    words: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layouts.write_picture(tmp_path / "a.png", layouts.drawn())
    words[1] = str(tmp_path / words[1])
    assert main(words) == code
    assert said in capsys.readouterr().err


def test_a_damaged_sample_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layouts.write_picture(tmp_path / "a.png", layouts.drawn())
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    assert main(["stills", str(tmp_path), "--pack", "lanczos"]) == 3
    assert "b.png" in capsys.readouterr().err


@pytest.mark.parametrize("how", [["benchmarks/quality"], ["-m", "benchmarks.quality"]])
def test_it_runs_as_a_program_either_way(how: list[str], tmp_path: Path) -> None:
    layouts.write_picture(tmp_path / "a.png", layouts.drawn())
    command = [sys.executable, *how, "stills", str(tmp_path), "--pack", "lanczos"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=_ROOT)
    assert done.returncode == 0, done.stderr
    assert "| lanczos | codes |" in done.stdout
