# SPDX-License-Identifier: Apache-2.0
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from sets import lit, pairs, stills, triplets
from understudy.contracts.errors import InputError, MissingFileError, PlateError, UnreadableFileError
from unit.quality import layouts


@pytest.mark.parametrize("place", [".", "HR", "GTmod12", "image_SRF_2"])
def test_stills_are_found_in_every_layout(tmp_path: Path, place: str) -> None:
    name = "img_001_SRF_2_HR" if place == "image_SRF_2" else "baby"
    layouts.write_picture(tmp_path / place / f"{name}.png", layouts.drawn(49, 65))
    if place == "image_SRF_2":
        layouts.write_picture(tmp_path / place / "img_001_SRF_2_LR.png", layouts.drawn(24, 32))
    (tmp_path / "notes.txt").write_text("not a picture")
    (still,) = stills.stills(tmp_path, 2)
    small, truth = still.pair(2)
    assert (small.shape, truth.shape) == ((24, 32, 3), (48, 64, 3))
    assert np.array_equal(truth, layouts.drawn(49, 65)[:48, :64])
    assert np.array_equal(small, np.rint(small))
    assert float(np.abs(small - truth.reshape(24, 2, 32, 2, 3).mean(axis=(1, 3))).mean()) < 4


def test_a_still_that_is_too_small_says_so(tmp_path: Path) -> None:
    layouts.write_picture(tmp_path / "dot.png", layouts.drawn(12, 12))
    (still,) = stills.stills(tmp_path, 4)
    with pytest.raises(PlateError, match="too small for a factor of 4"):
        still.pair(4)


def test_gray_and_16_bit_pictures_become_rgb_codes(tmp_path: Path) -> None:
    gray = layouts.drawn()[..., 0]
    layouts.write_picture(tmp_path / "gray.png", gray)
    layouts.write_picture(tmp_path / "deep.png", layouts.drawn().astype(np.uint16) * 257)
    deep, shallow = (still.load() for still in stills.stills(tmp_path, 2))
    assert np.array_equal(shallow, np.repeat(gray[..., None], 3, axis=2))
    assert float(np.abs(deep - layouts.drawn()).max()) < 1e-4


def test_middlebury_motion(tmp_path: Path) -> None:
    (pair,) = pairs.middlebury(layouts.middlebury_flow(tmp_path))
    truth = pair.load()
    assert pair.name == "Blob"
    assert truth.known.sum() == 48 * 64 - 9
    assert np.array_equal(truth.flow[truth.known][0], layouts.SHIFT)
    assert not truth.visible[:, -3:].any()  # 3 pixels to the right leave the picture
    assert np.array_equal(truth.a[10, 10], layouts.drawn()[10, 10])


def test_sintel_knows_what_is_hidden_and_what_is_invalid(tmp_path: Path) -> None:
    layouts.sintel(tmp_path)
    for render in ("clean", "final"):
        (pair,) = pairs.sintel(tmp_path, render)
        truth = pair.load()
        assert not truth.known[:2].any()
        assert truth.known[2:].all()
        assert not truth.visible[:, :8].any()
        assert truth.visible[10, 20]


def test_kitti(tmp_path: Path) -> None:
    for folder in (layouts.kitti(tmp_path), tmp_path / "training"):
        (pair,) = pairs.kitti(folder)
        truth = pair.load()
        assert truth.known.mean() == 0.5
        assert truth.visible.mean() == 0.25
        assert np.array_equal(truth.flow[30, 30], layouts.SHIFT)


def test_middlebury_interpolation(tmp_path: Path) -> None:
    (scene,) = triplets.middlebury(layouts.middlebury_interpolation(tmp_path))
    a, b, (middle,) = scene.load()
    assert scene.truths[0][0] == Fraction(1, 2)
    assert np.array_equal(middle[:, 1:], a[:, :-1])
    assert np.array_equal(b[:, 1:], middle[:, :-1])


def test_vimeo_lists(tmp_path: Path) -> None:
    (triplet,) = triplets.vimeo_triplet(layouts.vimeo(tmp_path / "three", 3, "tri_testlist.txt"))
    assert [time for time, _ in triplet.truths] == [Fraction(1, 2)]
    (septuplet,) = triplets.vimeo_septuplet(layouts.vimeo(tmp_path / "seven", 7, "sep_testlist.txt"))
    a, b, truths = septuplet.load()
    assert [time for time, _ in septuplet.truths] == [Fraction(n, 6) for n in range(1, 6)]
    assert np.array_equal(b, layouts.drawn(right=6))
    assert np.array_equal(truths[2][:, 3:], a[:, :-3])


