# SPDX-License-Identifier: Apache-2.0
"""The interpolation role: exact where nothing is to be made up, every kind of channel by its own rule."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from understudy.contracts.engine import Control
from understudy.contracts.errors import PlateError, UnderstudyError, UsageError
from understudy.contracts.jobs import InterpolateParams, MotionParams, PackPin, RoleRequest, RoleResult
from understudy.contracts.plate import Plate, SampleType, Window
from understudy.packs import write_hashes
from understudy.roles.engine import LocalEngine
from unit.roles.moving import HEIGHT, WIDTH, plate, shifted, texture

HALF = ((F(1, 2),),)


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(device="cpu")


def ask(
    engine: LocalEngine,
    outputs: Sequence[Sequence[F]] = HALF,
    *,
    pack: str = "flow-projection",
    motion_pack: str = "dis-draft",
    cut: bool = False,
    **plates: Plate,
) -> RoleResult:
    params = InterpolateParams(outputs=tuple(map(tuple, outputs)), motion_pack=motion_pack, cut=cut)
    return engine.run(RoleRequest(pack=PackPin(id=pack), params=params, plates=plates))


def moved(right: int, down: int = 0, seed: int = 0) -> tuple[Plate, Plate]:
    picture = texture(seed)
    return plate(shifted(picture, 0, 0)), plate(shifted(picture, right, down), frame=1002)


def vectors(kind: str, u: float, v: float, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Plate:
    return plate(np.broadcast_to(np.array([u, v], np.float32), (*size, 2)), [f"{kind}.u", f"{kind}.v"])


def test_whole_times_are_the_source_plates_themselves(engine: LocalEngine) -> None:
    a, b = moved(4)
    result = ask(engine, [(F(0),), (F(1),), (F(0),)], a=a, b=b)
    assert result.plates["0"] is a
    assert result.plates["1"] is b
    assert result.plates["2"] is a
    assert result.confidence is None


def test_the_middle_of_a_shift_is_half_of_it(engine: LocalEngine) -> None:
    picture = texture()
    a, b = plate(shifted(picture, 0, 0)), plate(shifted(picture, 6, -4))
    result = ask(engine, [(F(1, 2),), (F(1, 4),)], motion_pack="dis-good", a=a, b=b)
    middle = result.plates["0"]
    inner = np.s_[12:-12, 12:-12]
    assert np.abs(middle.pixels[inner][..., :3] - shifted(picture, 3, -2)[inner]).mean() < 0.005
    assert middle.channels == ("R", "G", "B", "confidence.Y")
    assert middle.sample_types == ("half", "half", "half", "half")
    assert middle.frame is None
    assert middle.take(["confidence.Y"])[inner].mean() > 0.8
    quarter = result.plates["1"].pixels[inner][..., :3]
    assert np.abs(quarter - shifted(picture, 1, -1)[inner]).mean() < np.abs(quarter - a.pixels[inner]).mean() / 2
    assert result.report["motion_pack"].startswith("dis-good@")


def test_still_pictures_come_back_bit_for_bit(engine: LocalEngine) -> None:
    rng = np.random.default_rng(0)
    pixels = (rng.standard_normal((HEIGHT, WIDTH, 4)) * 1e4).astype(np.float32)
    a = plate(pixels, ["R", "G", "B", "A"])
    b = replace(a, frame=1002)
    for times in ((F(1, 3),), (F(1, 7), F(2, 7), F(5, 7))):
        result = ask(engine, [times], a=a, b=b)
        assert result.plates["0"].pixels[..., :4].tobytes() == a.pixels.tobytes()
        assert result.report["same"]
    flicker = replace(b, pixels=b.pixels + np.array([0, 0, 0, 1], np.float32))  # no longer the same plate
    result = ask(engine, a=a, b=flicker, vectors_a=vectors("forward", 0, 0), vectors_b=vectors("backward", 0, 0))
    assert result.plates["0"].pixels[..., :3].tobytes() == np.ascontiguousarray(a.pixels[..., :3]).tobytes()


@pytest.mark.parametrize("given", [("vectors_a", "vectors_b"), ("vectors_a",), ("vectors_b",)])
def test_given_vectors_lead_the_pixels(engine: LocalEngine, given: tuple[str, ...]) -> None:
    picture = texture(2)
    a, b = plate(shifted(picture, 0, 0)), plate(shifted(picture, 8, -4))  # 8 right, 4 up
    known = {"vectors_a": vectors("forward", 8, 4), "vectors_b": vectors("backward", -8, -4)}
    chosen: dict[str, Any] = {name: known[name] for name in given}
    result = ask(engine, motion_pack="", a=a, b=b, **chosen)
    inner = np.s_[12:-12, 12:-12]
    assert np.array_equal(result.plates["0"].pixels[inner][..., :3], shifted(picture, 4, -2)[inner])
    assert result.report["vectors"].startswith("given")
    assert ("derived" in result.report["vectors"]) == (len(given) == 1)


def test_the_motion_role_s_own_plates_can_be_given_back(engine: LocalEngine) -> None:
    a, b = moved(5, 2, seed=3)
    motion = engine.run(RoleRequest(pack=PackPin(id="dis-good"), params=MotionParams(), plates={"a": a, "b": b}))
    direct = ask(engine, motion_pack="dis-good", a=a, b=b).plates["0"]
    given = ask(engine, a=a, b=b, vectors_a=motion.plates["a"], vectors_b=motion.plates["b"]).plates["0"]
    assert given.pixels.tobytes() == direct.pixels.tobytes()


def test_identifiers_and_bits_are_never_mixed(engine: LocalEngine) -> None:
    picture = texture(4)
    names, types = ["R", "G", "B", "object_id", "crypto00.red", "u"], ["half", "half", "half", "float", "float", "uint"]
    rng = np.random.default_rng(1)
    ids = rng.integers(1, 5, (HEIGHT, WIDTH + 8)).astype(np.float32) * np.float32(1.7)
    bits = rng.integers(2**30, 2**32, (HEIGHT, WIDTH + 8), dtype=np.uint32).view(np.float32)

    def made(right: int) -> Plate:
        own = np.dstack([x[:, 8 - right : 8 - right + WIDTH] for x in (ids, ids * 3, bits)])
        sample_types: list[SampleType] = types  # type: ignore[assignment]
        return plate(np.concatenate([shifted(picture, right, 0), own], axis=2), names, types=sample_types)

    a, b = made(0), made(5)
    for times in ((F(1, 2),), (F(2, 5), F(1, 2), F(3, 5))):
        out = ask(engine, [times], motion_pack="dis-good", a=a, b=b).plates["0"]
        assert out.sample_types == (*types, "half")
        for name, known in (("object_id", ids), ("crypto00.red", ids * 3), ("u", bits)):
            seen = np.ascontiguousarray(out.take([name])).view(np.uint32)
            assert set(seen.ravel().tolist()) <= set(np.ascontiguousarray(known).view(np.uint32).ravel().tolist())


def test_a_sun_survives_and_alpha_stays_within_its_bounds(engine: LocalEngine) -> None:
    def made(right: int) -> Plate:
        disc = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.circle(disc, (50 + right, 48), 20, 1.0, -1, cv2.LINE_8)
        disc = cv2.GaussianBlur(disc, (0, 0), 0.8)
        color = np.array([500, 300, 0.5], np.float32) * disc[..., None]
        return plate(np.dstack([color, disc]), ["R", "G", "B", "A"])

    a, b = made(0), made(8)
    out = ask(
        engine, motion_pack="", a=a, b=b, vectors_a=vectors("forward", 8, 0), vectors_b=vectors("backward", -8, 0)
    )
    pixels = out.plates["0"].pixels
    assert pixels[..., 0].max() == pytest.approx(500, rel=1e-4)
    assert pixels[..., :4].min() >= 0
    assert pixels[..., 3].max() <= 1
    assert np.allclose(pixels[..., :4], made(4).pixels, atol=1e-3)
    assert np.allclose(pixels[..., 0], 500 * pixels[..., 3], rtol=1e-3, atol=1e-2)  # premultiplied together
    assert not pixels[:, 90:, :4].any()  # no ring reaches beyond the kernel


def test_negative_light_is_carried(engine: LocalEngine) -> None:
    a, b = moved(4, seed=5)
    low = [replace(p, pixels=p.pixels - 3) for p in (a, b)]
    still: dict[str, Any] = {"vectors_a": vectors("forward", 4, 0), "vectors_b": vectors("backward", -4, 0)}
    out = ask(engine, a=low[0], b=low[1], **still).plates["0"].pixels[..., :3]
    assert np.array_equal(out[:, 8:-8], low[0].pixels[:, 6:-10])


def test_data_is_not_sharpened_and_normals_keep_their_length(engine: LocalEngine) -> None:
    rng = np.random.default_rng(6)
    normals = rng.standard_normal((HEIGHT, WIDTH, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    normals[:, :20] = 0  # the background has none
    depth = np.where(np.arange(WIDTH) < 64, 1.0, 1e4) * np.ones((HEIGHT, 1))
    base = shifted(texture(7), 0, 0)
    names = ["R", "G", "B", "N.X", "N.Y", "N.Z", "depth.Z"]
    a = plate(np.dstack([base, normals, depth]), names)
    b = plate(np.dstack([base * np.float32(1.01), normals, depth]), names)
    flow: dict[str, Any] = {"vectors_a": vectors("forward", 0.6, 0.6), "vectors_b": vectors("backward", -0.6, -0.6)}
    out = ask(engine, a=a, b=b, **flow).plates["0"]
    length = np.linalg.norm(out.take(["N.X", "N.Y", "N.Z"]), axis=2)
    assert np.allclose(length[2:-2, 23:-2], 1, atol=1e-4)
    assert not length[2:-2, :18].any()
    distance = out.take(["depth.Z"])
    assert distance.min() >= 1
    assert distance.max() <= 1e4


def test_a_cut_is_found_where_it_is_looked_for(engine: LocalEngine) -> None:
    a, b = plate(texture(1)), plate(texture(2), frame=1002)
    found, taken_for_one_shot = (
        engine.run(
            RoleRequest(
                pack=PackPin(id="flow-projection"),
                params=InterpolateParams(outputs=((F(1, 4),), (F(3, 4),)), motion_pack="dis-draft", find_cut=looks),
                plates={"a": a, "b": b},
            )
        )
        for looks in (True, False)
    )
    assert (found.plates["0"], found.plates["1"]) == (a, b)
    assert found.report["held"] == [True, True]
    assert taken_for_one_shot.report["held"] == [False, False]
    a, b = moved(4)
    whole = InterpolateParams(outputs=HALF, motion_pack="dis-draft", find_cut=True)
    request = RoleRequest(pack=PackPin(id="flow-projection"), params=whole, plates={"a": a, "b": b})
    assert engine.run(request).report["held"] == [False]


def test_a_cut_holds_the_nearer_side(engine: LocalEngine) -> None:
    a, b = moved(0)[0], moved(0, seed=9)[0]
    result = ask(engine, [(F(1, 4),), (F(1, 2),), (F(3, 4),), (F(0),), (F(1, 4), F(1, 2), F(3, 4))], cut=True, a=a, b=b)
    assert [result.plates[str(n)] is p for n, p in enumerate((a, a, b, a, a))] == [True] * 5
    assert result.report["held"] == [True, True, True, False, True]


def test_the_shutter_is_the_mean_of_its_samples(engine: LocalEngine) -> None:
    a, b = moved(6, seed=8)
    times = (F(0), F(1, 4), F(1, 2), F(3, 4))
    result = ask(engine, [times, *[(t,) for t in times[1:]]], a=a, b=b)
    singles = [a.pixels] + [result.plates[str(n)].pixels[..., :3] for n in (1, 2, 3)]
    assert np.allclose(result.plates["0"].pixels[..., :3], np.mean(singles, axis=0), atol=1e-5)


def test_windows_that_move_give_their_union_and_nothing_made_up(engine: LocalEngine) -> None:
    picture = texture(10)
    a = plate(shifted(picture, 0, 0)[20:60, 10:60] + 1, at=(10, 20))  # a 50x40 element over black
    b = plate(shifted(picture, 0, 0)[20:60, 10:60] + 1, at=(30, 24), frame=1002)  # moved by 20, 4
    flow_a, flow_b = (vectors(kind, s * 20, -s * 4, (40, 50)) for kind, s in (("forward", 1), ("backward", -1)))
    flow_a, flow_b = replace(flow_a, data_window=a.data_window), replace(flow_b, data_window=b.data_window)
    out = ask(engine, a=a, b=b, vectors_a=flow_a, vectors_b=flow_b).plates["0"]
    assert out.data_window == Window(10, 20, 70, 44)
    assert out.display_window == a.display_window
    element = out.pixels[2:42, 10:60, :3]
    assert np.array_equal(element[1:-1, 1:-1], a.pixels[1:-1, 1:-1])
    corners = out.pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert not corners.any()


def test_metadata_channels_and_aspect_survive(engine: LocalEngine) -> None:
    a, b = moved(3)
    a = replace(a, pixel_aspect=2.0, metadata={"owner": "a"})
    b = replace(b, pixel_aspect=2.0, metadata={"owner": "b"})
    result = ask(engine, [(F(1, 4),), (F(3, 4),)], a=a, b=b)
    assert [result.plates[n].metadata["owner"] for n in ("0", "1")] == ["a", "b"]
    assert result.plates["0"].pixel_aspect == 2.0
    again = ask(engine, a=result.plates["0"], b=result.plates["1"]).plates["0"]
    assert again.channels == ("R", "G", "B", "confidence.Y")  # its own, not interpolated from before


def test_runs_and_threads_change_no_bit(engine: LocalEngine) -> None:
    a, b = moved(5, -3, seed=11)
    before = cv2.getNumThreads()
    bits = []
    try:
        for threads in (1, 2, 2):
            cv2.setNumThreads(threads)
            bits.append(ask(engine, [(F(1, 3),)], motion_pack="dis-good", a=a, b=b).plates["0"].pixels.tobytes())
    finally:
        cv2.setNumThreads(before)
    assert bits[0] == bits[1] == bits[2]


def test_large_pictures_are_led_by_a_smaller_field(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.roles.motion_field.LARGEST_FIELD", HEIGHT * WIDTH // 2)
    picture = texture(12)
    a, b = plate(shifted(picture, 0, 0)), plate(shifted(picture, 8, 0))
    result = ask(engine, a=a, b=b)
    assert result.report["field_scale"] == 2
    inner = np.s_[16:-16, 16:-16]
    assert np.abs(result.plates["0"].pixels[inner][..., :3] - shifted(picture, 4, 0)[inner]).mean() < 0.02


def test_the_identity_pack_is_a_dissolve(engine: LocalEngine) -> None:
    a, b = moved(4, seed=13)
    out = ask(engine, [(F(1, 4),)], pack="identity-interpolate", motion_pack="identity-motion", a=a, b=b)
    assert np.allclose(out.plates["0"].pixels[..., :3], a.pixels * 0.75 + b.pixels * 0.25, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        pytest.param({"b": None}, UsageError, "b is missing", id="no b"),
        pytest.param({"outputs": [(F(3, 2),)]}, UsageError, "not between 0", id="beyond b"),
        pytest.param({"outputs": [()]}, UsageError, "at least one time", id="no time"),
        pytest.param({"motion_pack": ""}, UsageError, "no motion pack is named", id="no motion"),
        pytest.param({"b": "fewer"}, PlateError, "lacks B", id="channels"),
        pytest.param({"b": "space"}, PlateError, "is ACES2065-1", id="colorspace"),
        pytest.param({"vectors_a": "wrong"}, PlateError, "vectors need forward.u", id="vectors"),
        pytest.param({"vectors_a": "away"}, PlateError, "do not touch", id="vectors elsewhere"),
    ],
)
def test_nonsense_ends_in_a_sentence(
    engine: LocalEngine, change: dict[str, Any], error: type[UnderstudyError], says: str
) -> None:
    a, b = moved(2)
    named = {
        "fewer": plate(b.pixels[..., :2], ["R", "G"]),
        "space": replace(b, colorspace="ACES2065-1"),
        "wrong": b,
        "away": replace(vectors("forward", 1, 0), data_window=Window(5000, 0, WIDTH, HEIGHT)),
    }
    given: dict[str, Any] = {"a": a, "b": b}
    given |= {key: named.get(value, value) if isinstance(value, str) else value for key, value in change.items()}
    given = {key: value for key, value in given.items() if value is not None}
    with pytest.raises(error, match=says):
        ask(engine, **given)


def test_it_stops_when_the_caller_cancels(engine: LocalEngine) -> None:
    a, b = moved(2)
    request = RoleRequest(
        pack=PackPin(id="flow-projection"),
        params=InterpolateParams(outputs=HALF, motion_pack="dis-draft"),
        plates={"a": a, "b": b},
    )
    with pytest.raises(UnderstudyError, match="cancelled"):
        engine.run(request, Control(cancelled=lambda: True))


@pytest.mark.parametrize("name", ["translate", "rotzoom", "layers"])
def test_exact_triplets_beat_blending_by_nine_decibels(engine: LocalEngine, shared_data: Path, name: str) -> None:
    folder = shared_data / "flow_exact" / name
    codes = [cv2.imread(str(folder / f"{file}.png"))[..., ::-1].astype(np.float32) for file in ("frame0", "frame1")]
    light = [np.where(c <= 10.31, c / 255 / 12.92, ((c / 255 + 0.055) / 1.055) ** 2.4) for c in codes]
    a, b = (replace(plate(x.astype(np.float32)), colorspace="Linear Rec.709 (sRGB)") for x in light)
    truth = cv2.imread(str(folder / "frame0i1.png"))[..., ::-1].astype(np.float64)

    def psnr(picture: np.ndarray) -> float:
        x = np.clip(picture, 0, 1)
        code = np.rint(255 * np.where(x <= 0.0031308, x * 12.92, 1.055 * np.power(x, 1 / 2.4) - 0.055))
        return float(10 * np.log10(255**2 / np.mean((code - truth) ** 2)))

    ours = ask(engine, motion_pack="dis-good", a=a, b=b).plates["0"].pixels[..., :3]
    assert psnr(ours) >= psnr((a.pixels + b.pixels) / 2) + 9


def test_requests_at_once_change_no_bit(engine: LocalEngine) -> None:
    a, b = (plate(shifted(texture(7), right, -right)) for right in (0, 3))
    params = InterpolateParams(outputs=((F(1, 3),),), motion_pack="dis-good")
    request = RoleRequest(pack=PackPin(id="flow-projection"), params=params, plates={"a": a, "b": b})
    alone = engine.run(request).plates["0"].pixels.tobytes()
    with ThreadPoolExecutor(3) as pool:
        together = [result.plates["0"].pixels.tobytes() for result in pool.map(engine.run, [request] * 3)]
    assert together == [alone] * 3


_DOUBTFUL = """\
import numpy as np


