# SPDX-License-Identifier: Apache-2.0
"""Plug-ins are found where the standard says, and what is no plug-in is told as a sentence."""

import platform
import shutil
import sysconfig
from pathlib import Path

import pytest

from understudy.contracts.errors import (
    DeviceUnavailableError,
    MissingFileError,
    UnreadableFileError,
    UnsupportedFileError,
    UsageError,
)
from understudy.ofx_host import Host, PluginFile, find_plugins
from understudy.ofx_host.bundles import find_binaries


def test_what_a_binary_has(plugins: dict[str, PluginFile], bundle_folder: Path) -> None:
    assert sorted(plugins) == sorted(
        ["gain", "mean", "scale", "retimer", "abort", "message", "kinds", "abuse", "threads", "color", "picky"]
    )
    gain = plugins["gain"]
    assert (gain.identifier, gain.version, gain.bundle) == ("org.understudy.test.gain", (1, 2), bundle_folder)
    assert gain.binary == bundle_folder / "Contents" / "Linux-x86-64" / "test.ofx"


def test_folders_are_searched_in_depth(bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("maker/inner", "@resources", "other"):
        shutil.copytree(bundle_folder, tmp_path / place / "test.ofx.bundle")
    shutil.rmtree(tmp_path / "other" / "test.ofx.bundle" / "Contents" / "Linux-x86-64")
    (tmp_path / "loose.ofx").write_bytes(b"not searched: it lies in no bundle")
    found = find_binaries(tmp_path)
    assert found == (tmp_path / "maker/inner/test.ofx.bundle/Contents/Linux-x86-64/test.ofx",)
    monkeypatch.setenv("OFX_PLUGIN_PATH", f"/nowhere:{tmp_path}")
    assert {plugin.binary for plugin in find_plugins() if "understudy.test" in plugin.identifier} == {found[0]}
    with pytest.raises(UnsupportedFileError, match="no binary for this platform"):
        find_plugins([tmp_path / "other" / "test.ofx.bundle"])


def test_a_binary_that_is_cut_off_anywhere_is_a_sentence(tmp_path: Path, bundle_folder: Path) -> None:
    """The loader would kill the process."""
    whole = (bundle_folder / "Contents/Linux-x86-64/test.ofx").read_bytes()
    torn = tmp_path / "torn.ofx"
    for length in (0, 3, 63, 64, 100, 700, 5000, len(whole) // 2):
        torn.write_bytes(whole[:length])
        with pytest.raises(UnreadableFileError, match=r"is cut off|is no shared library"):
            find_plugins([torn])
    torn.write_bytes(whole[:18] + bytes([183]) + whole[19:])
    with pytest.raises(UnsupportedFileError, match="another processor"):
        find_plugins([torn])


def test_what_is_no_plug_in(tmp_path: Path, bundle_folder: Path) -> None:
    text = tmp_path / "text.ofx"
    text.write_text("#!/bin/sh\necho no library, though it has more than sixty-four bytes in it\n")
    library = next(Path(sysconfig.get_path("platlib")).glob("numpy/_core/_simd*.so"), None)
    assert library is not None
    with pytest.raises(UnreadableFileError, match="is no shared library"):
        find_plugins([text])
    with pytest.raises(UnreadableFileError, match="is no OpenFX plug-in"):
        find_plugins([library])
    with pytest.raises(MissingFileError, match="there is no OpenFX plug-in"):
        find_plugins([tmp_path / "nothing.ofx.bundle"])
    told: list[Exception] = []
    found = find_plugins([text, tmp_path / "nothing.ofx.bundle", bundle_folder], told.append)
    assert [type(error) for error in told] == [UnreadableFileError, MissingFileError]
    assert len(found) == 11


def test_another_machine_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(DeviceUnavailableError, match=r"variadic.*use a Linux machine with an x86-64 processor"):
        Host()


def test_capabilities_that_do_not_go_together() -> None:
    with pytest.raises(UsageError, match="needs ocio_config"):
        Host(color_management="OCIO")
    with pytest.raises(UsageError, match=r"came with OpenFX 1\.5"):
        Host(color_management="Core", api_version=(1, 4))
    with pytest.raises(UsageError, match="depth 'double' does not exist"):
        Host(depths=("double",))  # type: ignore[arg-type] # what the check is for


def test_the_host_says_what_it_can() -> None:
    host = Host(name="com.example.host", depths=("float",), tiles=False, contexts=("Filter",))
    properties = host.properties
    assert properties.text("OfxPropName") == "com.example.host"
    assert properties.texts("OfxImageEffectPropSupportedPixelDepths") == ("OfxBitDepthFloat",)
    assert properties.texts("OfxImageEffectPropSupportedContexts") == ("OfxImageEffectContextFilter",)
    assert properties.integer("OfxImageEffectPropSupportsTiles") == 0
    assert properties.values("OfxPropAPIVersion") == (1, 5)
