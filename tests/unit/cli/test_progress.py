# SPDX-License-Identifier: Apache-2.0
"""What a person is told of a running job."""

import pytest

from understudy.cli.progress import ProgressBar

EVENT = {
    "event": "timings", "node": "up", "frame": 1001, "request_id": "up.1001.ab",
    "receive_s": 0.012, "queue_s": 0.5, "run_s": 2.0,
}  # fmt: skip


def test_a_service_s_times_are_told_when_they_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for verbose in (False, True):
        with ProgressBar(verbose=verbose) as bar:
            bar.hear(EVENT)
            bar.hear(EVENT | {"frame": None})
        told = capsys.readouterr().err
        line = "up frame 1001: the service took receive 12 ms, queue 500 ms, run 2000 ms (up.1001.ab)"
        assert (line in told, "up: the service took" in told) == (verbose, verbose)
