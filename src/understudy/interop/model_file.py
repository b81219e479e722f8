# SPDX-License-Identifier: Apache-2.0
"""What kind of model a file is, told by its bytes and not by its name; and why some are not taken."""

import io
import json
import zipfile
from pathlib import Path
from typing import Literal

from understudy.contracts.errors import MissingFileError, PackError, UnreadableFileError, UnsupportedFileError
from understudy.runtimes.onnx_file import MOST_FILE_BYTES, onnx_facts
from understudy.runtimes.torchscript_file import MOST_ARCHIVE_BYTES, is_torchscript

ModelKind = Literal["onnx", "torchscript", "safetensors", "pickled"]
"""A graph, a module of TorchScript, plain weights, or weights in a pickle (``.pth``)."""

TAKEN = "give .onnx, TorchScript (.pt), or weights as .safetensors or .pth"

_REFUSED = {
    ".inf": ("is a package that only Flame can open", "ask for the .onnx and .json that it was made of"),
    ".cat": ("is Nuke's own container", "ask for the TorchScript (.pt) that CatFileCreator was given"),
    ".engine": ("is compiled for one kind of GPU", "ask for the .onnx that it was made of"),
    ".plan": ("is compiled for one kind of GPU", "ask for the .onnx that it was made of"),
    ".tflite": ("is a TensorFlow Lite model", "export it as ONNX"),
    ".pb": ("is a TensorFlow graph", "export it as ONNX"),
    ".h5": ("is a Keras model", "export it as ONNX"),
    ".keras": ("is a Keras model", "export it as ONNX"),
    ".mlmodel": ("is a Core ML model", "export it as ONNX"),
    ".pt2": ("is a torch.export archive, which may hold code of any kind", "export it as ONNX"),
}


def read_model(path: Path) -> tuple[ModelKind, bytes]:
    """The kind of a file, and its bytes.

    Raises:
        MissingFileError: There is none.
        UnreadableFileError: It can't be read, or is empty.
        UnsupportedFileError: It is of a kind that is not taken.
        PackError: It is too large, or calls itself ONNX and is not.
    """
    where = path.as_posix()
    if not path.is_file():
        raise MissingFileError("there is no such file", where=where)
    if path.suffix.lower() in _REFUSED:
        problem, fix = _REFUSED[path.suffix.lower()]
        raise UnsupportedFileError(problem, where=where, fix=fix)
    most = MOST_FILE_BYTES if path.suffix.lower() == ".onnx" else MOST_ARCHIVE_BYTES
    try:
        if path.stat().st_size > most:
            raise PackError(f"is over {(most + 1) >> 30} GiB", where=where, fix="use a smaller model")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(f"can't be read: {error.strerror}", where=where) from None
    except MemoryError:
        raise PackError("does not fit in memory", where=where, fix="use a smaller model") from None
    if not data:
        raise UnreadableFileError("is empty", where=where, fix="fetch the file again")
    return _kind(data, path, where), data


def _kind(data: bytes, path: Path, where: str) -> ModelKind:
    if data.startswith(b"version https://git-lfs"):
        raise UnsupportedFileError("is a pointer of Git LFS, not the model", where=where, fix="run `git lfs pull`")
    if data.startswith(b"PK\x03\x04"):
        if is_torchscript(data):
            return "torchscript"
        if _has_pickle(data):
            return "pickled"
        raise UnsupportedFileError("is an archive without a model", where=where, fix=TAKEN)
    if _looks_like_safetensors(data):
        return "safetensors"
    if path.suffix.lower() == ".onnx":
        onnx_facts(data, where=where)
        return "onnx"
    if data.startswith(b"\x80") and path.suffix.lower() in {".pth", ".pt", ".ckpt", ".pkl"}:
        return "pickled"
    raise UnsupportedFileError("is no model of a kind that is known here", where=where, fix=TAKEN)


def _has_pickle(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError):
        return False


def _looks_like_safetensors(data: bytes) -> bool:
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= len(data) - 8 or data[8:9] != b"{":
        return False
    try:
        return isinstance(json.loads(data[8 : 8 + length]), dict)
    except (ValueError, RecursionError):
        return False
