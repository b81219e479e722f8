# SPDX-License-Identifier: Apache-2.0
"""YAML that is broken, hostile or merely mistaken."""

from pathlib import Path

import pytest

from understudy.contracts.errors import GraphError, MissingFileError, UnreadableFileError
from understudy.graph.yaml_file import read_yaml


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 20_000, "nested too deep"),
        ("a: " + "{a: " * 2000 + "1" + "}" * 2000, "nested too deep"),
        ("a: 1" + "0" * 5000, "a value that can't be"),
        ("a: 2020-13-40", "a value that can't be"),
        ("a: 1\na: 2", "'a' stands twice"),
        ("a: [", "is not YAML"),
        ("a: !!python/object/apply:os.system [id]", "is not YAML"),
        ("? [1, 2]\n: 3", "is not YAML"),
    ],
)
def test_each_is_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(text)
    with pytest.raises(GraphError, match=message) as caught:
        read_yaml(path, "graph")
    assert caught.value.where is not None
    assert caught.value.where.startswith(str(path))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such curve"):
        read_yaml(tmp_path / "none.yaml", "curve")
    with pytest.raises(UnreadableFileError, match="Is a directory"):
        read_yaml(tmp_path, "curve")
    with pytest.raises(UnreadableFileError, match="File name too long"):
        read_yaml(tmp_path / ("x" * 5000), "curve")
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableFileError, match="not UTF-8"):
        read_yaml(tmp_path / "a.yaml", "curve")


def test_merge_keys_and_aliases_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("base: &b {x: 1}\nmore:\n  <<: *b\n  y: 2\nlist: [*b, *b]\n")
    assert read_yaml(path, "graph") == {"base": {"x": 1}, "more": {"x": 1, "y": 2}, "list": [{"x": 1}, {"x": 1}]}
