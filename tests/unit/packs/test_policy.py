# SPDX-License-Identifier: Apache-2.0
"""What a show's policy refuses, and that a broken one refuses everything."""

import hashlib
from dataclasses import replace

import pytest

from understudy.contracts.engine import PackInfo
from understudy.contracts.errors import RightsError
from understudy.packs.pack import open_pack
from understudy.packs.policy import find_policy, load_policy
from unit.packs.pack_folders import make_pack
from unit.packs.policies import HEAD, policy, write_policy

RIGHTS = ('evidence = "not-applicable"\n', 'evidence = "not-applicable"\n[rights]\nretains_inputs = "no"\n{}')


@pytest.fixture
def info(tmp_path) -> PackInfo:
    return open_pack(make_pack(tmp_path / "mine")).info()


def with_rights(folder, rights: str) -> PackInfo:
    old, new = RIGHTS
    return open_pack(make_pack(folder, edit=((old, new.format(rights)),))).info()


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        ('[packs]\ndeny = ["mine"]\n', "deny"),
        ('[packs]\ndeny = ["mine@1.0.0"]\n', "deny"),
        ('[packs]\nallow = ["mine"]\ndeny = ["mine"]\n', "deny"),
        ('[roles.upscale]\ndeny = ["mine"]\n', "deny"),
        ('[packs]\ndeny = ["other"]\n[roles.upscale]\ndeny = ["mine"]\n', "deny"),
        ("[packs]\nallow = []\n", "allow"),
        ('[packs]\nallow = ["other", "mine@1.0.1"]\n', "allow"),
        ('[packs]\nallow = ["mine"]\n[roles.upscale]\nallow = ["other"]\n', "allow"),
        ('[packs]\nminimum_badge = "green"\n', "minimum_badge"),
        ('[roles.upscale]\nminimum_badge = "green"\n', "minimum_badge"),
        ("[packs]\ngenerative = false\n", "generative"),
        ("[packs]\ngenerative = true\n[roles.upscale]\ngenerative = false\n", "generative"),
        ('[packs]\nallow_licenses = ["MIT"]\n', "allow_licenses"),
        ('[packs]\ndeny_licenses = ["apache-2.0"]\n', "deny_licenses"),
        ('[record]\nrequired_evidence = ["audited"]\n', "required_evidence"),
    ],
)
def test_each_rule_refuses_with_a_sentence(info, rules, rule):
    with pytest.raises(RightsError) as caught:
        policy(rules).require(info, where="nodes.up.pack")
    text = str(caught.value)
    assert text.startswith('nodes.up.pack: the policy of show "ABC" refuses mine@1.0.0#')
    assert f"by its rule {rule}: " in text
    assert text.endswith("; take another pack, or ask Jane Doe")
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    "rules",
    [
        "",
        '[packs]\nallow = ["mine"]\n',
        '[packs]\nallow = ["other"]\n[roles.upscale]\nallow = ["mine"]\n',
        '[packs]\nminimum_badge = "amber"\n',
        '[packs]\nminimum_badge = "green"\n[roles.upscale]\nminimum_badge = "amber"\n',
        '[packs]\ndeny = ["mine@1.0.1"]\n',
        '[roles.motion]\ndeny = ["mine"]\nallow = []\n',
        "[packs]\ngenerative = true\n",
        "[packs]\ngenerative = false\n[roles.upscale]\ngenerative = true\n",
        '[packs]\nallow_licenses = ["Apache-2.0"]\ndeny_licenses = ["AGPL-3.0-only"]\n',
        '[record]\nrequired_evidence = ["not-applicable"]\n',
    ],
)
def test_what_no_rule_refuses_may_be_used(info, rules):
    policy(rules).require(info)


def test_a_digest_in_the_policy_pins_bytes(info):
    right = f'[packs]\nallow = ["mine@1.0.0#{info.pin.sha256[:16]}"]\n'
    policy(right).require(info)
    with pytest.raises(RightsError, match="rule allow"):
        policy('[packs]\nallow = ["mine@1.0.0#' + "0" * 16 + '"]\n').require(info)


@pytest.mark.parametrize(("said", "refused"), [("no", False), ("yes", True), ("unknown", True)])
def test_a_show_without_generation_takes_only_who_says_so(tmp_path, said, refused):
    found = policy("[packs]\ngenerative = false\n").refusal_of(with_rights(tmp_path / "p", f'generative = "{said}"\n'))
    assert (found is not None) == refused


def test_a_manifest_that_is_not_understood_is_refused(info):
    stranger = replace(info, manifest={**info.manifest, "schema": "understudy.pack/9"})
    with pytest.raises(RightsError, match="can't be judged"):
        policy().require(stranger)
    assert policy().badge_of(stranger).color == "red"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "schema: is missing"),
        ("schema = ", "is not TOML"),
        ('schema = "understudy.policy/1"\n', "show: is missing"),
        ('schema = "understudy.policy/2"\n[show]\nname="A"\napproved_by="J"\n', 'unknown "understudy.policy/2"'),
        (HEAD + "[pack]\n", "unknown field"),
        (HEAD + '[packs]\ndenied = ["a"]\n', 'did you mean "deny"?'),
        (HEAD + '[packs]\nallow = ["No Such"]\n', "names no pack"),
        (HEAD + '[packs]\ndeny = ["mine#12"]\n', "digest of 2 digits"),
        (HEAD + '[packs]\nminimum_badge = "greenish"\n', 'did you mean "green"?'),
        (HEAD + '[packs]\ndeny_licenses = ["MIT OR ISC"]\n', "is no SPDX identifier"),
        (HEAD + "[roles.upscaling]\n", "roles"),
        (HEAD + '[packs]\ngenerative = "never"\n', "packs.generative"),
        (HEAD + '[[packs.approvals]]\npack = "mine"\nby = "J"\n', "date"),
        (HEAD + '[[packs.approvals]]\npack = "My Pack"\nby = "J"\ndate = 2026-01-01\n', "names no pack"),
    ],
)
def test_a_broken_policy_allows_nothing(tmp_path, monkeypatch, text, problem):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    for found in (lambda: load_policy(path), lambda: find_policy(str(path))):
        with pytest.raises(RightsError) as caught:
            found()
        assert problem in str(caught.value)
        assert "policy.toml" in str(caught.value)
    monkeypatch.setenv("UNDERSTUDY_POLICY", str(path))
    with pytest.raises(RightsError):
        find_policy()


def test_a_missing_or_unreadable_policy_allows_nothing(tmp_path):
    with pytest.raises(RightsError, match="nothing is allowed"):
        find_policy(str(tmp_path / "gone.toml"))
    with pytest.raises(RightsError, match="is no file"):
        find_policy(str(tmp_path))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RightsError, match="UTF-8"):
        find_policy(str(tmp_path / "binary.toml"))


def test_the_option_goes_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("UNDERSTUDY_POLICY", raising=False)
    assert find_policy() is None
    near, far = write_policy(tmp_path / "near.toml"), write_policy(tmp_path / "far.toml", "[packs]\nallow = []\n")
    monkeypatch.setenv("UNDERSTUDY_POLICY", str(far))
    assert find_policy().document.packs.allow == ()
    assert find_policy(str(near)).document.packs.allow is None
    monkeypatch.setenv("UNDERSTUDY_POLICY", "")
    assert find_policy() is None


def test_its_hash_is_that_of_the_file(tmp_path):
    path = write_policy(tmp_path / "policy.toml")
    assert load_policy(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_policy(path).show == "ABC"
