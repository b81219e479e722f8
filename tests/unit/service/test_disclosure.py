# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from contract.service.rig import FakeEngine
from understudy.contracts.errors import BusyError, ManifestError, PackError, UnderstudyError
from understudy.service.caller import Caller
from understudy.service.disclosure import error_for, info_for, told_to, without_paths

GUEST = Caller(name="guest")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/srv/packs/lanczos/pack.toml: is no file", "lanczos/pack.toml: is no file"),
        ("there is no '/srv/my packs/model.onnx' here", "there is no 'model.onnx' here"),
        ('the library "/usr/lib/x y.so" is missing', 'the library "x y.so" is missing'),
        ("chmod 600 /etc/understudy/key.pem", "chmod 600 key.pem"),
        ("looked in /a/b, /c/d; and (/e/f)", "looked in b, d; and (f)"),
        ("write and/or read 24000/1001 at 1/2", "write and/or read 24000/1001 at 1/2"),
        ("ocio://studio, https://a.b/c", "ocio://studio, https://a.b/c"),
        ("problem:/srv/x", "problem:x"),
        ("/shows/abc/plate.1001.exr is /home/zoe/x", "/shows/abc/plate.1001.exr is x"),
        ("/shows/../etc/passwd", "passwd"),
        ("/showshidden/x", "x"),
        ("", ""),
    ],
)
def test_paths_are_cut_to_their_last_part(text: str, shown: str) -> None:
    assert without_paths(text, (Path("/shows"),)) == shown


def test_an_error_keeps_its_class_and_its_facts() -> None:
    error = ManifestError("bad /srv/p/x", where="/srv/my packs/lanczos/pack.toml: role", fix="see '/srv/p/y'")
    shown = error_for(error, GUEST)
    assert type(shown) is ManifestError
    assert str(shown) == "lanczos/pack.toml: role: bad x; see 'y'"
    assert str(error).startswith("/srv/my packs")
    busy = error_for(BusyError("full", retry_after_s=7.0), GUEST)
    assert isinstance(busy, BusyError)
    assert busy.retry_after_s == 7.0


def test_a_report_tells_guests_no_folder() -> None:
    report = {
        "note": "no CUDA: '/usr/lib/x y.so' is missing; see /srv/a/log",
        "device": "cpu",
        "steps": [{"file": "/shows/abc/a.exr"}, ("/srv/b", 3)],
        "file": "/shows/with blanks/a.exr",
        "share": 0.5,
    }
    assert told_to(GUEST, report, (Path("/shows"),)) == {
        "note": "no CUDA: 'x y.so' is missing; see log",
        "device": "cpu",
        "steps": [{"file": "/shows/abc/a.exr"}, ["b", 3]],
        "file": "/shows/with blanks/a.exr",
        "share": 0.5,
    }
    assert told_to(Caller(admin=True), report) == report


@pytest.mark.parametrize("caller", [Caller(local=True), Caller(admin=True)])
def test_admins_and_callers_on_the_machine_see_everything(caller: Caller) -> None:
    error: UnderstudyError = PackError("/srv/packs/p")
    assert error_for(error, caller) is error
    info = FakeEngine().info()
    assert info_for(info, caller) is info


def test_info_tells_guests_no_folder() -> None:
    info = info_for(FakeEngine().info(), GUEST)
    assert "/" not in repr(info).replace("understudy.pack/1", "")
    assert info.packs[0].source == "env"
    assert [failure.path for failure in info.failures] == ["bad"]
    assert info.packs[0].pin == FakeEngine().info().packs[0].pin
