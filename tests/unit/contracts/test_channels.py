# SPDX-License-Identifier: Apache-2.0
"""What channels are taken for."""

import pytest

from understudy.contracts.channels import ChannelKind, alpha_of, classify, color_groups


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        pytest.param(["R", "G", "B"], ChannelKind.COLOR, id="main layer"),
        pytest.param(["left.R", "left.G", "left.B"], ChannelKind.COLOR, id="view"),
        pytest.param(["albedo.R", "albedo.G", "albedo.B"], ChannelKind.COLOR, id="albedo is light's color"),
        pytest.param(["Y"], ChannelKind.COLOR, id="luminance"),
        pytest.param(["G"], ChannelKind.COLOR, id="one primary alone"),
        pytest.param(["A"], ChannelKind.ALPHA, id="alpha"),
        pytest.param(["left.A"], ChannelKind.ALPHA, id="alpha of a view"),
        pytest.param(["Z"], ChannelKind.DEPTH, id="depth"),
        pytest.param(["depth.Z"], ChannelKind.DEPTH, id="depth layer"),
        pytest.param(["N.X", "N.Y", "N.Z"], ChannelKind.NORMAL, id="normal by axes"),
        pytest.param(["normal.R", "normal.G", "normal.B"], ChannelKind.NORMAL, id="normal by RGB"),
        pytest.param(["P.X", "P.Y", "P.Z"], ChannelKind.POSITION, id="position"),
        pytest.param(["forward.u"], ChannelKind.VECTOR, id="vector"),
        pytest.param(["crypto_object00.R"], ChannelKind.ID, id="cryptomatte"),
        pytest.param(["id.X"], ChannelKind.ID, id="id"),
        pytest.param(["objectID"], ChannelKind.ID, id="object id in one word"),
        pytest.param(["materialId.R"], ChannelKind.ID, id="material id layer"),
        pytest.param(["grid"], ChannelKind.DATA, id="no guess from the end of a word"),
        pytest.param(["forward.confidence"], ChannelKind.DATA, id="doubt of a vector"),
        pytest.param(["backward.occlusion"], ChannelKind.DATA, id="occlusion of a vector"),
        pytest.param(["confidence.Y"], ChannelKind.DATA, id="confidence is not luminance"),
        pytest.param(["puzzle.foo"], ChannelKind.DATA, id="unknown"),
    ],
)
def test_kind_by_name(names: list[str], kind: ChannelKind) -> None:
    groups = classify(names)
    assert {group.kind for group in groups} == {kind}
    assert [name for group in groups for name in group.names] == names


def test_integers_are_identifiers() -> None:
    assert classify(["foo"], ["uint"])[0].kind is ChannelKind.ID


def test_overrides_come_first() -> None:
    (group,) = classify(["R", "G", "B"], overrides={"?": ChannelKind.ID})[:1]
    assert group.kind is ChannelKind.ID


def test_every_channel_is_in_one_group_and_alpha_finds_its_layer() -> None:
    names = ["R", "G", "B", "A", "left.R", "left.G", "left.B", "left.A", "Z", "R2"]
    groups = classify(names)
    assert sorted(name for group in groups for name in group.names) == sorted(names)
    main, left = color_groups(groups)
    assert alpha_of(main, groups) == "A"
    assert alpha_of(left, groups) == "left.A"
