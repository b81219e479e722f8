# SPDX-License-Identifier: Apache-2.0
"""Publishing from the command line: exit codes, a studio's plug-ins, the guide's commands, the report in a browser."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.contracts.plate import Plate, Window
from understudy.frames.write import write_plate

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not importlib.util.find_spec("pyblish"), reason="needs pyblish-base"),
]

_CHROMIUM, _DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
_GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "publish.md"
_GRAPH = """\
schema: understudy.graph/1
rights: {talent: false, use: temporary}
nodes:
  plate: {type: read, file: plate/plate.%04d.exr}
  slow: {type: interpolate, input: plate, speed: 0.5}
  out: {type: write, input: slow, file: out/sh010.%04d.exr}
"""


def understudy(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "understudy", *arguments],
        cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def events(done: subprocess.CompletedProcess[str], kind: str) -> list[dict[str, Any]]:
    return [event for event in map(json.loads, done.stdout.splitlines()) if event["event"] == kind]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shot")
    texture = np.random.default_rng(5).random((12, 16, 3)).astype(np.float32).repeat(6, 0).repeat(6, 1)
    for index in range(3):
        plate = Plate(
            pixels=np.roll(texture, 2 * index, 1),
            channels=("R", "G", "B"),
            sample_types=("half",) * 3,
            data_window=Window(0, 0, 96, 72),
            display_window=Window(0, 0, 96, 72),
            colorspace="ACEScg",
        )
        write_plate(plate, folder / "plate" / f"plate.{1001 + index}.exr")
    (folder / "slow.yaml").write_text(_GRAPH)
    done = understudy("render", "slow.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def shot(rendered: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(rendered, tmp_path / "shot"))


def test_a_publish_makes_a_version_with_review_and_says_so(shot: Path) -> None:
    done = understudy("publish", "out", "--to", "root", "--target", "farm", "--json", cwd=shot)
    assert done.returncode == 0, done.stderr
    (instance,) = events(done, "instance")
    version = shot / "root" / "sh010" / "v001"
    assert (instance["version"], Path(shot, instance["publishDir"])) == (1, version)
    names = {path.relative_to(version).as_posix() for path in version.rglob("*") if path.is_file()}
    assert {f"sh010.{frame}.exr" for frame in range(1001, 1006)} < names
    assert {"version.json", "sh010.provenance.json", "review/sh010.thumbnail.jpg"} < names
    boms = [json.loads((version / name).read_bytes()) for name in names if name.startswith("mlbom/")]
    record = json.loads((version / "sh010.provenance.json").read_bytes())
    packs = [pack for job in record["jobs"].values() for pack in job["packs"]]
    assert sorted(bom["serialNumber"] for bom in boms) == sorted(pack["bom_serial"] for pack in packs)
    hashes = {hashlib.sha256((version / name).read_bytes()).hexdigest() for name in names if name.startswith("mlbom/")}
    assert hashes == {pack["bom_sha256"] for pack in packs}
    assert "mlbom" in {one["name"] for one in json.loads((version / "version.json").read_bytes())["representations"]}
    if importlib.util.find_spec("av"):
        assert {"review/sh010.mp4", "review/sh010.mov"} < names
    integrated = [event for event in events(done, "plugin") if event["name"] == "IntegrateVersion"]
    assert [event["ok"] for event in integrated] == [True]
    verified = understudy("provenance", "verify", str(version), "--json", cwd=shot)
    assert [event["event"] for event in map(json.loads, verified.stdout.splitlines())] == ["verified"], "without a word"
    (version / "review" / "sh010.thumbnail.jpg").chmod(0o644)
    (version / "review" / "sh010.thumbnail.jpg").write_bytes(b"another picture")
    verified = understudy("provenance", "verify", str(version), "--json", cwd=shot)
    assert verified.returncode == 5
    assert [event["check"] for event in events(verified, "finding")] == ["file-altered"]
    again = understudy("publish", "out", "--to", "root", "--movies", "none", "--json", cwd=shot)
    assert again.returncode == 0, again.stderr
    assert events(again, "instance")[0]["version"] == 1, "the same content is the same version"


def test_versions_of_products_of_one_folder_verify_on_their_own(shot: Path) -> None:
    look = "  look: {type: color, input: plate, to: ACES2065-1}\n"
    (shot / "slow.yaml").write_text(_GRAPH + look + "  two: {type: write, input: look, file: out/two.%04d.exr}\n")
    assert understudy("render", "slow.yaml", cwd=shot).returncode == 0
    done = understudy("publish", "out", "--to", "root", "--movies", "none", "--json", cwd=shot)
    assert done.returncode == 0, done.stdout
    for name in ("sh010", "two"):
        verified = understudy("provenance", "verify", f"root/{name}/v001", "--json", cwd=shot)
        assert [event["event"] for event in map(json.loads, verified.stdout.splitlines())] == ["verified"], name
    told = understudy("provenance", "verify", "out/two.provenance.json", "--json", cwd=shot)
    assert [(event["check"], event["severity"]) for event in events(told, "finding")] == [("files-beside", "note")]
    assert told.returncode == 0


def test_checks_that_fail_end_in_5_and_rights_in_7_and_nothing_is_published(shot: Path) -> None:
    (shot / "out" / "sh010.1002.exr").unlink()
    done = understudy("publish", "out", "--to", "root", "--json", cwd=shot)
    assert done.returncode == 5
    assert [event["check"] for event in events(done, "finding") if event["severity"] == "error"] == ["frames-missing"]
    done = understudy("publish", "out", "--to", "root", "--final", "--json", cwd=shot)
    assert done.returncode == 7
    assert not (shot / "root").exists()


def test_a_policy_reaches_the_checks(shot: Path) -> None:
    head = 'schema = "understudy.policy/1"\n[show]\nname = "ABC"\napproved_by = "Ann"\n'
    (shot / "show.toml").write_text(head + '[packs]\ndeny = ["flow-projection"]\n')
    for how in ({"UNDERSTUDY_POLICY": str(shot / "show.toml")}, {}):
        options = [] if how else ["--policy", "show.toml"]
        done = understudy("publish", "out", "--to", "root", *options, cwd=shot, **how)
        assert done.returncode == 7
        assert 'show "ABC" refuses flow-projection' in done.stdout


def _plug_in(folder: Path, text: str) -> str:
    folder.mkdir()
    (folder / "studio.py").write_text("import pyblish.api\n" + text)
    return str(folder)


def test_a_studio_s_plug_in_can_refuse(shot: Path) -> None:
    text = (
        "class ValidateStudio(pyblish.api.InstancePlugin):\n"
        "    order = pyblish.api.ValidatorOrder\n"
        "    def process(self, instance):\n"
        "        print('to stdout')\n"
        "        raise ValueError('not on a Friday')\n"
    )
    path = _plug_in(shot / "studio", text)
    done = understudy("publish", "out", "--to", "root", "--json", cwd=shot, PYBLISHPLUGINPATH=path)
    assert done.returncode == 5
    assert [event["problem"] for event in events(done, "plugin") if not event["ok"]] == ["not on a Friday"]
    assert not (shot / "root").exists()


def test_a_plug_in_that_does_not_load_is_no_success(shot: Path) -> None:
    path = _plug_in(shot / "studio", "import nowhere\n")
    done = understudy("publish", "out", "--to", "root", "--movies", "none", "--json", cwd=shot, PYBLISHPLUGINPATH=path)
    assert done.returncode == 1
    assert "could not load" in events(done, "problem")[0]["problem"]


def test_a_publish_that_nobody_integrates_is_no_success(shot: Path) -> None:
    text = (
        "class CollectStudio(pyblish.api.ContextPlugin):\n"
        "    order = pyblish.api.CollectorOrder + 0.4\n"
        "    def process(self, context):\n"
        "        for instance in context:\n"
        "            instance.data['families'] = ['other']\n"
        "            instance.data['family'] = 'other'\n"
    )
    path = _plug_in(shot / "studio", text)
    done = understudy("publish", "out", "--to", "root", "--json", cwd=shot, PYBLISHPLUGINPATH=path)
    assert done.returncode == 1
    assert events(done, "problem")[0]["problem"] == "no integrator ran for sh010"


def test_without_a_root_it_says_what_is_lacking(shot: Path) -> None:
    done = understudy("publish", "out", cwd=shot)
    assert done.returncode == 2
    assert "no publish root was named" in done.stderr
    assert understudy("publish", "nowhere", "--to", "root", cwd=shot).returncode == 3


def test_the_guide_s_commands_work(rendered: Path, tmp_path: Path) -> None:
    if not _GUIDE.is_file():
        pytest.skip("docs/ is not beside these tests")
    text = _GUIDE.read_text(encoding="utf-8")
    shutil.copytree(rendered / "plate", tmp_path / "plate")
    rights = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[0]
    (tmp_path / "slow.yaml").write_text(_GRAPH.replace("rights: {talent: false, use: temporary}\n", rights))
    (tmp_path / "show.toml").write_text(re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[0])
    commands = re.findall(r"^\$ understudy (.*)$", text, re.MULTILINE)
    assert len(commands) >= 6
    for command in commands:
        done = understudy(*command.split(), cwd=tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert (tmp_path / "published" / "sh010" / "v001" / "version.json").is_file()


@pytest.fixture(scope="module")
def pages(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of a refused and of a good publish."""
    folder = tmp_path_factory.mktemp("reports")
    good = Path(shutil.copytree(rendered, folder / "good"))
    done = understudy(
        "publish", "out", "--to", "root", "--movies", "none", "--report", str(folder / "good.html"), cwd=good
    )
    assert done.returncode == 0, done.stderr
    bad = Path(shutil.copytree(rendered, folder / "bad"))
    (bad / "out" / "sh010.1002.exr").unlink()
    (bad / "out" / "sh010.1003.exr").write_bytes(b"<b>no picture</b>")
    done = understudy("publish", "out", "--check-only", "--final", "--report", str(folder / "bad.html"), cwd=bad)
    assert done.returncode == 7
    return folder


