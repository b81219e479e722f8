# SPDX-License-Identifier: Apache-2.0
"""Frame ranges, file patterns and what of them is on disk. Frames are absolute numbers and may be negative."""

import errno
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fileseq.frameset import FrameSet

from understudy.contracts.errors import MissingFileError, SequenceError, UnreadableFileError, UsageError
from understudy.frames.library import CONTAINERS, container_of

MAX_FRAMES = 1_000_000
"""More frames than this in one range are taken for a typing error."""

MAX_DIGITS = 64
"""Most digits that a frame number is padded to in a file's name."""

_CHUNK = re.compile(r"^(-?\d+)(?:-(-?\d+)(?:x(\d+))?)?$")
_PADDING = re.compile(r"%0?(\d*)d|(#+)|(@+)|\$F(\d*)")
_INNER_RANGE = re.compile(r"(?:(?<=[._-])|^)(-?\d+(?:-(?:-?\d+)(?:x\d+)?)?(?:,-?\d+(?:-(?:-?\d+)(?:x\d+)?)?)*)$")
_NUMBERED = re.compile(r"^(?P<head>.*?(?:[._]|(?<![A-Za-z0-9])))(?P<number>-?\d+)(?P<tail>\.[A-Za-z]+)$")


def parse_frames(text: str) -> tuple[int, ...]:
    """Parses a frame range such as ``1001-1010x2,1020``.

    Args:
        text: Single frames, ranges ``first-last`` and stepped ranges ``first-lastxstep``, separated by commas.

    Returns:
        The frames, sorted, each once.

    Raises:
        UsageError: It is empty, reversed, enormous or no range at all.
    """
    chunks = [chunk.strip() for chunk in text.split(",")]
    total = 0
    for chunk in chunks:
        match = _CHUNK.match(chunk)
        if not match:
            raise UsageError(
                f"{text!r} is no frame range", where="frames", fix="write it like 1001-1010, 1001-1010x2 or 1001,1005"
            )
        first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        if last < first:
            raise UsageError(f"the range {chunk} runs backward", where="frames", fix=f"write {last}-{first}")
        if step < 1:
            raise UsageError(f"the range {chunk} has a step of 0", where="frames", fix="use a step of 1 or more")
        total += (last - first) // step + 1
    if total > MAX_FRAMES:
        raise UsageError(f"{text!r} means {total} frames", where="frames", fix=f"ask for at most {MAX_FRAMES}")
    return tuple(sorted({int(frame) for frame in FrameSet(",".join(chunks))}))


