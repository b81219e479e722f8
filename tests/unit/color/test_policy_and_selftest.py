# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from understudy.color import selftest
from understudy.color.config import ColorConfig
from understudy.color.policy import policy, read_policy
from understudy.contracts.errors import ColorspaceError
from understudy.share_root import share_root

SHIPPED = (share_root() / "ocio" / "shaper_policy.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("knee = 0.5 ", "knee = 20.0 ", "knee < peak"),
        ("knee = 0.5 ", "knee = 0.001 ", "toe"),
        ("peak = 16.0", 'peak = "high"', "display_log.peak"),
        ("peak = 16.0", "peak = inf", "display_log.peak"),
        ("gamma = 2.4", "gamma = 2.4\nextra = 1", "display_log.extra"),
        ("understudy.shaper/1", "understudy.shaper/9", "schema"),
        ("[pinned]", "[pinned", "can't be read"),
    ],
)
def test_a_wrong_policy_names_file_and_field(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in SHIPPED
    path = tmp_path / "shaper_policy.toml"
    path.write_text(SHIPPED.replace(old, new), "utf-8")
    with pytest.raises(ColorspaceError) as error:
        read_policy(path)
    assert told in str(error.value)
    assert str(error.value).startswith(str(path))


def test_a_missing_policy_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ColorspaceError, match="can't be read"):
        read_policy(tmp_path / "none.toml")


def test_every_file_of_the_ocio_folder_is_known() -> None:
    files = {path.name for path in (share_root() / "ocio").iterdir() if not path.name.startswith(".")}
    readme = (share_root() / "ocio" / "README.md").read_text("utf-8")
    assert files == {"README.md", "shaper_policy.toml"}
    assert "shaper_policy.toml" in readme
    assert policy().pinned.config in readme


def test_the_pinned_config_passes(config: ColorConfig) -> None:
    assert selftest.self_test(config) == ()


@pytest.mark.parametrize("name", ["ocio://cg-config-v1.0.0_aces-v1.3_ocio-v2.1", "ocio://studio-config-latest"])
def test_other_aces_configs_pass(name: str) -> None:
    assert selftest.self_test(ColorConfig.load(name)) == ()


def test_a_poor_config_is_told_what_it_lacks(bare_file: Path) -> None:
    problems = selftest.self_test(ColorConfig.load(str(bare_file)))
    assert any("no role texture_paint" in problem for problem in problems)
    assert any("has no ocio:acescct_ap1_scene" in problem for problem in problems)
    assert all(str(bare_file) in problem for problem in problems)


def test_another_content_under_the_pinned_name_is_told(config: ColorConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = policy().pinned.model_copy(update={"cache_id": "0:0"})
    monkeypatch.setattr(selftest, "policy", lambda: policy().model_copy(update={"pinned": pinned}))
    (problem,) = selftest.self_test(config)
    assert "another config under that name" in problem


def test_a_config_that_computes_otherwise_is_told(config: ColorConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    known = policy().known[0].model_copy(update={"expected": 0.42})
    monkeypatch.setattr(selftest, "policy", lambda: policy().model_copy(update={"known": (known,)}))
    (problem,) = selftest.self_test(config)
    assert "not 0.42" in problem
