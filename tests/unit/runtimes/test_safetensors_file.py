# SPDX-License-Identifier: Apache-2.0
import json
import random
from pathlib import Path
from typing import Any

import pytest

from understudy.contracts.errors import ManifestError, PackError
from understudy.packs import open_pack, write_hashes
from understudy.runtimes import load_model
from understudy.runtimes.safetensors_file import check_safetensors
from unit.packs.pack_folders import make_pack


def _entry(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


SOUND = {"__metadata__": {"made": "here"}, "b": _entry(16, 18, [1], "F16"), "a": _entry(0, 16, [2, 2])}


def _file(folder: Path, header: object, data: bytes = bytes(18), *, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = folder / "w.safetensors"
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def test_a_sound_file(tmp_path: Path) -> None:
    check_safetensors(_file(tmp_path, SOUND))
    check_safetensors(_file(tmp_path, {}, b""))
    check_safetensors(_file(tmp_path, json.dumps(SOUND).encode() + b"   "))
    check_safetensors(_file(tmp_path, {"scalar": _entry(0, 4, [])}, bytes(4)))
    check_safetensors(_file(tmp_path, {"none": _entry(0, 0, [0, 3])}, b""))


@pytest.mark.parametrize(
    ("header", "data", "problem"),
    [
        pytest.param({**SOUND, "b": _entry(12, 14, [1], "F16")}, bytes(18), "overlaps another", id="overlap"),
        pytest.param({"a": _entry(2, 18, [4])}, bytes(18), "leaves a gap", id="gap"),
        pytest.param(SOUND, bytes(17), "take 18 bytes, and it holds 17", id="short"),
        pytest.param(SOUND, bytes(19), "take 18 bytes, and it holds 19", id="long"),
        pytest.param({"a": _entry(0, 18, [4])}, bytes(18), 'tensor "a" is not as large as it says', id="size"),
        pytest.param({"a": _entry(0, 4, [1], "F7")}, bytes(4), "not as large", id="type"),
        pytest.param({"a": _entry(0, 4, [-1])}, bytes(4), "not as large", id="negative"),
        pytest.param({"a": _entry(0, 4, [True])}, bytes(4), "not as large", id="bool"),
        pytest.param({"a": _entry(0, 0, [1 << 62, 1 << 62])}, b"", "not as large", id="overflow"),
        pytest.param({"a": {**_entry(0, 4, [1]), "more": 1}}, bytes(4), "not as large", id="more fields"),
        pytest.param({"a": [0, 4]}, bytes(4), "not as large", id="no object"),
        pytest.param({"__metadata__": {"n": 1}}, b"", "__metadata__", id="metadata"),
        pytest.param(b'{"a": 1, "a": 2}', b"", "unique names", id="twice"),
        pytest.param(b'[{"a": 1}]', b"", "no JSON object", id="list"),
        pytest.param(b"\xff\xff", b"", "no JSON object", id="bytes"),
        pytest.param(b"{" * 100_000, b"", "no JSON object", id="deep"),
    ],
)  # fmt: skip
def test_broken_files(tmp_path: Path, header: object, data: bytes, problem: str) -> None:
    with pytest.raises(PackError) as caught:
        check_safetensors(_file(tmp_path, header, data))
    assert problem in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"1234567", (1 << 63).to_bytes(8, "little"), (99).to_bytes(8, "little")])
def test_lengths_that_lie(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(PackError, match="bytes long"):
        check_safetensors(path)


def test_no_bytes_harm_who_looks(tmp_path: Path) -> None:
    dice = random.Random(7)
    seed = _file(tmp_path, SOUND).read_bytes()
    path = tmp_path / "w.safetensors"
    sound = 0
    for _ in range(2000):
        data = bytearray(seed)
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(data))
            if dice.random() < 0.5:
                data[at] = dice.randrange(256)
            else:
                del data[at : at + dice.randint(1, 8)]
        path.write_bytes(data)
        try:
            check_safetensors(path)
            sound += 1
        except PackError:
            continue
    assert 0 < sound < 2000


def test_a_pack_with_broken_weights_does_not_load(tmp_path: Path) -> None:
    folder = make_pack(
        tmp_path / "mine", edit=(("[contract]", '[[weights]]\nfile = "w.safetensors"\n\n[contract]'),), pin=False
    )
    _file(folder, SOUND, bytes(3))
    write_hashes(folder)
    with pytest.raises(PackError, match="no sound safetensors file"):
        load_model(open_pack(folder))


@pytest.mark.parametrize("name", ["w.pt", "w.PTH", "w.pkl", "w.bin", "w.ckpt", "sub/w.pickle", "w.joblib"])
def test_pickles_are_refused(tmp_path: Path, name: str) -> None:
    folder = make_pack(
        tmp_path / "mine", edit=(("[contract]", f'[[weights]]\nfile = "{name}"\n\n[contract]'),), pin=False
    )
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"\x80\x04.")
    write_hashes(folder)
    with pytest.raises(ManifestError, match=r"runs code when it is read; keep weights as \.safetensors"):
        open_pack(folder)