def format_frames(frames: Iterable[int]) -> str:
    """Frames as a range, such as ``1001-1004,1006``; empty for none."""
    ordered = sorted(set(frames))
    return str(FrameSet(ordered).frange) if ordered else ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A file name with a place for the frame number.

    Attributes:
        folder: Where the files lie.
        head: What stands before the number.
        tail: What stands after it.
        digits: The least number of digits (1: no padding).
    """

    folder: Path
    head: str
    tail: str
    digits: int

    def path(self, frame: int) -> Path:
        """The file of a frame."""
        return self.folder / f"{self.head}{frame:0{self.digits}d}{self.tail}"

    def __str__(self) -> str:
        number = f"%0{self.digits}d" if self.digits > 1 else "%d"
        return str(self.folder / f"{self.head}{number}{self.tail}")


def split_pattern(text: str) -> tuple[Pattern, str] | None:
    """Finds the frame number's place in a path.

    ``%04d``, ``####``, ``@@@@`` and ``$F4`` mean four digits; a single ``#`` means four, as fileseq has it; ``%d``,
    ``@`` and ``$F`` mean no padding. A range may stand before it (``plate.1001-1010#.exr``).

    Returns:
        The pattern and the range in it (empty if none), or None when the path has no place for a number.

    Raises:
        UsageError: It has two, or one in the folder, or more digits than `MAX_DIGITS`.
    """
    folder, name = os.path.split(text)
    found = list(_PADDING.finditer(name))
    if _PADDING.search(folder):
        raise UsageError("a frame number can stand in the file's name only", where=text, fix="name one folder")
    if not found:
        return None
    if len(found) > 1:
        raise UsageError(
            "has more than one place for the frame number", where=text, fix="keep one, such as plate.%04d.exr"
        )
    match = found[0]
    printf, hashes, ats, houdini = match.groups()
    if hashes:
        digits = 4 if len(hashes) == 1 else len(hashes)
    elif ats:
        digits = len(ats)
    else:
        digits = int((printf or houdini or "1")[:4])  # enough to see that there are too many
    if digits > MAX_DIGITS:
        raise UsageError(
            f"frame numbers of more than {MAX_DIGITS} digits", where=text, fix="write %04d for four digits"
        )
    head, tail = name[: match.start()], name[match.end() :]
    inner = _INNER_RANGE.search(head)
    frames = inner[1] if inner else ""
    return Pattern(Path(folder), head[: len(head) - len(frames)], tail, max(digits, 1)), frames


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """Pictures that belong together.

    Attributes:
        pattern: The pattern of their paths, such as ``shots/plate.%04d.exr``; of a still, its path.
        frames: The frames on disk within what was asked for, sorted; empty for a still.
        still: It is one picture with no frame number.
        files: What makes paths; None for a still.
    """

    pattern: str
    frames: tuple[int, ...]
    still: bool = False
    files: Pattern | None = None

    def path(self, frame: int | None) -> Path:
        """The file of a frame (or of the still), whether or not it exists."""
        if self.files is None:
            return Path(self.pattern)
        if frame is None:
            raise UsageError("a sequence has no picture without a frame number", where=self.pattern)
        return self.files.path(frame)

    def missing(self, first: int, last: int) -> tuple[int, ...]:
        """Frames of ``first``..``last`` that are not there."""
        return () if self.still else tuple(sorted(set(range(first, last + 1)) - set(self.frames)))


def open_sequence(text: str, *, frames: str = "") -> FrameSequence:
    """Finds the pictures that a user named.

    Args:
        text: A pattern (see ``split_pattern``), one file, or a folder that holds exactly one sequence. One numbered
            file is that frame alone; one file without a number is a still.
        frames: Only these frames.

    Raises:
        MissingFileError: The file or folder does not exist.
        SequenceError: Nothing fits, the padding differs, or a folder holds several sequences; the message lists them.
        UnreadableFileError: The folder can't be read.
        UnsupportedFileError: It is a movie or no picture format of ours.
        UsageError: The range is no range.
    """
    if not text:
        raise UsageError("no file was named", fix="name a file, a pattern such as plate.%04d.exr, or a folder")
    wanted = parse_frames(frames) if frames else None
    path = Path(text)
    _check_reach(path)
    if path.is_dir():
        return _open_folder(path, wanted)
    split = None if path.is_file() else split_pattern(text)
    if split:
        pattern, inner = split
        container_of(Path(pattern.head + "0" + pattern.tail))
        within = set(parse_frames(inner)) if inner else None
        return _within(_on_disk(pattern), wanted, within, text)
    return _open_file(path, wanted)


def _check_reach(path: Path) -> None:
    """Refuses a path that the system won't even look up: too long, behind a closed folder, with a NUL in it."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno != errno.ELOOP:  # a link to itself leads nowhere, as one to a missing file does
            reason = f"can't be reached ({error.strerror})"
            raise UnreadableFileError(reason, where=str(path), fix="check the path") from None
    except ValueError:
        raise UsageError("a path can't hold a NUL character", where=repr(str(path)), fix="check the path") from None


def _open_file(path: Path, wanted: tuple[int, ...] | None) -> FrameSequence:
    if not path.exists():
        near = _list_patterns(path.parent) if path.parent.is_dir() else []
        fix = "in that folder are: " + ", ".join(near[:6]) if near else "check the path"
        raise MissingFileError("there is no such file", where=str(path), fix=fix)
    container_of(path)
    numbered = numbered_file(path)
    if not numbered:
        return FrameSequence(str(path), (), still=True)
    pattern, frame = numbered
    return _within(FrameSequence(str(pattern), (frame,), files=pattern), wanted, None, str(path))


def numbered_file(path: Path) -> tuple[Pattern, int] | None:
    """The pattern and the frame number of one numbered file; None for a still."""
    match = _NUMBERED.match(path.name)
    if not match:
        return None
    digits = match["number"]
    frame = int(digits)
    least = len(digits) if f"{frame:0{len(digits)}d}" == digits else 1
    return Pattern(path.parent, match["head"], match["tail"], least), frame


def _within(found: FrameSequence, wanted: Sequence[int] | None, inner: set[int] | None, text: str) -> FrameSequence:
    frames = [f for f in found.frames if (wanted is None or f in set(wanted)) and (inner is None or f in inner)]
    if not frames:
        asked = format_frames(wanted if wanted is not None else inner or ())
        raise SequenceError(
            f"none of the frames {asked} is there", where=text, fix=f"on disk are {format_frames(found.frames)}"
        )
    return FrameSequence(found.pattern, tuple(frames), files=found.files)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself says nothing of its neighbors
        return False


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if _is_file(entry) and not entry.name.startswith("."))
    except FileNotFoundError:
        raise MissingFileError("there is no such folder", where=str(folder), fix="check the path") from None
    except OSError as error:
        raise UnreadableFileError(
            f"the folder can't be read ({error.strerror})", where=str(folder), fix="check its permissions"
        ) from None


