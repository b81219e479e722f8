# SPDX-License-Identifier: Apache-2.0
"""What a model computes in is told from its pack, whatever else the process holds."""

import sys
from pathlib import Path

import pytest

from understudy.packs import open_pack
from understudy.runtimes.libraries import libraries_of, versions_of

_MODELS = Path(__file__).parents[3] / "models"


@pytest.mark.parametrize(
    ("name", "device", "expected"),
    [
        ("dis-good", "cpu", {"numpy", "cv2"}),
        ("leaves-small", "cpu", {"numpy", "cv2", "onnxruntime"}),
        ("identity-onnx-upscale", "cpu", {"numpy", "cv2", "onnxruntime"}),
        ("identity-onnx-upscale", "openvino", {"numpy", "cv2", "openvino"}),
    ],
)
def test_the_libraries_of_shipped_packs(name: str, device: str, expected: set[str]) -> None:
    pack = open_pack(_MODELS / name)
    assert libraries_of(pack.manifest, pack.folder, device) == expected


def test_what_the_code_of_a_pack_imports_anywhere_counts(tmp_path: Path) -> None:
    pack = open_pack(_MODELS / "identity-upscale")
    code = "def run():\n    from torch.nn import functional\n    import scipy.ndimage\n"
    (tmp_path / pack.manifest.runtime.file).write_text(code)
    assert libraries_of(pack.manifest, tmp_path, "cpu") == {"numpy", "cv2", "torch"}


def test_what_else_a_process_imported_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    before = versions_of(frozenset({"numpy"}))
    monkeypatch.setitem(sys.modules, "openvino", sys)
    assert versions_of(frozenset({"numpy"})) == before
    assert before.keys() == {"numpy"}
