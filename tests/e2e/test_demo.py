# SPDX-License-Identifier: Apache-2.0
"""The demo from the command line, and its report in a browser."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from understudy.demo.run import claim_folder

pytestmark = pytest.mark.e2e

_CHROMIUM, _DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
CENTER = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"
_ROLES = ("motion", "interpolate", "upscale", "relight")


def understudy(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "understudy", *arguments], capture_output=True, text=True, timeout=280)


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "out"
    done = understudy("demo", str(out), "--quick", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["event"] == "report"
    assert Path(events[-1]["file"]) == out / "report.html"
    (out / "events.json").write_text(json.dumps(events), encoding="utf-8")
    return out


@pytest.mark.slow
class TestRun:
    def test_every_role_keeps_every_value(self, demo_folder: Path) -> None:
        roles = {role["role"]: role for role in json.loads((demo_folder / "demo.json").read_text())["roles"]}
        assert tuple(roles) == _ROLES
        for name, role in roles.items():
            assert role["probe_line"] == "in max 500.0 → out max 500.0 · clamped 0 px", name
            assert role["holds"], (name, role["checks"])

    def test_progress_grows_to_its_end(self, demo_folder: Path) -> None:
        events = json.loads((demo_folder / "events.json").read_text())
        percent = [event["done"] for event in events if event["event"] == "stage"]
        assert percent == sorted(percent)
        assert percent[-1] == 100

    def test_drafts_lie_where_the_finals_do(self, demo_folder: Path) -> None:
        drafts = json.loads((demo_folder / "demo.json").read_text())["drafts"]
        assert [draft["role"] for draft in drafts] == list(_ROLES)
        assert max(draft["shift"] for draft in drafts) < 1
        assert list((demo_folder / "upscale").glob("double.draft.*.exr"))

    def test_the_roles_beat_doing_nothing(self, demo_folder: Path) -> None:
        roles = {role["role"]: role for role in json.loads((demo_folder / "demo.json").read_text())["roles"]}
        rows = {row[0]: float(row[1].split()[0]) for row in roles["interpolate"]["table"]["rows"]}
        assert rows["flow-projection"] > rows["frame blending"] + 3
        rows = {row[0]: float(row[1].split()[0]) for row in roles["relight"]["table"]["rows"]}
        assert rows["plate × new ÷ present light"] > rows["the plate, not relit"] + 3

    def test_the_report_asks_for_nothing(self, demo_folder: Path) -> None:
        page = (demo_folder / "report.html").read_text()
        assert not re.findall(r"""src=["'](?!data:|#)""", page)
        links = re.findall(r"""href=["'](?!data:|#)([^"']*)""", page)
        roles = json.loads((demo_folder / "demo.json").read_text())["roles"]
        assert links == [role["record"] for role in roles], "the records beside it, and nothing else"
        assert all((demo_folder / link).is_file() for link in links)
        assert not re.findall(r"url\(|@import|https?://", page)

    def test_every_render_of_it_is_on_record(self, demo_folder: Path) -> None:
        graphs = sorted(path.stem for path in (demo_folder / "graphs").glob("*.yaml"))
        assert len(graphs) >= 7
        for name in graphs:
            done = understudy("provenance", "verify", str(demo_folder / name), "--json")
            assert done.returncode == 0, done.stdout
            assert {json.loads(line)["event"] for line in done.stdout.splitlines()} == {"verified"}, name

    def test_its_graphs_can_be_rendered_again(self, demo_folder: Path) -> None:
        done = understudy("render", str(demo_folder / "graphs" / "relight.yaml"), "--frames", "1012", "--json")
        assert done.returncode == 0, done.stderr

    def test_it_may_run_again_in_its_own_folder(self, demo_folder: Path) -> None:
        claim_folder(demo_folder)


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.exr").write_bytes(b"mine")
    done = understudy("demo", str(tmp_path))
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious.exr"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = understudy("demo", str(tmp_path / "file"))
    assert done.returncode == 2
    assert "is a file" in done.stderr


@pytest.fixture(scope="module")
def page(demo_folder: Path) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(_CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(_DRIVER)))
    try:
        driver.get((demo_folder / "report.html").as_uri())
        yield driver
    finally:
        driver.quit()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not (_CHROMIUM and _DRIVER), reason="needs chromium and chromedriver")
