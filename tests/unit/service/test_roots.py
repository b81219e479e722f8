# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

import pytest

from understudy.contracts.errors import ForbiddenError, UsageError
from understudy.service.caller import Caller
from understudy.service.roots import FilesSettings, Roots

GUEST = Caller(name="guest")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two open folders, a closed one, and links between them."""
    for name in ("in/sub", "out", "closed/sub"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("in/a.exr", "in/sub/b.exr", "out/c.exr", "closed/secret.exr"):
        (tmp_path / name).write_text("x")
    (tmp_path / "in/leads-in").symlink_to(tmp_path / "in/sub")
    (tmp_path / "in/leads-out").symlink_to(tmp_path / "closed")
    (tmp_path / "in/secret.exr").symlink_to(tmp_path / "closed/secret.exr")
    (tmp_path / "in/dangling.exr").symlink_to(tmp_path / "closed/none.exr")
    (tmp_path / "in/relative").symlink_to("../closed")
    (tmp_path / "in/loop").symlink_to("loop")
    (tmp_path / "closed/back").symlink_to(tmp_path / "in")
    os.mkfifo(tmp_path / "in/pipe.exr")
    (tmp_path / "entry").symlink_to(tmp_path / "in")
    return tmp_path


@pytest.fixture
def roots(tree: Path) -> Roots:
    return Roots(FilesSettings(read=(tree / "entry",), write=(tree / "out",), ocio=(tree / "in/sub",)))


@pytest.mark.parametrize(
    "path",
    [
        *("in/a.exr", "in/none.exr", "in/sub/b.exr", "in/plate.%04d.exr", "in", "in/none/deeper/x.exr", "entry/a.exr"),
        *("in/leads-in/b.exr", "in/sub/../a.exr", "closed/back/a.exr", "closed/../in/a.exr", "out/c.exr"),
    ],
)
def test_what_lies_in_a_root_may_be_read(roots: Roots, tree: Path, path: str) -> None:
    roots.require(tree / path, "read")


@pytest.mark.parametrize(
    "path",
    [
        *(
            "closed/secret.exr",
            "closed/none.exr",
            "in/../closed/secret.exr",
            "in/leads-out/secret.exr",
            "in/secret.exr",
        ),
        *("in/leads-out/none.exr", "in/dangling.exr", "in/relative/secret.exr", "in/loop", "in/loop/x", "in/pipe.exr"),
        *("in/sub/../../closed/secret.exr", "", "in-beside/a.exr", "in/leads-in/../../closed/secret.exr"),
        *("in/nul\0", f"in/{'x' * 300}/a.exr"),
    ],
)
def test_what_leads_out_of_it_may_not_and_the_sentence_is_one(roots: Roots, tree: Path, path: str) -> None:
    for access in ("read", "write"):
        with pytest.raises(ForbiddenError) as caught:
            roots.require(tree / path, access)
        assert caught.value.problem == f"the service may not {access} here"
        assert caught.value.where == str(tree / path)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/dev/zero", "/proc/self/environ", "relative/a.exr", "../a.exr", "~/a"]
)
def test_elsewhere_is_closed(roots: Roots, path: str) -> None:
    with pytest.raises(ForbiddenError):
        roots.require(Path(path), "read")


def test_a_root_to_read_is_not_one_to_write(roots: Roots, tree: Path) -> None:
    roots.require(tree / "out/new/x.exr", "write")
    with pytest.raises(ForbiddenError, match="may not write here"):
        roots.require(tree / "in/x.exr", "write")


def test_configs_have_folders_of_their_own(roots: Roots, tree: Path) -> None:
    inside, outside = str(tree / "in/sub/config.ocio"), str(tree / "in/config.ocio")
    for name in (inside, "", "ocio://default"):
        roots.require_config(name, GUEST)
    for name in (outside, "/etc/passwd", "config.ocio", "OCIO://x"):
        with pytest.raises(ForbiddenError, match="may not use this OCIO config"):
            roots.require_config(name, GUEST)
    with pytest.raises(ForbiddenError, match="may not use this OCIO config"):
        roots.require_config(outside, Caller(local=True))
    roots.require_config(outside, Caller(admin=True))
    for name in (str(tree / "in/pipe.exr"), "/dev/zero"):
        with pytest.raises(ForbiddenError, match="may not use this OCIO config"):
            roots.require_config(name, Caller(admin=True))
    Roots(FilesSettings(), own_config=lambda: outside).require_config(outside, GUEST)


def test_wrong_roots_are_refused(tree: Path) -> None:
    with pytest.raises(UsageError, match=r"files\.read: .*none: there is no such folder"):
        Roots(FilesSettings(read=(tree / "none",)))
    with pytest.raises(UsageError, match="is no folder"):
        Roots(FilesSettings(write=(tree / "in/a.exr",)))
    with pytest.raises(UsageError, match="would open the whole machine"):
        Roots(FilesSettings(read=(Path("/"),)))
    assert not Roots(FilesSettings()).any
