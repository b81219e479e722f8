# SPDX-License-Identifier: Apache-2.0
"""The motion role: directions, windows, mattes, confidence that knows, and errors that say what to do."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from understudy.contracts.engine import Control
from understudy.contracts.errors import JobCancelledError, PackError, PlateError, UsageError
from understudy.contracts.jobs import MotionParams, PackPin, RoleRequest, RoleResult, UpscaleParams
from understudy.contracts.plate import Plate
from understudy.roles.engine import LocalEngine
from understudy.share_root import share_root
from unit.roles.moving import HEIGHT, WIDTH, plate, shifted, texture

PACKS = ("dis-draft", "dis-good", "dis-best")


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(device="cpu")


def ask(engine: LocalEngine, pack: str = "dis-draft", **plates: Plate) -> RoleResult:
    return engine.run(RoleRequest(pack=PackPin(id=pack), params=MotionParams(), plates=plates))


@pytest.mark.parametrize("pack", PACKS)
def test_right_is_positive_and_up_is_positive(engine: LocalEngine, pack: str) -> None:
    picture = texture()
    result = ask(engine, pack, a=plate(shifted(picture, 0, 0)), b=plate(shifted(picture, 5, -3)))  # 5 right, 3 up
    a, b = result.plates["a"], result.plates["b"]
    assert a.channels == ("forward.u", "forward.v", "confidence.Y", "occlusion.Y")
    assert b.channels == ("backward.u", "backward.v", "confidence.Y", "occlusion.Y")
    inner = np.s_[12:-12, 12:-12]
    assert np.abs(a.pixels[inner][..., :2] - [5, 3]).mean() < 0.1
    assert np.abs(b.pixels[inner][..., :2] - [-5, -3]).mean() < 0.1
    assert a.pixels[inner][..., 2].mean() > 0.8
    assert a.pixels[inner][..., 3].mean() < 0.02
    assert a.pixels[:, -5:, 3].mean() > 0.9  # the right edge leaves the picture
    assert a.pixels[:, -4:, 2].max() <= 0.25
    assert a.colorspace == "Raw"
    assert result.confidence is not None
    assert 0 < result.confidence < 1


@pytest.mark.parametrize("pack", PACKS)
def test_nothing_moves_where_nothing_changes(engine: LocalEngine, pack: str) -> None:
    still = plate(shifted(texture(), 0, 0))
    result = ask(engine, pack, a=still, b=still)
    for name in ("a", "b"):
        assert np.array_equal(result.plates[name].pixels[..., :2], np.zeros((HEIGHT, WIDTH, 2)))


@pytest.mark.parametrize("pack", PACKS)
def test_runs_and_threads_change_no_bit(engine: LocalEngine, pack: str) -> None:
    picture = texture(1)
    a, b = plate(shifted(picture, 0, 0)), plate(shifted(picture, 3, 2))
    before = cv2.getNumThreads()
    bits = []
    try:
        for threads in (1, 2, 1):
            cv2.setNumThreads(threads)
            result = ask(engine, pack, a=a, b=b)
            bits.append(b"".join(result.plates[name].pixels.tobytes() for name in ("a", "b")))
    finally:
        cv2.setNumThreads(before)
    assert bits[0] == bits[1] == bits[2]


def test_windows_that_move_are_looked_at_in_absolute_pixels(engine: LocalEngine) -> None:
    picture = shifted(texture(2), 0, 0)  # content stands still in absolute pixels, the windows move over it
    a = plate(picture[:, :100], at=(-10, 4))
    b = plate(picture[:, 20:], at=(10, 4))
    result = ask(engine, "dis-good", a=a, b=b)
    for name, source in (("a", a), ("b", b)):
        out = result.plates[name]
        assert out.data_window == source.data_window
        assert out.display_window == source.display_window
    assert np.abs(result.plates["a"].pixels[8:-8, 28:-8, :2]).mean() < 0.05
    assert result.plates["a"].pixels[:, :15, 3].mean() > 0.9  # b's window does not reach there


def test_the_shaper_sees_highlights_and_shadows(engine: LocalEngine) -> None:
    picture = np.exp2(texture(3) * 6).astype(np.float32)  # ten stops
    result = ask(engine, "dis-good", a=plate(shifted(picture, 0, 0)), b=plate(shifted(picture, 2, 0)))
    assert np.abs(result.plates["a"].pixels[12:-12, 12:-12, :2] - [2, 0]).mean() < 0.1


def test_luminance_alone_is_enough(engine: LocalEngine) -> None:
    picture = texture(4)[..., :1]
    a, b = (plate(shifted(picture, right, 0), ["Y"]) for right in (0, 4))
    assert np.abs(ask(engine, a=a, b=b).plates["a"].pixels[12:-12, 12:-12, 0] - 4).mean() < 0.2


def test_the_matte_limits_where_motion_is_sought(engine: LocalEngine) -> None:
    picture = texture(5)
    matte = np.zeros((HEIGHT, 40, 1), np.float32)
    matte[:, 10:] = 1
    result = ask(
        engine,
        a=plate(shifted(picture, 0, 0)),
        b=plate(shifted(picture, 6, 0)),
        matte=plate(matte, ["matte.a"], at=(30, 0)),
    )
    forward, backward = result.plates["a"].pixels, result.plates["b"].pixels
    assert not forward[:, :40].any()
    assert not forward[:, 70:].any()
    assert forward[10:-10, 42:68, 0].mean() > 5
    assert not backward[:, :44].any()  # carried 6 to the right
    assert backward[10:-10, 50:70, 0].mean() < -5


def test_large_pictures_are_halved_and_vectors_doubled(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.roles.motion_field.LARGEST_FIELD", HEIGHT * WIDTH // 2)
    picture = texture(6)
    result = ask(engine, a=plate(shifted(picture, 0, 0)), b=plate(shifted(picture, 8, 0)))
    assert result.report["field_scale"] == 2
    assert np.abs(result.plates["a"].pixels[16:-16, 16:-16, 0] - 8).mean() < 0.3


@pytest.mark.parametrize(
    ("plates", "error", "says"),
    [
        pytest.param({"a": ["R", "G", "B"]}, UsageError, "b is missing", id="no b"),
        pytest.param({"a": ["Z"], "b": ["Z"]}, PlateError, "no color channels", id="no color"),
        pytest.param(
            {"a": ["R", "G", "B"], "b": ["R", "G", "B"], "matte": ["R", "G", "B"]}, PlateError, "alpha", id="matte"
        ),
    ],
)
def test_bad_plates_end_in_a_sentence(
    engine: LocalEngine, plates: dict[str, list[str]], error: type[Exception], says: str
) -> None:
    made: dict[str, Any] = {
        name: plate(shifted(texture(), 0, 0)[..., : len(names)], names) for name, names in plates.items()
    }
    with pytest.raises(error, match=says):
        ask(engine, **made)


def test_other_roles_options_and_packs_are_refused(engine: LocalEngine) -> None:
    still = plate(shifted(texture(), 0, 0))
    with pytest.raises(PackError):
        ask(engine, "flow-projection", a=still, b=still)
    both = {"a": still, "b": still}
    rough = RoleRequest(pack=PackPin(id="dis-good"), params=MotionParams(options={"smoothness": 0.0}), plates=both)
    with pytest.raises(UsageError, match="smoothness"):
        engine.run(rough)
    other = RoleRequest(pack=PackPin(id="dis-good"), params=UpscaleParams(), plates={"plate": still})
    with pytest.raises(PackError):
        engine.run(other)
    stopped = RoleRequest(pack=PackPin(id="dis-good"), params=MotionParams(), plates=both)
    with pytest.raises(JobCancelledError):
        engine.run(stopped, Control(cancelled=lambda: True))


def test_the_three_packs_share_one_adapter() -> None:
    adapters = {(share_root() / "models" / pack / "adapter.py").read_bytes() for pack in PACKS}
    assert len(adapters) == 1


@pytest.mark.parametrize(("name", "limit"), [("translate", 0.08), ("rotzoom", 0.35), ("layers", 0.25)])
def test_the_best_preset_meets_its_error_on_exact_pairs(
    engine: LocalEngine, shared_data: Path, name: str, limit: float
) -> None:
    folder = shared_data / "flow_exact" / name
    pictures = []
    for file in ("frame0.png", "frame1.png"):
        code = cv2.imread(str(folder / file))[..., ::-1].astype(np.float32) / 255
        light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
        pictures.append(engine_plate(light))
    raw = np.fromfile(folder / "flow0_1.flo", np.float32)
    width, height = raw[1:3].view(np.int32)
    truth = raw[3:].reshape(height, width, 2)
    found = ask(engine, "dis-best", a=pictures[0], b=pictures[1]).plates["a"].pixels
    error = np.linalg.norm(found[..., :2] * [1, -1] - truth, axis=2)
    y, x = np.mgrid[:height, :width]
    kept = (x + truth[..., 0] >= 0) & (x + truth[..., 0] <= width - 1)
    kept &= (y + truth[..., 1] >= 0) & (y + truth[..., 1] <= height - 1)
    if (folder / "occluded0.png").is_file():
        kept &= cv2.imread(str(folder / "occluded0.png"), cv2.IMREAD_GRAYSCALE) == 0
    assert error[kept].mean() <= limit
    sure = found[..., 2] >= np.quantile(found[..., 2], 0.2)
    assert error[sure].mean() < error.mean()  # the confidence knows where it errs


def engine_plate(light: np.ndarray) -> Plate:
    """A linear Rec.709 picture as an ACEScg plate, as a user would have it."""
    matrix = np.array([[0.6131, 0.3395, 0.0474], [0.0702, 0.9164, 0.0134], [0.0206, 0.1096, 0.8698]])
    return plate((light @ matrix.T).astype(np.float32))
