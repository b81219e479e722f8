# SPDX-License-Identifier: Apache-2.0
"""The flow network and its task: what must hold before anything is learned."""

import warnings
from unittest import mock

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from understudy_training.export import OPSET  # noqa: E402 - torch may be missing
from understudy_training.flow_confidence import Judged, extras_of, table_of  # noqa: E402
from understudy_training.networks.flow import FlowNetwork  # noqa: E402
from understudy_training.networks.flow_graph import WHITE, FlowGraph, looked_up, settled, toned  # noqa: E402
from understudy_training.networks.flow_matching import match_around, match_everywhere, unit, warped  # noqa: E402
from understudy_training.task import load_task  # noqa: E402
from understudy_training.tasks.flow import FlowTask  # noqa: E402

torch.set_num_threads(1)
OPTIONS = {"batch": 1, "height": 64, "width": 96, "pictures": 4, "picture_size": 64, "shapes": 6, "held_out": 1}


def noise(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_matching_everywhere_finds_what_moved_however_far():
    features = noise(1, 24, 6, 10) - 0.5
    moved = features.roll((2, 5), dims=(2, 3))
    flow, sure = match_everywhere(unit(features), unit(moved), torch.tensor(90.0), torch.tensor(0.0))
    torch.testing.assert_close(flow[:, :, :4, :5], torch.tensor([5.0, 2.0])[None, :, None, None].expand(1, 2, 4, 5))
    assert float(sure.min()) > 0.9


def test_where_all_looks_the_same_the_match_stays_near():
    flat = torch.ones(1, 4, 5, 9)
    flow, _ = match_everywhere(flat, flat, torch.tensor(10.0), torch.tensor(400.0))
    assert float(flow[:, :, 2, 4].abs().max()) < 1e-4


def test_matching_around_is_the_same_in_a_graph():
    here, there = noise(2, 5, 7, 8), noise(2, 5, 7, 8, seed=2)
    trained = match_around(here, there, 2)
    with mock.patch("torch.onnx.is_in_onnx_export", return_value=True):
        torch.testing.assert_close(match_around(here, there, 2), trained)
    torch.testing.assert_close(trained[:, 12], (here * there).sum(dim=1))  # the middle one


def test_warping_by_whole_pixels_shifts():
    image = noise(1, 3, 8, 9)
    flow = torch.tensor([2.0, -1.0])[None, :, None, None].expand(1, 2, 8, 9)
    torch.testing.assert_close(warped(image, flow)[:, :, 1:, :7], image[:, :, :7, 2:])


def test_tones_rise_and_reach_from_black_to_the_brightest():
    code = torch.linspace(0, 1, 300)
    tones = toned(code)
    assert (tones.diff() > 0).all()
    assert float(tones[0]) == 0
    assert float(tones[-1]) == pytest.approx(1)
    assert float(toned(torch.tensor(WHITE))) == pytest.approx(0.95, abs=0.001)


def test_a_table_is_looked_up_between_and_held_beyond_its_ends():
    table = torch.tensor([[0.0, 1.0, 3.0], [1.0, 0.5, 0.2]])
    found = looked_up(table, torch.tensor([-5.0, 0.5, 2.0, 9.0]))
    torch.testing.assert_close(found, torch.tensor([1.0, 0.75, 0.35, 0.2]))


def test_both_directions_are_one_network_and_pairs_do_not_mix():
    network = FlowNetwork(coarse=1, fine=1).eval()
    a, b = noise(2, 3, 32, 48), noise(2, 3, 32, 48, seed=2)
    with torch.no_grad():
        both, turned, alone = network(a, b).flow, network(b, a).flow, network(a[:1], b[:1]).flow
    torch.testing.assert_close(both[:2], turned[2:])
    torch.testing.assert_close(both[2:], turned[:2])
    torch.testing.assert_close(both[::2], alone)


def test_brightness_makes_no_difference():
    network = FlowNetwork(coarse=1, fine=1).eval()
    a, b = noise(1, 3, 32, 48), noise(1, 3, 32, 48, seed=2)
    with torch.no_grad():
        torch.testing.assert_close(network(a, b).flow, network(a * 0.5, b * 0.5).flow, atol=0.02, rtol=0)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A graph and its module; few places, so that the larger sizes are matched coarser than at a sixteenth."""
    runtime = pytest.importorskip("onnxruntime")
    graph = FlowGraph(FlowNetwork(most_places=10, coarse=1, fine=1)).eval()
    pair = {"a": noise(1, 3, 64, 64), "b": noise(1, 3, 64, 64)}
    names = ("forward", "backward", "forward_confidence", "backward_confidence")
    axes = {name: {2: "height", 3: "width"} for name in (*pair, *names)}
    path = str(tmp_path_factory.mktemp("graph") / "model.onnx")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that become constants: the test is whether they do
        torch.onnx.export(graph, tuple(pair.values()), path, input_names=list(pair), output_names=list(names),
                          dynamic_axes=axes, opset_version=OPSET, dynamo=False)  # fmt: skip
    return graph, runtime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("size", [(32, 64), (64, 48), (96, 96)])
def test_the_graph_answers_as_torch_does_at_any_size(size, exported):
    graph, session = exported
    a, b = noise(1, 3, *size), noise(1, 3, *size, seed=2)
    with torch.no_grad():
        expected = graph(a, b)
    for found, wanted in zip(session.run(None, {"a": a.numpy(), "b": b.numpy()}), expected, strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), atol=2e-3)


def test_a_step_of_the_task_learns_and_draws_the_same_batch_for_the_same_seed():
    task = load_task("flow", OPTIONS)
    torch.manual_seed(1)
    network = task.network()
    batch = task.batch(torch.Generator().manual_seed(4), torch.device("cpu"))
    again = task.batch(torch.Generator().manual_seed(4), torch.device("cpu"))
    assert all(torch.equal(batch[name], again[name]) for name in ("a", "b", "flow", "seen"))
    torch.manual_seed(2)
    loss, terms = task.loss(network, batch, 0.0)
    loss.backward()
    norms = [float(parameter.grad.norm()) for parameter in network.parameters()]
    assert all(np.isfinite(norms))
    assert min(norms) > 0  # every weight takes part
    assert {"epe", "doubt", "occlusion"} <= set(terms)


def test_a_table_of_confidence_falls_with_doubt_and_holds_what_it_promises():
    rng = np.random.default_rng(3)
    doubt = rng.normal(0, 1.5, 4000)
    error = np.exp(doubt) * rng.exponential(1, 4000)
    table = table_of(Judged(doubt, error))
    assert (table[0].diff() > 0).all()
    assert (table[1].diff() <= 0).all()
    fresh = Judged(*(each[::-1].copy() for each in (doubt, error)))
    extras = extras_of(table, fresh, "Test")
    assert extras.figures["expected_calibration_error"] < 0.03
    assert extras.figures["auroc_error_over_1"] > 0.75
    assert set(extras.files) == {"sparsification.svg", "reliability.svg"}


def test_another_view_of_a_batch_keeps_the_truth_true():
    task = FlowTask({**OPTIONS, "height": 48, "width": 64, "room": 16, "motion": [2.0, 2.0]})
    batch = task.batch(torch.Generator().manual_seed(4), torch.device("cpu"))
    assert batch["a"].shape == (1, 3, 64, 80)
    for seed in range(4):
        view = task.vary(dict(batch), torch.Generator().manual_seed(seed))
        assert view["a"].shape == (1, 3, 48, 64)
        ends = warped(view["b"], view["flow"][:1])
        error = (ends - view["a"]).abs().mean(dim=1, keepdim=True)[view["seen"][:1]]
        still = (view["b"] - view["a"]).abs().mean(dim=1, keepdim=True)[view["seen"][:1]]
        assert float(error.mean()) < 0.7 * float(still.mean())


def test_a_still_picture_stands_still_and_motion_is_left_alone():
    a, flow = noise(1, 3, 20, 24), (noise(2, 2, 20, 24) - 0.5) * 0.3
    assert float(settled(flow, a, a).abs().max()) == 0
    torch.testing.assert_close(settled(flow, a, a.roll(1, 3)), flow)
    torch.testing.assert_close(settled(flow + 5, a, a), flow + 5, atol=0.1501, rtol=0)
