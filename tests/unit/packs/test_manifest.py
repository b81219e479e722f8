# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

import pytest

from understudy.contracts.errors import ManifestError
from understudy.packs import open_pack, read_manifest
from unit.packs.pack_folders import make_pack


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param((), id="as it is"),
        pytest.param((('version = "1.0.0"', 'version = "2.1.0-rc.1"'),), id="pre-release"),
        pytest.param((("domain = [0.0, 1.0]\n", ""), ('"acescct"', '"plate"')), id="no domain for plate values"),
        pytest.param((("scales = [1, 2]\n", ""),), id="any scale"),
        pytest.param((("radius = 0", "radius = -1"),), id="whole frame"),
        pytest.param((('declared = "Apache-2.0"', 'declared = "MIT OR (Apache-2.0 AND BSD-3-Clause)"'),), id="SPDX OR"),
        pytest.param((('declared = "Apache-2.0"', 'declared = "LicenseRef-Show-Terms"'),), id="SPDX LicenseRef"),
    ],
)
def test_good_manifests(tmp_path: Path, edit: tuple[tuple[str, str], ...]) -> None:
    assert read_manifest(make_pack(tmp_path / "mine", edit=edit)).id == "mine"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(
            (('"acescct"', '"acescc2"'),),
            'pack.toml: contract.encoding: unknown "acescc2"; did you mean "acescct"?',
            id="encoding misspelled",
        ),
        pytest.param((("radius = 0", "radus = 0"),), 'contract.radus: unknown field; did you mean "radius"?', id="key"),
        pytest.param((("[training]", "[trainin]"),), 'trainin: unknown field; did you mean "training"?', id="table"),
        pytest.param((("minimum = 0.0", "minimun = 0.0"),), 'did you mean "minimum"?', id="option key"),
        pytest.param((("radius = 0\n", ""),), "contract.radius: is missing", id="missing field"),
        pytest.param((("radius = 0", "radius = 1.5"),), "contract.radius: 1.5:", id="fraction of a pixel"),
        pytest.param((("radius = 0", "radius = -2"),), "contract.radius: -2:", id="radius under -1"),
        pytest.param((("[0.0, 1.0]", "[1.0, 0.0]"),), "low < high", id="domain upside down"),
        pytest.param(
            (("[0.0, 1.0]", "[0.0, inf]"),), "contract.domain: holds a value that is not finite", id="infinite"
        ),
        pytest.param((("domain = [0.0, 1.0]\n", ""),), "contract: domain is required", id="encoded without domain"),
        pytest.param((("[1, 2]", "[0, 2]"),), "contract.scales: holds a factor that is not over 0", id="scale 0"),
        pytest.param(
            (('id = "mine"', 'id = "My Pack"'),), 'id: "My Pack" does not fit; it must be lower-case', id="id"
        ),
        pytest.param((('"1.0.0"', '"1.0"'),), 'version: "1.0" does not fit', id="version"),
        pytest.param((('role = "upscale"', 'role = "upscaling"'),), 'did you mean "upscale"?', id="role"),
        pytest.param(
            (('role = "upscale"', 'role = "motion"'),), "a motion pack has no scale factors", id="scales of motion"
        ),
        pytest.param((("understudy.pack/1", "understudy.pack/9"),), 'did you mean "understudy.pack/1"?', id="schema"),
        pytest.param((('title = "Mine"', 'title = ""'),), "title: is empty", id="empty title"),
        pytest.param(
            (("default = 1.0", "default = 5.0"),), "options.strength.default: 5 is out of range", id="default"
        ),
        pytest.param((('default = "soft"', 'default = "sof"'),), 'did you mean "soft"?', id="default choice"),
        pytest.param((('choices = ["soft", "sharp"]\n', ""),), "options.mode.choices: is missing", id="no choices"),
        pytest.param((("[options.mode]", "[options.Mode]"),), "options.Mode: an option's name is", id="option name"),
        pytest.param(
            (('declared = "Apache-2.0"', 'declared = "free for all"'),), "is no SPDX expression", id="license"
        ),
        pytest.param((('"python"', '"onnx"'),), "needs a file that ends in .onnx", id="kind and file"),
        pytest.param(
            (('"adapter.py"', '"adaptor.py"'),), 'no file "adaptor.py"; did you mean "adapter.py"?', id="no file"
        ),
        pytest.param((('"adapter.py"', '"../mine/adapter.py"'),), "leads out of the pack folder", id="dot dot"),
        pytest.param((('"adapter.py"', '"/etc/hostname"'),), "leads out of the pack folder", id="absolute"),
        pytest.param((("schema =", "schema"),), "is not TOML", id="no TOML"),
        pytest.param((('title = "Mine"', 'title = "Mine"\ndraft = "mine"'),), "can't be its own draft", id="own draft"),
    ],
)
def test_bad_manifests(tmp_path: Path, edit: tuple[tuple[str, str], ...], message: str) -> None:
    folder = make_pack(tmp_path / "mine", pin=False)
    text = (folder / "pack.toml").read_text().replace("  # the code", f'\nsha256 = "{"0" * 64}"')
    for old, new in edit:
        assert old in text
        text = text.replace(old, new)
    (folder / "pack.toml").write_text(text)
    with pytest.raises(ManifestError) as caught:
        read_manifest(folder)
    assert message in str(caught.value)
    assert "pack.toml" in str(caught.value)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    edit = (('"acescct"', '"acescc2"'), ("radius = 0", "radus = 0"), ('title = "Mine"\n', ""))
    folder = make_pack(tmp_path / "mine", edit=edit)
    with pytest.raises(ManifestError) as caught:
        read_manifest(folder)
    text = str(caught.value)
    assert "4 problems" in text
    for part in ("contract.encoding", "contract.radus", "contract.radius: is missing", "title: is missing"):
        assert part in text


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "mine")
    (tmp_path / "elsewhere.py").write_text((folder / "adapter.py").read_text())
    (folder / "adapter.py").unlink()
    (folder / "adapter.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(ManifestError, match="is a link that leads out"):
        read_manifest(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "there is no pack.toml", id="none"),
        pytest.param(b"\xff\xfe", "is not UTF-8", id="not text"),
        pytest.param(b"#" * (1 << 21), "larger than 1 MiB", id="huge"),
        pytest.param(b"", "schema: is missing; write schema =", id="empty"),
    ],
)
def test_unreadable_manifests(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "pack.toml").write_bytes(content)
    with pytest.raises(ManifestError, match=message):
        read_manifest(tmp_path)


def test_the_digest_ignores_layout_and_follows_meaning(tmp_path: Path) -> None:
    plain = open_pack(make_pack(tmp_path / "plain"))
    commented = open_pack(make_pack(tmp_path / "commented", edit=(("# a comment that must survive", "# another"),)))
    wider = open_pack(make_pack(tmp_path / "wider", edit=(("radius = 0", "radius = 1"),)))
    other_code = open_pack(make_pack(tmp_path / "other", adapter="def load(folder): ..."))
    assert plain.digest == commented.digest
    assert len({plain.digest, wider.digest, other_code.digest}) == 3


@pytest.mark.parametrize(
    ("content", "message"), [("a = 1" + "0" * 5000, "is not TOML"), ("a = " + "[" * 5000, "nested too deep")]
)
def test_hostile_manifests(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "pack.toml").write_text(content)
    with pytest.raises(ManifestError, match=message):
        read_manifest(tmp_path)


def test_a_pipe_is_no_manifest(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pack.toml")
    with pytest.raises(ManifestError, match="is no file"):
        read_manifest(tmp_path)
