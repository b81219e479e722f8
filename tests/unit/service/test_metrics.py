# SPDX-License-Identifier: Apache-2.0
"""What is counted, under which labels, and that their number is bounded."""

from prometheus_client.parser import text_string_to_metric_families

from understudy.contracts.engine import PackState
from understudy.contracts.jobs import PackPin
from understudy.service.metrics import Metrics, QueueFacts

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(metrics: Metrics) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def pin(pack: str, version: str = "1.0.0") -> PackPin:
    return PackPin(id=pack, version=version, sha256=(pack + version).encode().hex().ljust(64, "0"))


def test_requests_are_counted_by_role_pack_and_outcome() -> None:
    metrics = Metrics()
    metrics.knows_packs(["lanczos"])
    for error in ("", "", "JobCancelledError", "ClientGone", "BusyError", "PlateError"):
        metrics.request_ended("upscale", "lanczos", error, 0.2)
    metrics.request_ended("nonsense", "a/path/or name", "", 0.2)
    found = samples(metrics)

    def requests(outcome: str, pack: str = "lanczos", role: str = "upscale") -> float:
        return found["understudy_requests_total", (("outcome", outcome), ("pack", pack), ("role", role))]

    assert [requests(o) for o in ("done", "cancelled", "refused", "failed")] == [2, 2, 1, 1]
    assert requests("done", "other", "other") == 1
    assert found["understudy_request_seconds_count", (("role", "upscale"),)] == 2


def test_labels_are_bounded_whatever_clients_send() -> None:
    metrics = Metrics()
    for number in range(1000):
        metrics.knows_packs([f"pack-{number}"])
        metrics.request_ended(f"role-{number}", f"pack-{number}", f"Error{number}", 0.1)
        metrics.failed(f"Error{number}")
    packs = {dict(labels)["pack"] for name, labels in samples(metrics) if name == "understudy_requests_total"}
    assert len(packs) == 201
    errors = {labels for name, labels in samples(metrics) if name == "understudy_errors_total"}
    assert errors == {(("error", "Internal"),)}


def test_stages_and_bytes_add_up() -> None:
    metrics = Metrics()
    metrics.stage_seconds("run", "motion", 0.5)
    metrics.stage_seconds("run", "motion", 1.5)
    metrics.pixels_received("stream", 100)
    metrics.pixels_received("stream", 20)
    metrics.pixels_sent("shared-memory", 7)
    found = samples(metrics)
    assert found["understudy_stage_seconds_sum", (("role", "motion"), ("stage", "run"))] == 2.0
    assert found["understudy_pixel_bytes_total", (("direction", "in"), ("transport", "stream"))] == 120
    assert found["understudy_pixel_bytes_total", (("direction", "out"), ("transport", "shared-memory"))] == 7


def test_what_is_so_now_is_asked_at_each_scrape() -> None:
    metrics = Metrics()
    metrics.knows_packs(["a", "b"])
    states = [
        PackState(pin=pin("a"), state="ready", device="cpu", users=2, resident_bytes=300),
        PackState(pin=pin("a", "2.0.0"), state="ready", device="cpu", resident_bytes=50),
        PackState(pin=pin("b"), state="failed", problem="no"),
    ]
    facts = QueueFacts(waiting=3, busy_workers=1, workers=2, held_bytes=10)
    metrics.watch(lambda: facts, lambda: states)
    found = samples(metrics)
    assert found["understudy_pack_state", (("pack", "a"), ("state", "ready"))] == 2
    assert found["understudy_pack_state", (("pack", "b"), ("state", "failed"))] == 1
    assert found["understudy_pack_state", (("pack", "b"), ("state", "ready"))] == 0
    assert found["understudy_pack_resident_bytes", (("pack", "a"),)] == 350
    assert found["understudy_pack_users", (("pack", "a"),)] == 2
    assert found["understudy_queue_length", ()] == 3
    states.clear()
    assert ("understudy_pack_resident_bytes", (("pack", "a"),)) not in samples(metrics)


def test_the_process_is_told_of() -> None:
    found = samples(Metrics())
    for name in ("process_resident_memory_bytes", "process_open_fds", "understudy_threads"):
        assert found[name, ()] > 0


def test_what_is_described_is_what_is_scraped() -> None:
    metrics = Metrics()
    described = {name.removesuffix("_total"): (kind, text) for name, kind, _, text in metrics.described}
    families = {
        family.name: (family.type, family.documentation)
        for family in metrics.registry.collect()
        if not family.name.startswith("process_")
    }
    assert described == families