def test_the_report_asks_for_nothing(pages: Path) -> None:
    for name in ("good", "bad"):
        page = (pages / f"{name}.html").read_text(encoding="utf-8")
        assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
        assert not re.findall(r"url\(|@import|https?://|<script", page)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(_CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,1200"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(_DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.mark.browser
@pytest.mark.skipif(not (_CHROMIUM and _DRIVER), reason="needs chromium and chromedriver")
class TestReport:
    def test_a_refused_publish_says_what_must_be_fixed(self, pages: Path, browser: Any) -> None:
        browser.get((pages / "bad.html").as_uri())
        assert browser.find_element("css selector", "h1").text == "sh010 can't be published yet"
        found = browser.find_elements("css selector", ".findings .error")
        assert [one.get_attribute("data-check") for one in found] == [
            "frames-missing",
            "frames-unreadable",
            "approval-missing",
        ]
        assert "frame 1002 is not there." in found[0].text
        assert "To do:" in found[0].text
        failed = browser.find_elements("css selector", ".families .error")
        assert "Every frame is there and whole" in failed[0].text
        assert browser.find_element("css selector", ".product").get_attribute("data-state") == "refused"

    def test_a_good_publish_says_where_it_is_and_who_made_it(self, pages: Path, browser: Any) -> None:
        browser.get((pages / "good.html").as_uri())
        assert browser.find_element("css selector", "h1").text == "1 product published"
        text = browser.find_element("css selector", ".product").text
        for words in ("v001", "flow-projection@", "were made between two frames of the plate", "green", "none named"):
            assert words in text
        assert browser.find_elements("css selector", ".findings .error") == []

    def test_every_picture_is_shown_and_nothing_is_complained_of(self, pages: Path, browser: Any) -> None:
        for name, count in (("good", 5), ("bad", 3)):
            browser.get((pages / f"{name}.html").as_uri())
            widths = browser.execute_script("return [...document.images].map((image) => image.naturalWidth)")
            assert len(widths) == count
            assert min(widths) > 0
        assert browser.get_log("browser") == []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_can_be_read_in_both_schemes_and_on_a_phone(self, pages: Path, browser: Any, scheme: str) -> None:
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        size = {"width": 380, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        try:
            browser.get((pages / "bad.html").as_uri())
            width = browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= 380, "nothing sticks out"
            assert _contrasts(browser) >= 4.5
        finally:
            browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def _contrasts(browser: Any) -> float:
    """The least contrast of text on what is behind it (WCAG 2.2, 1.4.3)."""
    return float(
        browser.execute_script(
            """
            const light = (text) => text.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
              .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
              .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
            const behind = (element) => {
              for (; element; element = element.parentElement) {
                const color = getComputedStyle(element).backgroundColor;
                if (!/, 0\\)$/.test(color)) return color;
              }
              return "rgb(255, 255, 255)";
            };
            let least = 21;
            for (const element of document.querySelectorAll("main *")) {
              const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
              if (!own || element.classList.contains("hidden")) continue;
              const a = light(getComputedStyle(element).color), b = light(behind(element));
              least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
            }
            return least;
            """
        )
    )
