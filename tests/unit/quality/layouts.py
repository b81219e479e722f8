# SPDX-License-Identifier: Apache-2.0
"""Writes tiny data sets in the public layouts, drawn from nothing but numbers."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]

SHIFT = (3.0, -1.0)
"""True motion of every written pair, u and v (down), pixels."""


def drawn(height: int = 48, width: int = 64, *, right: int = 0, down: int = 0) -> Codes:
    """A smooth pattern, moved by whole pixels."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = x - right, y - down
    waves = (np.sin(x / 3.1) + np.sin(y / 4.3 + x / 9), np.sin(x / 5 - y / 6), np.cos((x + y) / 4))
    return np.clip(128 + 55 * np.stack(waves, axis=-1), 0, 255).astype(np.uint8)


def write_picture(path: Path, codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> Path:
    """RGB or gray codes as a PNG or BMP."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), codes[..., ::-1] if codes.ndim == 3 else codes)
    return path


def write_flo(path: Path, flow: npt.NDArray[np.float32]) -> Path:
    """Middlebury's format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = np.float32(202021.25).tobytes() + np.array(flow.shape[1::-1], "<i4").tobytes()
    path.write_bytes(head + np.ascontiguousarray(flow, "<f4").tobytes())
    return path


def write_kitti(path: Path, flow: npt.NDArray[np.float32], known: npt.NDArray[np.bool_]) -> Path:
    """KITTI's 16-bit PNG."""
    codes = np.zeros((*flow.shape[:2], 3), np.uint16)
    codes[..., :2] = np.rint(flow * 64 + 32768)
    codes[..., 2] = known
    return write_picture(path, codes)


def flow(height: int = 48, width: int = 64) -> npt.NDArray[np.float32]:
    """``SHIFT`` everywhere."""
    return np.ascontiguousarray(np.broadcast_to(np.array(SHIFT, np.float32), (height, width, 2)))


def _pair(a: Path, b: Path) -> None:
    write_picture(a, drawn())
    write_picture(b, drawn(right=3, down=-1))


def middlebury_flow(root: Path) -> Path:
    """One scene with a 3x3 patch of unknown motion."""
    _pair(root / "other-data/Blob/frame10.png", root / "other-data/Blob/frame11.png")
    vectors = flow()
    vectors[:3, :3] = 1e10
    write_flo(root / "other-gt-flow/Blob/flow10.flo", vectors)
    return root


def middlebury_interpolation(root: Path) -> Path:
    """One scene, moved 2 pixels in all."""
    for name, right in (("frame10", 0), ("frame11", 2)):
        write_picture(root / f"other-data/Blob/{name}.png", drawn(right=right))
    write_picture(root / "other-gt-interp/Blob/frame10i11.png", drawn(right=1))
    return root


def sintel(root: Path) -> Path:
    """One scene of two frames with its occlusion map."""
    for render in ("clean", "final"):
        place = root / "training" / render / "cave"
        _pair(place / "frame_0001.png", place / "frame_0002.png")
    write_flo(root / "training/flow/cave/frame_0001.flo", flow())
    covered = np.zeros((48, 64), np.uint8)
    covered[:, :8] = 255
    write_picture(root / "training/occlusions/cave/frame_0001.png", covered)
    invalid = np.zeros((48, 64), np.uint8)
    invalid[:2] = 255
    write_picture(root / "training/invalid/cave/frame_0001.png", invalid)
    return root


def kitti(root: Path) -> Path:
    """One pair; half is unknown, and a quarter is hidden."""
    images = root / "training/image_2"
    _pair(images / "000007_10.png", images / "000007_11.png")
    known = np.zeros((48, 64), np.bool_)
    known[24:] = True
    write_kitti(root / "training/flow_occ/000007_10.png", flow(), known)
    seen = known.copy()
    seen[36:] = False
    write_kitti(root / "training/flow_noc/000007_10.png", flow(), seen)
    return root


def vimeo(root: Path, count: int, listed: str) -> Path:
    """One sequence of ``count`` frames moving a pixel each."""
    for n in range(count):
        write_picture(root / f"sequences/00001/0266/im{n + 1}.png", drawn(right=n))
    (root / listed).write_text("00001/0266\n\n", encoding="utf-8")
    return root


def x_test(root: Path) -> Path:
    """One scene of 33 frames."""
    for n in range(33):
        write_picture(root / f"test/Type1/TEST01/{n:04d}.png", drawn(right=n // 4))
    return root


def _ball(side: int = 40) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    y, x = np.mgrid[:side, :side]
    x, y = (x + 0.5) / side * 2 - 1, 1 - (y + 0.5) / side * 2
    inside = x * x + y * y < 0.9
    z = np.sqrt(np.where(inside, 1 - x * x - y * y, 0))
    return np.stack([x, y, z], axis=-1) * inside[..., None], inside


DIRECTIONS = np.array([[0, 0, 1], [0.6, 0, 0.8], [0, 0.6, 0.8], [-0.6, 0, 0.8], [0, -0.6, 0.8]])
"""Of the written lights."""


def diligent(root: Path) -> Path:
    """A matte ball of albedo 1 under five lights of color, 16 bits."""
    place = root / "pmsData/ballPNG"
    normals, inside = _ball()
    colors = np.array([[1.0, 0.9, 0.8]] * len(DIRECTIONS))
    for n, direction in enumerate(DIRECTIONS):
        lit = np.maximum(normals @ direction, 0)[..., None] * colors[n] * 60000
        write_picture(place / f"{n + 1:03d}.png", np.rint(lit).astype(np.uint16))
    (place / "filenames.txt").write_text("".join(f"{n + 1:03d}.png\n" for n in range(5)))
    np.savetxt(place / "light_directions.txt", DIRECTIONS)
    np.savetxt(place / "light_intensities.txt", colors)
    np.savetxt(place / "normal.txt", normals.reshape(-1, 3))
    write_picture(place / "mask.png", np.uint8(255) * inside.astype(np.uint8))
    return root


def photometric(root: Path) -> Path:
    """The same ball in 8 bits; directions across, strengths of one."""
    normals, _ = _ball()
    for n, direction in enumerate(DIRECTIONS):
        write_picture(
            root / f"Image_{n + 1:02d}.png", np.rint(np.maximum(normals @ direction, 0) * 255).astype(np.uint8)
        )
    np.savetxt(root / "light_directions.txt", DIRECTIONS.T)
    np.savetxt(root / "light_strength_derived.txt", np.ones(5))
    return root
