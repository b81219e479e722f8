# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from understudy.contracts.errors import MissingFileError, UnderstudyError, UsageError
from understudy.service.config import ServiceConfig, default_config, load_config
from understudy.service.limits import Limits

_EXAMPLE = Path(__file__).parents[3] / "examples" / "service.toml"
_FIRST = 'schema = "understudy.service/1"\n'


def _file(folder: Path, text: str) -> Path:
    path = folder / "service.toml"
    path.write_text(_FIRST + text)
    return path


def test_the_example_is_valid() -> None:
    config = load_config(_EXAMPLE)
    assert config.listen.addresses == ("127.0.0.1:7433",)
    assert config.limits.drain_s == 60.0
    assert config.engine.pack_folders == (_EXAMPLE.parent / "packs",)


def test_a_file_without_sections_is_the_defaults(tmp_path: Path) -> None:
    assert load_config(_file(tmp_path, "")) == default_config()
    assert default_config().limits == Limits()
    assert default_config().listen.addresses == ("127.0.0.1:7433",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[limit]\n", 'service.toml: limit: unknown field; did you mean "limits"?'),
        ("[limits]\nmax_request = 3\n", 'limits.max_request: unknown field; did you mean "max_requests"?'),
        ("[limits]\nmax_requests = 0\n", "limits.max_requests: 0: input should be greater than or equal to 1"),
        ("[limits]\nmax_run_s = inf\n", "limits.max_run_s: inf: input should be a finite number"),
        ("[engine]\ndevice = 3\n", "engine.device: 3: input should be a valid string"),
        ("limits = 3\n", "limits: 3 is no table; write its fields under [limits]"),
        ("[limits]\nmax_requests = 0\ndrain_s = -1\n", "service.toml: 2 problems\n  limits.max_requests"),
        ("[limits\n", "service.toml: is not TOML"),
    ],
)
def test_what_is_wrong_is_told_by_file_and_field(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_config(_file(tmp_path, text))
    assert message in str(caught.value)


def test_the_schema_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "service.toml"
    path.write_text("[limits]\n")
    with pytest.raises(UsageError, match=r'schema: is missing; write schema = "understudy\.service/1"'):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such configuration"):
        load_config(tmp_path / "none.toml")
    with pytest.raises(UnderstudyError, match="is no file"):
        load_config(tmp_path)


def test_paths_start_at_the_file_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_TEST_DIR", "/run/here")
    monkeypatch.setenv("HOME", "/home/me")
    text = (
        '[listen]\naddresses = ["unix:$UNDERSTUDY_TEST_DIR/s", "unix:s", "unix:///a/s", "[::1]:3"]\n'
        '[engine]\nocio = "studio/config.ocio"\npack_folders = ["packs", "~/packs", "/packs"]\n'
    )
    config = load_config(_file(tmp_path, text))
    assert config.listen.addresses == ("unix:/run/here/s", f"unix:{tmp_path}/s", "unix:/a/s", "[::1]:3")
    assert config.engine.pack_folders == (tmp_path / "packs", Path("/home/me/packs"), Path("/packs"))
    assert config.engine.ocio == f"{tmp_path}/studio/config.ocio"
    built_in = load_config(_file(tmp_path, '[engine]\nocio = "ocio://default"\n'))
    assert built_in.engine.ocio == "ocio://default"


def test_options_go_before_the_file(tmp_path: Path) -> None:
    config = load_config(_file(tmp_path, "[limits]\nmax_requests = 3\ndrain_s = 5.0\n"))
    changed = config.replaced({"limits": {"max_requests": 9, "drain_s": None}, "log": {"verbose": True}})
    assert (changed.limits.max_requests, changed.limits.drain_s, changed.log.verbose) == (9, 5.0, True)
    assert changed.listen == config.listen
    with pytest.raises(UsageError, match=r"command line: limits\.drain_s: -1"):
        config.replaced({"limits": {"drain_s": -1}})


def test_every_section_is_a_frozen_dataclass_with_defaults() -> None:
    """So a new section is an import and a line."""
    config = default_config()
    for name, info in ServiceConfig.model_fields.items():
        if name != "schema_":
            section = getattr(config, name)
            assert dataclasses.is_dataclass(section), name
            section_class: Any = type(section)
            assert info.default == section_class(), name
