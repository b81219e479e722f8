# SPDX-License-Identifier: Apache-2.0
"""Review movies, through PyAV: H.264 in MP4 for everybody, 10-bit ProRes in QuickTime for the edit.

The only module that imports PyAV, which is an extra. Which encoders there are is its FFmpeg's matter.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from understudy.contracts.errors import OutputError, UsageError
from understudy.contracts.plate import FloatImage
from understudy.frames.atomic import atomic
from understudy.review.proxy import codes

Kind = Literal["h264", "prores"]

_PRIMARIES, _MATRIX, _FULL, _VIDEO = (
    1,
    1,
    2,
    1,
)  # ITU-T H.273: Rec. 709 primaries and matrix; swscale: full, video range
_TRANSFERS = {"sRGB": 13, "": 1}


@dataclass(frozen=True, slots=True)
class _Format:
    suffix: str
    encoders: tuple[str, ...]
    source: str
    pixels: str
    options: dict[str, str]


_FORMATS: dict[Kind, _Format] = {
    # mpeg4 is no H.264, and plays nearly as widely: better than no movie where the FFmpeg has no encoder for it.
    # With x264's mbtree the same frames gave other bytes now and then, in one thread too.
    "h264": _Format(
        ".mp4",
        ("libx264", "libopenh264", "mpeg4"),
        "rgb24",
        "yuv420p",
        {"crf": "18", "preset": "medium", "x264-params": "mbtree=0"},
    ),
    "prores": _Format(".mov", ("prores_ks",), "rgb48le", "yuv422p10le", {"profile": "standard", "vendor": "apl0"}),
}


def can_make_movies() -> bool:
    """Whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def suffix_of(kind: Kind) -> str:
    """The extension of a movie."""
    return _FORMATS[kind].suffix


class Movie:
    """A movie that is being written; appears whole when it is left without an error, or not at all.

    Args:
        path: Where.
        fps: Frames per second.
        kind: What kind of movie.
        display: Name of the OCIO display the pictures are for, which the movie's color tags follow.

    Attributes:
        encoder: The name of the encoder.

    Raises:
        UsageError: PyAV is not installed, or its FFmpeg has no such encoder.
        OutputError: It can't be written.
    """

    def __init__(self, path: Path, fps: Fraction, kind: Kind, *, display: str = "") -> None:
        require_movies()
        self._path = path
        self._fps = fps
        self._display = display
        self._form = _FORMATS[kind]
        self._stack = ExitStack()
        self._container: Any = None
        self._stream: Any = None
        self.encoder = _encoder(self._form)

    def __enter__(self) -> Self:
        import av

        with self._stack as stack:
            temporary = stack.enter_context(atomic(self._path))
            stack.enter_context(self._told())
            options = {"movflags": "+faststart", "fflags": "+bitexact"}
            self._container = stack.enter_context(av.open(str(temporary), "w", options=options))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool | None:
        with self._stack:
            if error is not None:
                raise error
            self._container.mux(self._stream.encode(None))
        return None

    def add(self, picture: FloatImage) -> None:
        """Adds a frame.

        Args:
            picture: float32 ``(height, width, 3)``, display code values in 0-1, even sides, all of one size.
        """
        with self._told():
            if self._stream is None:
                self._stream = self._container.add_stream(self.encoder, rate=self._fps, options=self._form.options)
                self._stream.height, self._stream.width = picture.shape[:2]
                self._stream.pix_fmt = self._form.pixels
                _tag(self._stream.codec_context, self._display)
            self._container.mux(self._stream.encode(_frame(picture, self._form)))

    @contextmanager
    def _told(self) -> Iterator[None]:
        import av

        try:
            yield
        except av.FFmpegError as error:
            reason = error.strerror or error
            raise OutputError(f"FFmpeg could not write it: {reason}", where=str(self._path)) from None


def require_movies() -> None:
    """Refuses to make movies where PyAV is not installed.

    Raises:
        UsageError: It is not.
    """
    if not can_make_movies():
        raise UsageError("movies need PyAV", where="movies", fix='pip install "understudy[publish]", or leave them out')


def _encoder(form: _Format) -> str:
    import av

    for name in form.encoders:
        try:
            av.Codec(name, "w")
        except ValueError:  # av.codec.UnknownCodecError
            continue
        return name
    raise UsageError(
        f"PyAV's FFmpeg has none of the encoders {', '.join(form.encoders)}", where="movies", fix="leave this movie out"
    )


def _tag(context: Any, display: str) -> None:
    context.color_primaries = _PRIMARIES
    context.color_trc = _TRANSFERS["sRGB" if "srgb" in display.lower() else ""]
    context.colorspace = _MATRIX
    context.color_range = _VIDEO
    context.thread_count = 1  # the same bytes whatever machine


def _frame(picture: FloatImage, form: _Format) -> Any:
    import av

    wide = form.source == "rgb48le"
    values: Any = np.round(picture * np.float32(65535)).astype(np.uint16) if wide else codes(picture)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(values), format=form.source)
    return frame.reformat(
        format=form.pixels,
        dst_colorspace=_MATRIX,
        src_color_range=_FULL,
        dst_color_range=_VIDEO,
        threads=1,  # several meet at the edges of their slices, and not alike each time
    )