class TestPage:
    def test_four_roles_with_their_probe_lines(self, page: Any) -> None:
        sections = page.find_elements("css selector", "section.role")
        assert [section.get_attribute("data-role") for section in sections] == list(_ROLES)
        for section in sections:
            probe = section.find_element("css selector", ".probe")
            assert probe.text == "in max 500.0 → out max 500.0 · clamped 0 px"
            assert "ok" in probe.get_attribute("class").split()

    def test_every_picture_decodes(self, page: Any) -> None:
        broken = page.execute_async_script(
            """
            const done = arguments[arguments.length - 1];
            const pictures = JSON.parse(document.getElementById("pictures").textContent);
            Promise.all(Object.entries(pictures).map(async ([key, source]) => {
              const image = new Image();
              image.src = source;
              try { await image.decode(); } catch (error) { return key; }
              return image.naturalWidth > 0 ? null : key;
            })).then((keys) => done(keys.filter(Boolean)));
            """
        )
        assert broken == []
        shown = "return [...document.querySelectorAll('.screen > img:not([hidden])')].map((i) => i.naturalWidth)"
        assert min(page.execute_script(shown)) > 0

    def test_the_wipe_moves_by_keyboard_and_changes_the_picture(self, page: Any) -> None:
        from selenium.webdriver.common.keys import Keys

        figure = page.find_element("css selector", "[data-viewer=motion]")
        screen, wipe = figure.find_element("css selector", ".screen"), figure.find_element("css selector", ".wipe")
        before, clip = screen.screenshot_as_png, self._clip(page, figure)
        wipe.send_keys(Keys.PAGE_UP, Keys.PAGE_UP, Keys.ARROW_RIGHT)
        assert int(wipe.get_attribute("value")) > 50
        assert self._clip(page, figure) != clip
        assert screen.screenshot_as_png != before

    def test_the_wipe_moves_by_mouse(self, page: Any) -> None:
        from selenium.webdriver import ActionChains

        figure = page.find_element("css selector", "[data-viewer=relight]")
        screen, wipe = figure.find_element("css selector", ".screen"), figure.find_element("css selector", ".wipe")
        page.execute_script(CENTER, screen)
        width = screen.size["width"]
        drag = ActionChains(page).move_to_element(screen).click_and_hold().move_by_offset(-width // 4, 0).release()
        drag.perform()
        assert int(wipe.get_attribute("value")) == pytest.approx(25, abs=2)
        page.execute_script("arguments[0].focus()", wipe)

    def test_layers_frames_and_doubt_change_what_is_shown(self, page: Any) -> None:
        from selenium.webdriver.common.keys import Keys
        from selenium.webdriver.support.select import Select

        figure = page.find_element("css selector", "[data-viewer=interpolate]")
        right = figure.find_element("css selector", "img.right")
        first = right.get_attribute("src")
        Select(figure.find_element("css selector", ".pick-right")).select_by_value("true")
        second = right.get_attribute("src")
        scrub, now = figure.find_element("css selector", ".scrub"), figure.find_element("css selector", ".now")
        scrub.send_keys(Keys.END)
        assert len({first, second, right.get_attribute("src")}) == 3
        assert "bit for bit" in now.text
        scrub.send_keys(Keys.ARROW_LEFT)
        assert "made" in now.text
        doubt = figure.find_element("css selector", "img.doubt")
        assert not doubt.is_displayed()
        button = figure.find_element("css selector", ".show-doubt")
        page.execute_script(CENTER, button)
        button.click()
        assert doubt.is_displayed()
        assert page.execute_script("return arguments[0].naturalWidth", doubt) > 0

    def test_copy_answers(self, page: Any) -> None:
        button = page.find_element("css selector", "#motion .copy")
        page.execute_script(CENTER, button)
        button.click()
        page.execute_async_script("setTimeout(arguments[0], 200)")
        assert button.text == "Copied"

    def test_a_phone_shows_it_without_sideways_scrolling(self, page: Any) -> None:
        phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
        page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        try:
            assert page.execute_script("return document.documentElement.scrollWidth") <= 390
        finally:
            page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def test_the_console_stays_silent_and_nothing_is_fetched(self, page: Any, tmp_path: Path) -> None:
        assert page.get_log("browser") == []
        fetched = page.execute_script("return performance.getEntriesByType('resource').map((e) => e.name)")
        assert [name for name in fetched if not name.startswith("data:")] == []
        assert page.save_screenshot(str(tmp_path / "report.png"))
        assert (tmp_path / "report.png").stat().st_size > 10_000

    @staticmethod
    def _clip(page: Any, figure: Any) -> str:
        image = figure.find_element("css selector", "img.right")
        return str(page.execute_script("return getComputedStyle(arguments[0]).clipPath", image))
