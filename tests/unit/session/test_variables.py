# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from understudy.contracts.errors import UsageError
from understudy.session.document import Variable
from understudy.session.variables import Place, Roots, expanded, find_places, require_sound


def test_a_path_starts_at_the_innermost_folder_that_has_a_name() -> None:
    roots = Roots({"SHOW": "/show", "PLATES": "/show/sh010/plates"}, "/show/sh010")
    assert roots.path("/show/sh010/plates/a.%04d.exr", "nodes.a.file") == "${PLATES}/a.%04d.exr"
    assert roots.path("/show/sh010/out/../b.exr", "nodes.b.file") == "${SHOT}/b.exr"
    assert roots.path("/showreel/c.exr", "nodes.big-plate.file") == "${BIG_PLATE}/c.exr"
    assert roots.path("/showreel/d/e.exr", "nodes.d.file") == "${BIG_PLATE}/d/e.exr"
    assert roots.path("/show/lib/$F4.exr", "nodes.f.file") == "${SHOW}/lib/$F4.exr"
    assert roots.used == {
        "PLATES": "/show/sh010/plates",
        "SHOT": "/show/sh010",
        "BIG_PLATE": "/showreel",
        "SHOW": "/show",
    }
    assert Roots({"SHOT": "/else"}, "/show").path("/show/a.exr", "nodes.a.file") == "${GRAPH}/a.exr"


def test_said_goes_before_environment_before_beside_before_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"SHOT": Variable(folder="/was", beside="..")}
    there = {str(tmp_path), "/was"}

    def find(given: dict[str, str]) -> Place:
        return find_places(variables, tmp_path / "sessions", given, lambda _name, folder: folder in there)["SHOT"]

    monkeypatch.delenv("SHOT", raising=False)
    assert find({}) == Place(str(tmp_path), "beside the session")
    there.remove(str(tmp_path))
    assert find({}) == Place("/was", "as saved")
    there.clear()
    assert find({}) == Place("", "")
    monkeypatch.setenv("SHOT", "/env")
    assert find({}) == Place("/env", "$SHOT")
    assert find({"SHOT": "/said"}) == Place("/said", "--set")
    assert expanded("${SHOT}/$F4.%d.exr", {"SHOT": Place("/a", "")}) == "/a/$F4.%d.exr"
    with pytest.raises(UsageError, match="no variable 'SHOW'; it has SHOT"):
        find({"SHOW": "/x"})


@pytest.mark.parametrize("path", ["/etc/x", "x", "${OTHER}/x", "${SHOT}/../x", "${SHOT}/a/../../x", "${SHOT}//etc/x"])
def test_a_path_of_a_session_stays_in_the_folder_of_a_variable(path: str) -> None:
    require_sound("${SHOT}/a/..b/x.exr", ["SHOT"], "file")
    with pytest.raises(ValueError, match="file: "):
        require_sound(path, ["SHOT"], "file")