def _on_disk(pattern: Pattern) -> FrameSequence:
    names = _names(pattern.folder if str(pattern.folder) else Path())
    number = re.compile(re.escape(pattern.head) + r"(-?\d+)" + re.escape(pattern.tail) + "$")
    matches = [match[1] for name in names if (match := number.match(name))]
    frames = sorted(int(digits) for digits in matches if f"{int(digits):0{pattern.digits}d}" == digits)
    if frames:
        return FrameSequence(str(pattern), tuple(frames), files=pattern)
    if matches:
        other = Pattern(pattern.folder, pattern.head, pattern.tail, _least_digits(matches))
        raise SequenceError(
            f"the files there are padded differently, such as {pattern.head}{matches[0]}{pattern.tail}",
            where=str(pattern),
            fix=f"ask for {other}",
        )
    near = _list_patterns(pattern.folder)
    fix = "in that folder are: " + ", ".join(near[:6]) if near else "that folder holds no pictures"
    raise SequenceError("no file fits the pattern", where=str(pattern), fix=fix)


def _least_digits(numbers: Sequence[str]) -> int:
    padded = [len(n) for n in numbers if n.lstrip("-").startswith("0") and len(n) > 1]
    lengths = {len(n) for n in numbers}
    return min(padded) if padded else (lengths.pop() if len(lengths) == 1 else 1)


def _groups(folder: Path) -> tuple[dict[tuple[str, str], list[str]], list[str]]:
    """Numbered pictures of a folder by what surrounds their number, and the others."""
    numbered: dict[tuple[str, str], list[str]] = defaultdict(list)
    stills = []
    for name in _names(folder):
        if Path(name).suffix.lower() not in CONTAINERS:
            continue
        match = _NUMBERED.match(name)
        if match:
            numbered[match["head"], match["tail"]].append(match["number"])
        else:
            stills.append(name)
    return numbered, stills


def _list_patterns(folder: Path) -> list[str]:
    try:
        numbered, stills = _groups(folder if str(folder) else Path())
    except (MissingFileError, UnreadableFileError):
        return []
    listed = [
        f"{Pattern(Path(), head, tail, _least_digits(numbers))} ({format_frames(int(n) for n in numbers)})"
        for (head, tail), numbers in numbered.items()
    ]
    return listed + stills


def patterns_in(folder: Path) -> list[str]:
    """The sequences of a folder as patterns of names, and the names of its single pictures.

    Raises:
        InputError: The folder does not exist or can't be read.
    """
    numbered, stills = _groups(folder)
    return [str(Pattern(Path(), *around, _least_digits(numbers))) for around, numbers in numbered.items()] + stills


def _open_folder(folder: Path, wanted: tuple[int, ...] | None) -> FrameSequence:
    numbered, stills = _groups(folder)
    if len(numbered) + len(stills) != 1:
        listed = _list_patterns(folder)
        more = f" and {len(listed) - 12} more" if len(listed) > 12 else ""
        problem = "holds several sequences or pictures" if listed else "holds no pictures"
        fix = f"name one of: {', '.join(listed[:12])}{more}" if listed else "name another folder"
        raise SequenceError(problem, where=str(folder), fix=fix)
    if stills:
        return FrameSequence(str(folder / stills[0]), (), still=True)
    ((head, tail), numbers) = next(iter(numbered.items()))
    pattern = Pattern(folder, head, tail, _least_digits(numbers))
    return _within(_on_disk(pattern), wanted, None, str(folder))


class OutputPattern:
    """Where results go.

    Args:
        text: A pattern like an input's, or one file's path.
        still: One picture only is to be written, so that a path without a frame number will do.

    Raises:
        UsageError: Many frames would be written into one file.
        UnsupportedFileError: The extension is no format of ours.
    """

    def __init__(self, text: str, still: bool = False) -> None:  # noqa: FBT001
        if not text:
            raise UsageError("no output was named", fix="name a file or a pattern such as out.%04d.exr")
        if "\0" in text:
            raise UsageError("a path can't hold a NUL character", where=repr(text), fix="check the path")
        split = split_pattern(text)
        if not split and not still:
            stem, suffix = str(Path(text).with_suffix("")), Path(text).suffix
            raise UsageError(
                "many frames can't go into one file",
                where=text,
                fix=f"put the frame number into the name, such as {stem}.%04d{suffix}",
            )
        self.text = text
        self.still = still
        self._pattern = split[0] if split else None
        container_of(self.path(0 if self._pattern else None))

    def __str__(self) -> str:
        return str(self._pattern) if self._pattern else self.text

    def path(self, frame: int | None) -> Path:
        """The file of a frame.

        Raises:
            UsageError: The pattern needs a frame number and there is none.
        """
        if self._pattern is None:
            return Path(self.text)
        if frame is None:
            raise UsageError(
                "the picture has no frame number to put into the name",
                where=self.text,
                fix="name a file without a pattern",
            )
        return self._pattern.path(frame)
