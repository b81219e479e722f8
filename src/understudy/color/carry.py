# SPDX-License-Identifier: Apache-2.0
"""The carry form: a model changes what it was trained to see, and what it never saw is carried around it.

With shaper S, its inverse D, clip c, model M and a plain resampler U::

    same size   out = x + gate * [D(M(c(S x))) - D(c(S x))]     gate: 1 where c changed no channel, else 0
    resized     out = D(M(c(S x))) + U(x - D(c(S x)))           x - D(c(S x)) is exactly 0 where c changed nothing

A model that returns its input returns the plate bit for bit, for any encoding. Both work on tiles: give the parts that
belong together and the tiles equal the whole. Images are RGB, ``(h, w, 3)``, or single channels, ``(h, w, 1)``, which
go through the curve alone.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from understudy.color.encoder import Encoder
from understudy.contracts.errors import PlateError
from understudy.contracts.manifest import Encoding
from understudy.contracts.plate import FloatImage

Codec = Callable[[FloatImage], FloatImage]

_CHUNK = 1 << 16
"""Pixels handled at a time: an 8K plate needs no further whole copies, and what is at hand stays in the cache."""


def same_size(x: FloatImage, encoder: Encoder, model: Codec) -> FloatImage:
    """Runs a model that keeps the size.

    Args:
        x: float32 ``(h, w, 3)`` in the encoder's color space, or ``(h, w, 1)``; all finite.
        encoder: S, D and c of the job.
        model: float32 ``(h, w, 3)`` to the same shape, in the encoding. Must not write into its input.

    Returns:
        A new array like ``x``: bit for bit ``x`` where the model returned its input exactly, where the clip changed a
        channel, and where the model's answer is not finite.

    Raises:
        PlateError: The model's answer has another shape.
    """
    seen, inside = encode_with_inside(x, encoder)
    return with_delta(x, seen, inside, model(seen), encoder)


def with_delta(x: FloatImage, seen: FloatImage, inside: FloatImage, answer: FloatImage, encoder: Encoder) -> FloatImage:
    """The second half of :func:`same_size`, for roles that run the model on tiles.

    Args:
        x: The plate's pixels, ``(h, w, 3)``.
        seen: What the model saw of them.
        inside: ``(h, w, 1)``, from :meth:`Encoder.inside`.
        answer: What the model made of ``seen``.
        encoder: The encoder that made ``seen``.

    Raises:
        PlateError: The shapes differ.
    """
    if answer.shape != x.shape:
        raise PlateError(f"the model returned {answer.shape} for {x.shape}; it must keep the size")
    own = encoder.encoding is Encoding.PLATE and encoder.domain is None
    out = np.array(x, np.float32, order="C")
    flat, flat_seen, flat_answer = (_pixels(image) for image in (out, seen, answer))
    gate = inside.reshape(-1) != 0
    for start in range(0, len(flat), _CHUNK):
        part = slice(start, start + _CHUNK)
        old, new = flat_seen[part], flat_answer[part]
        picked = _differs(old, new) & gate[part]
        if not np.isfinite(new).all():
            picked &= np.isfinite(new).all(axis=1)
            new = np.nan_to_num(new)
        if not picked.any():
            continue
        # A model that works in the plate's own values is taken at its word, with no rounding on the way.
        changed = new if own else _moved(flat[part], old, new, encoder)
        if picked.all():
            flat[part] = changed
        else:
            np.copyto(flat[part], changed, where=picked[:, None])
    return out


def _differs(old: FloatImage, new: FloatImage) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = old[:, 0] != new[:, 0]
    for channel in range(1, old.shape[1]):
        found |= old[:, channel] != new[:, channel]
    return found


def _moved(x: FloatImage, old: FloatImage, new: FloatImage, encoder: Encoder) -> FloatImage:
    with np.errstate(over="ignore", invalid="ignore"):
        moved = _decode(new[None], encoder)[0] - _decode(old[None], encoder)[0]
        moved += x
    finite = np.isfinite(moved)
    return moved if finite.all() else np.where(finite.all(axis=1, keepdims=True), moved, x)


def resized(x: FloatImage, encoder: Encoder, model: Codec, resample: Codec) -> FloatImage:
    """Runs a model that changes the size.

    Args:
        x: float32 ``(h, w, 3)`` in the encoder's color space, all finite.
        encoder: S, D and c of the job.
        model: float32 ``(h, w, 3)`` in the encoding to ``(H, W, 3)``.
        resample: A linear resampler of ``(h, w, 3)`` to the same ``(H, W, 3)``.

    Returns:
        A new ``(H, W, 3)`` array. Where the model's answer is not finite: the plain resample of ``x``.

    Raises:
        PlateError: Model and resampler return different shapes.
    """
    seen, inside = encode_with_inside(x, encoder)
    return with_excess(x, excess(x, seen, inside, encoder), model(seen), encoder, resample)


def excess(x: FloatImage, seen: FloatImage, inside: FloatImage, encoder: Encoder) -> FloatImage | None:
    """What the clip took away: ``x - D(c(S x))`` where it changed a channel, exactly 0 elsewhere.

    Args:
        x: The plate's pixels, ``(h, w, 3)``.
        seen: What the model sees of them.
        inside: ``(h, w, 1)``, from :meth:`Encoder.inside`.
        encoder: The encoder that made ``seen``.

    Returns:
        float32 ``(h, w, 3)``; None where nothing was clipped at all.
    """
    clipped = np.flatnonzero(inside.reshape(-1) == 0)
    if not clipped.size:
        return None
    out = np.zeros(x.shape, np.float32)
    flat, flat_x, flat_seen = (_pixels(image) for image in (out, x, seen))
    for start in range(0, len(clipped), _CHUNK):
        picked = clipped[start : start + _CHUNK]
        with np.errstate(over="ignore"):
            left = flat_x[picked] - _decode(flat_seen[picked][None], encoder)[0]
        flat[picked] = np.nan_to_num(left, copy=False)
    return out


def with_excess(
    x: FloatImage, carried: FloatImage | None, answer: FloatImage, encoder: Encoder, resample: Codec
) -> FloatImage:
    """The second half of :func:`resized`, for roles that run the model on tiles.

    Args:
        x: The plate's pixels, ``(h, w, 3)``.
        carried: From :func:`excess`.
        answer: What the model made of the encoded ``x``, ``(H, W, 3)``.
        encoder: The encoder of the job.
        resample: ``(h, w, 3)`` to ``(H, W, 3)``.

    Raises:
        PlateError: Model and resampler return different shapes.
    """
    good = np.isfinite(answer).all(axis=2, keepdims=True)
    whole = bool(good.all())
    decoded = _decode(answer if whole else np.where(good, answer, np.float32(0)), encoder)
    # Adding 0 where nothing is carried turns -0 into 0, as adding a carried 0 would: a tile must not differ by it.
    added: FloatImage | float = 0.0 if carried is None else _same_shape(resample(carried), decoded)
    with np.errstate(over="ignore"):
        out = decoded + np.float32(0) if isinstance(added, float) else decoded + added
    good &= np.isfinite(out).all(axis=2, keepdims=True)
    return out if good.all() else np.where(good, out, _same_shape(resample(x), out))


def encode_with_inside(x: FloatImage, encoder: Encoder) -> tuple[FloatImage, FloatImage]:
    """What the model sees of ``x``, and where the clip changed nothing; the curve alone for a single channel.

    Args:
        x: float32 ``(h, w, 3)`` or ``(h, w, 1)``, all finite.
        encoder: S, D and c of the job.

    Returns:
        ``c(S x)`` of the shape of ``x``, and ``(h, w, 1)`` weights of 1 and 0.
    """
    if x.shape[-1] == 1:
        return encoder.encode_gray_with_inside(x)
    return encoder.encode_with_inside(x)


def _decode(y: FloatImage, encoder: Encoder) -> FloatImage:
    return encoder.decode_gray(y) if y.shape[-1] == 1 else encoder.decode(y)


def _pixels(image: FloatImage) -> FloatImage:
    return image.reshape(-1, image.shape[-1])


def _same_shape(image: FloatImage, like: FloatImage) -> FloatImage:
    if image.shape != like.shape:
        raise PlateError(f"the model returned {like.shape} and the resampler {image.shape}; they must agree")
    return image
