# SPDX-License-Identifier: Apache-2.0
"""The status page of a real service in a real browser."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contract.service.rig import wait_until
from e2e.test_serve import Process, shot, started
from understudy.client.engine import RemoteEngine
from understudy.contracts.engine import Control
from understudy.contracts.errors import JobCancelledError, PackNotFoundError
from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import Window

_CHROMIUM, _DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.skipif(not (_CHROMIUM and _DRIVER), reason="needs chromium and chromedriver"),
]


@pytest.fixture(scope="module")
def service() -> Iterator[Process]:
    with started("--port", "0", "--status", "127.0.0.1:0", "--workers", "1") as process:
        yield process
        process.stop()


@pytest.fixture(scope="module")
def client(service: Process) -> Iterator[RemoteEngine]:
    engine = RemoteEngine(service.address, timeout_s=120)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def page(service: Process) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(_CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(_DRIVER)))
    try:
        driver.get(service.event["status"])
        yield driver
    finally:
        driver.quit()


def shown(page: Any, selector: str) -> str:
    """Text now on the page: it is replaced while one looks."""
    return str(page.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector))


def test_it_says_that_it_serves_and_lists_the_packs(page: Any, client: RemoteEngine) -> None:
    assert shown(page, "header .state") == "serving"
    rows = shown(page, ".packs tbody")
    for pack in client.info().packs:
        assert f"{pack.pin.id}@{pack.pin.version}" in rows
    assert "Nothing runs" in shown(page, "main")


def test_a_running_request_and_an_error_appear_by_themselves(page: Any, client: RemoteEngine) -> None:
    small = shot(0)
    pixels = np.tile(small.pixels, (12, 12, 1))
    window = Window(0, 0, pixels.shape[1], pixels.shape[0])
    plate = replace(small, pixels=pixels, data_window=window, display_window=window)
    params = UpscaleParams(scale=2, tile=64)
    request = RoleRequest(
        pack=PackPin(id="bicubic-back-projection"), params=params, plates={"plate": plate}, request_id="sh010.1001"
    )
    stop: list[bool] = []
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(client.run, request, Control(cancelled=lambda: bool(stop)))
        wait_until(lambda: "sh010.1001" in shown(page, ".requests tbody"), "the request")
        wait_until(lambda: "%" in shown(page, ".requests tbody"), "its progress")
        wait_until(lambda: "ready" in shown(page, ".packs tbody"), "its pack in memory")
        assert shown(page, "[data-fact=busy]").startswith("1")
        stop.append(True)
        with pytest.raises(JobCancelledError):
            job.result(60)
    with pytest.raises(PackNotFoundError):
        client.run(replace(request, pack=PackPin(id="no-such-pack"), request_id="sh010.1002"))
    wait_until(lambda: "sh010.1002" in shown(page, ".errors tbody"), "the error")
    assert "PackNotFoundError" in shown(page, ".errors tbody")


def test_a_phone_shows_it_without_sideways_scrolling(page: Any) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_words_can_be_read_in_light_and_dark(page: Any, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    ratios = page.execute_script(
        """
        const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
          .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
          return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
          if (!/, 0\\)$/.test(c)) return c; } return "rgb(255, 255, 255)"; };
        return [...document.querySelectorAll("h1,h2,p,small,td,th,.state,.quiet,footer,a")]
          .filter((e) => e.innerText.trim()).map((e) => {
            const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
            return (a + 0.05) / (b + 0.05); });
        """
    )
    assert min(ratios) >= 4.5  # WCAG 2.2, 1.4.3


def test_it_needs_nothing_from_elsewhere_and_the_console_stays_silent(page: Any, service: Process) -> None:
    fetched = page.execute_script("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert fetched
    assert [name for name in fetched if not name.startswith((service.event["status"], "data:"))] == []
    assert page.get_log("browser") == []
