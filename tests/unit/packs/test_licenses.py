# SPDX-License-Identifier: Apache-2.0
import pytest

from understudy.packs.licenses import COMMERCIAL, NON_COMMERCIAL, can_be_met, commercial_use, is_expression


@pytest.mark.parametrize(
    ("expression", "said", "answer"),
    [
        ("Apache-2.0", "unknown", "yes"),
        ("apache-2.0", "unknown", "yes"),
        ("Apache-2.0", "no", "no"),
        ("CC-BY-NC-4.0", "unknown", "no"),
        ("CC-BY-NC-4.0", "yes", "no"),
        ("LicenseRef-Acme", "unknown", "unknown"),
        ("LicenseRef-Acme", "yes", "yes"),
        ("LicenseRef-Acme", "no", "no"),
        ("LicenseRef-Acme-NonCommercial", "yes", "no"),
        ("LicenseRef-model-nc", "yes", "no"),
        ("LicenseRef-Ncurses-like", "yes", "yes"),
        ("MIT AND CC-BY-NC-4.0", "yes", "no"),
        ("MIT OR CC-BY-NC-4.0", "unknown", "yes"),
        ("MIT AND LicenseRef-Acme", "unknown", "unknown"),
        ("MIT OR LicenseRef-Acme AND CC-BY-NC-4.0", "unknown", "yes"),
        ("(MIT OR LicenseRef-Acme) AND CC-BY-NC-4.0", "unknown", "no"),
        ("Apache-2.0 WITH LLVM-exception", "unknown", "yes"),
        ("Apache-2.0 WITH AdditionRef-Commons-Clause", "unknown", "unknown"),
        ("Apache-2.0+", "unknown", "yes"),
        ("MIT OR", "yes", "unknown"),
        ("MIT OR", "no", "no"),
    ],
)
def test_commercial_use(expression, said, answer):
    assert commercial_use(expression, said) == answer


def test_tables_do_not_overlap_and_agree_with_the_rule():
    assert not set(COMMERCIAL) & set(NON_COMMERCIAL)
    assert all(commercial_use(name) == "yes" for name in COMMERCIAL)
    assert all(commercial_use(name) == "no" for name in NON_COMMERCIAL)


@pytest.mark.parametrize(
    "text", ["", "MIT OR", "(MIT", "MIT)", "MIT Apache-2.0", "OR", "MIT WITH", "a/b", "MIT AND AND MIT", "( " * 300]
)
def test_what_is_no_expression(text):
    assert not is_expression(text)


def test_deeply_nested_brackets_are_an_expression_or_refused_and_never_a_crash():
    assert is_expression("(" * 90 + "MIT" + ")" * 90)


def test_terms_are_met_by_one_alternative_and_by_all_parts():
    assert can_be_met("MIT OR AGPL-3.0-only", lambda name: name == "MIT")
    assert not can_be_met("MIT AND AGPL-3.0-only", lambda name: name == "MIT")
    assert not can_be_met("MIT WITH AdditionRef-X", lambda _: True)
    assert not can_be_met("nonsense(", lambda _: True)