class Model:
    def run(self, tensors, call, /):
        still = np.zeros_like(tensors["forward"])
        part = np.full((*still.shape[:2], 1), call.time, np.float32)
        return {"to_a": still, "to_b": still, "weight": part, "confidence": part / 2}

    def close(self):
        pass


def load(folder):
    return Model()
"""


def test_a_pack_s_own_confidence_stands_in_for_the_vectors_but_not_for_the_user_s(tmp_path: Path) -> None:
    flow = Path(__file__).resolve().parents[3] / "models" / "flow-projection" / "pack.toml"
    (tmp_path / "doubtful").mkdir()
    text = (
        flow.read_text().replace('"flow-projection"', '"doubtful"').replace("confidence = false", "confidence = true")
    )
    (tmp_path / "doubtful" / "pack.toml").write_text(text)
    (tmp_path / "doubtful" / "adapter.py").write_text(_DOUBTFUL)
    write_hashes(tmp_path / "doubtful")
    engine = LocalEngine(device="cpu", extra_packs=[tmp_path])
    a, b = moved(6)
    known: dict[str, Any] = {"vectors_a": vectors("forward", 6, 0), "vectors_b": vectors("backward", -6, 0)}
    seen = ask(engine, pack="doubtful", motion_pack="", a=a, b=b, **known).plates["0"].take(["confidence.Y"])
    assert (seen == 0.25).all()
    vouched = np.broadcast_to(np.array([6, 0, 0.5], np.float32), (HEIGHT, WIDTH, 3))
    known["vectors_a"] = plate(vouched, ["forward.u", "forward.v", "confidence.Y"])
    seen = ask(engine, pack="doubtful", motion_pack="", a=a, b=b, **known).plates["0"].take(["confidence.Y"])
    assert (seen < 0.25).all()