def test_x4k_asks_for_seven_frames_between(tmp_path: Path) -> None:
    for folder in (layouts.x_test(tmp_path), tmp_path / "test"):
        (scene,) = triplets.x_test(folder)
        _, b, truths = scene.load()
        assert [time for time, _ in scene.truths] == [Fraction(n, 8) for n in range(1, 8)]
        assert np.array_equal(truths[-1], layouts.drawn(right=7))
        assert np.array_equal(b, layouts.drawn(right=8))


def test_a_sequence_is_cut_into_triplets_that_share_no_frame(tmp_path: Path) -> None:
    for n in range(8):
        layouts.write_picture(tmp_path / f"f{n}.png", layouts.drawn(right=n))
    found = triplets.sequence(tmp_path)
    assert [(one.a.stem, one.truths[0][1].stem, one.b.stem) for one in found] == [
        ("f0", "f1", "f2"),
        ("f4", "f5", "f6"),
    ]


def test_diligent_is_divided_by_the_color_of_its_lights(tmp_path: Path) -> None:
    (one,) = lit.diligent(layouts.diligent(tmp_path))
    scene = one.load()
    assert one.name == "ball"
    assert scene.measured
    # A matte ball of albedo 1 under strength pi: radiance N.L, here over its brightest sample.
    for image, direction in zip(scene.images, layouts.DIRECTIONS, strict=True):
        wanted = np.maximum(scene.normals @ direction, 0)[..., None]
        assert float(np.abs(image - wanted)[scene.mask].max()) < 0.01


def test_photometric_folders_get_normals_that_fit_all_lights(tmp_path: Path) -> None:
    (one,) = lit.photometric(layouts.photometric(tmp_path))
    scene = one.load()
    ball, _ = layouts._ball()
    cosine = (scene.normals * ball).sum(axis=2)[scene.mask]
    assert not scene.measured
    assert float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()) < 1.5
    assert np.allclose(scene.directions, layouts.DIRECTIONS)


@pytest.mark.parametrize(
    "reader",
    [
        lambda folder: stills.stills(folder, 2),
        *(read for _, read in (*pairs.readers(), *triplets.readers(), *lit.readers())),
    ],
)
def test_a_folder_of_another_kind_names_the_layout(tmp_path: Path, reader: object) -> None:
    assert callable(reader)
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(MissingFileError, match="the layout is"):
            reader(folder)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    root = layouts.middlebury_flow(tmp_path / "m")
    frame = root / "other-data/Blob/frame11.png"
    whole = frame.read_bytes()
    frame.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="frame11"):
        pairs.middlebury(root)[0].load()
    layouts.write_picture(frame, layouts.drawn(24, 24))
    with pytest.raises(PlateError, match="it is 24x24, and what belongs to it is 64x48"):
        pairs.middlebury(root)[0].load()
    frame.unlink()
    with pytest.raises(MissingFileError, match="frame11"):
        pairs.middlebury(root)[0].load()

    root = layouts.vimeo(tmp_path / "v", 3, "tri_testlist.txt")
    (root / "tri_testlist.txt").write_text("00001/0266\n../../etc\n")
    with pytest.raises(MissingFileError, match="lists"):
        triplets.vimeo_triplet(root)
    (root / "tri_testlist.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableFileError, match="no readable list"):
        triplets.vimeo_triplet(root)

    root = layouts.diligent(tmp_path / "d")
    place = root / "pmsData/ballPNG"
    for name, text, said in (
        ("light_directions.txt", "1 2\n", "needs a direction|is no table"),
        ("light_directions.txt", "0 0 nan\n" * 5, "is no table"),
        ("light_intensities.txt", "1 1 1\n", "three numbers over 0"),
        ("normal.txt", "0 0 1\n", "1 lines for 1600 pixels"),
        ("normal.txt", "a b c\n", "no table of numbers"),
    ):
        before = (place / name).read_text()
        (place / name).write_text(text)
        with pytest.raises(UnreadableFileError, match=said):
            lit.diligent(root)[0].load()
        (place / name).write_text(before)
    lit.diligent(root)[0].load()
