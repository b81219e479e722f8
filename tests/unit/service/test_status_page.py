# SPDX-License-Identifier: Apache-2.0
"""What the page shows, and what it must not."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from understudy.service.activity import Activity, OpenRequest, PastError
from understudy.service.metrics import QueueFacts
from understudy.service.status_page.page import page_html, size_text, time_text
from understudy.service.status_page.status import DeviceRow, PackRow, Status
from understudy.service.watching import without_folders

STATUS = Status(
    state="serving",
    version="1.2.3",
    host="gpu-01",
    addresses=("127.0.0.1:7433",),
    uptime_s=3725.0,
    rss_bytes=1_500_000_000,
    queue=QueueFacts(open_requests=3, waiting=1, busy_workers=2, workers=4, held_bytes=66_000_000),
    waiting=(("interactive", 1),),
    requests=(OpenRequest(request_id="up.1003", role="upscale", pack="p@1", stage="run", done=3, total=4, since=90.0),),
    now=100.0,
    devices=(DeviceRow(name="cuda:0", packs=1, resident_bytes=2_000_000_000),),
    packs=(PackRow(name="p@1.0.0", digest="abcdef01", role="upscale", state="failed", problem="no model.onnx"),),
    broken=(("bad", "no manifest"),),
    errors=(
        PastError(
            time=datetime(2026, 1, 2, 3, 4, tzinfo=UTC), kind="PlateError", role="upscale", pack="p", request_id="q"
        ),
    ),
)


def test_everything_is_on_it() -> None:
    page = page_html(STATUS).decode()
    for text in ("gpu-01", "serving", "1 h 2 min", "1.5 GB", "1 interactive", "up.1003", "75 %", "10 s", "cuda:0",
                 "2.0 GB", "no model.onnx", "no manifest", "PlateError", "2026-01-02 03:04:00 UTC"):  # fmt: skip
        assert text in page, text


def test_what_clients_send_is_no_markup() -> None:
    request = replace(STATUS.requests[0], request_id="<script>alert(1)</script>", pack='"><img src=x>')
    page = page_html(replace(STATUS, requests=(request,))).decode()
    assert "<script>alert" not in page
    assert "<img" not in page


def test_it_asks_for_nothing_from_elsewhere() -> None:
    page = page_html(STATUS).decode()
    assert "http://" not in page
    assert "https://" not in page
    assert "style=" not in page  # its own policy would refuse it


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("can't read /secret/show/models/p/model.onnx: no such file", "can't read model.onnx: no such file"),
        ("/a/b/c.py and C:\\x\\y\\z.onnx", "c.py and z.onnx"),
        ("weights do not match", "weights do not match"),
    ],
)
def test_folders_are_left_out_of_problems(text: str, left: str) -> None:
    assert without_folders(text) == left


def test_sizes_and_times_are_for_people() -> None:
    assert [size_text(n) for n in (0, 12, 1500, 66_400_000, 2e9)] == ["0", "12 B", "1.5 kB", "66 MB", "2.0 GB"]
    times = [0.04, 4.25, 59.4, 61, 3600, 90061]
    assert [time_text(s) for s in times] == ["0.0 s", "4.2 s", "59 s", "1 min 1 s", "1 h", "1 d 1 h"]


def test_activity_remembers_what_is_open_and_the_last_errors() -> None:
    activity = Activity()
    first, second = activity.begin("a"), activity.begin("b")
    activity.change(first, role="motion", done=1, total=2)
    activity.end(second)
    activity.change(second, role="late")
    (request,) = activity.open_requests()
    assert (request.request_id, request.role, request.done) == ("a", "motion", 1)
    for number in range(30):
        activity.failed(f"Error{number}")
    assert [error.kind for error in activity.last_errors()][:2] == ["Error29", "Error28"]
    assert len(activity.last_errors()) == 10
