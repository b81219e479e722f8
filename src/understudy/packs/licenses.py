# SPDX-License-Identifier: Apache-2.0
"""What can be told from an SPDX license expression (SPDX 2.3, annex D), and what is known of licenses.

The tables are short on purpose: a license that is not in them is unknown, which never counts in a pack's favor. What
they say of a license is what its text says; whether it fits a use is for a lawyer.
"""

import re
from collections.abc import Callable

from understudy.contracts.rights import Answer

NO_LICENSE = frozenset({"NOASSERTION", "NONE"})
"""Words that stand where a license would, and name none."""

COMMERCIAL = (
    *("0BSD", "AFL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-1.1", "Apache-2.0", "Artistic-2.0"),
    *("BSD-1-Clause", "BSD-2-Clause", "BSD-2-Clause-Patent", "BSD-3-Clause", "BSD-3-Clause-Clear", "BSL-1.0"),
    *("CC-BY-1.0", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-PDDC"),
    *("CC0-1.0", "CDDL-1.0", "CDDL-1.1", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0"),
    *("ECL-2.0", "EPL-1.0", "EPL-2.0", "EUPL-1.2", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only"),
    *("GPL-3.0-or-later", "HPND", "ISC", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later"),
    *("MIT", "MIT-0", "MPL-2.0", "MS-PL", "NCSA", "ODC-By-1.0", "ODbL-1.0", "OFL-1.1", "PDDL-1.0", "PSF-2.0"),
    *("PostgreSQL", "Python-2.0", "UPL-1.0", "Unlicense", "WTFPL", "X11", "ZPL-2.1", "Zlib"),
)
"""SPDX identifiers of licenses that allow commercial use."""

NON_COMMERCIAL = (
    *("CC-BY-NC-1.0", "CC-BY-NC-2.0", "CC-BY-NC-2.5", "CC-BY-NC-3.0", "CC-BY-NC-4.0"),
    *("CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0"),
    *("PolyForm-Noncommercial-1.0.0", "JPL-image", "Aladdin"),
)
"""SPDX identifiers of licenses that do not."""

_COMMERCIAL = frozenset(name.lower() for name in COMMERCIAL)
_NON_COMMERCIAL = frozenset(name.lower() for name in NON_COMMERCIAL)
_BY_NAME = {name.lower(): name for name in (*COMMERCIAL, *NON_COMMERCIAL)}
# Own terms whose name says it (LicenseRef-Acme-NonCommercial, LicenseRef-Model-NC); a name can only tell against them.
_SAYS_NON_COMMERCIAL = re.compile(r"(^|[-.])(nc|non-?commercial|research-?only|academic)([-.]|$)", re.IGNORECASE)
_NAME = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?[A-Za-z0-9.-]+\+?")
_TOKEN = re.compile(r"[()]|[^\s()]+")
_MOST_TOKENS = 200


def evaluate(expression: str, value: Callable[[str, str], int]) -> int:
    """The value of an expression: the least of licenses joined by AND, the greatest of those joined by OR.

    Args:
        expression: An SPDX license expression.
        value: Called with each license and with the exception after WITH, or an empty text.

    Raises:
        ValueError: It is no expression.
    """
    tokens = _TOKEN.findall(expression)
    if len(tokens) > _MOST_TOKENS:
        raise ValueError("is too long")
    return _Parser(tokens, value).whole()


def is_expression(text: str) -> bool:
    """Whether a text is an SPDX license expression; that its licenses are on the SPDX list is not asked."""
    try:
        evaluate(text, lambda _license, _exception: True)
    except ValueError:
        return False
    return True


def known_identifier(text: str) -> str:
    """A single license of the tables as SPDX writes it; empty for anything else."""
    return _BY_NAME.get(text.strip().lower(), "")


def commercial_use(expression: str, said: Answer = "unknown") -> Answer:
    """Whether a license expression allows commercial use.

    Args:
        expression: The concluded license.
        said: What a reviewer said of it. It decides where the tables do not; where they differ, the worse one counts.
    """
    worst_first: tuple[Answer, ...] = ("no", "unknown", "yes")
    try:
        told = worst_first[evaluate(expression, lambda name, extra: worst_first.index(_of_license(name, extra)))]
    except ValueError:
        return "no" if said == "no" else "unknown"
    if told == "unknown":
        return said
    return "no" if said == "no" else told


def can_be_met(expression: str, allowed: Callable[[str], bool]) -> bool:
    """Whether the terms can be met by licenses for which ``allowed`` holds; of alternatives one is enough."""
    try:
        return bool(evaluate(expression, lambda name, extra: allowed(name.rstrip("+")) and not _adds_terms(extra)))
    except ValueError:
        return False


def _of_license(name: str, exception: str) -> Answer:
    plain = name.rstrip("+").lower()
    if plain in _NON_COMMERCIAL or _SAYS_NON_COMMERCIAL.search(plain):
        return "no"
    return "yes" if plain in _COMMERCIAL and not _adds_terms(exception) else "unknown"


def _adds_terms(exception: str) -> bool:
    """SPDX's own exceptions only permit more; somebody's addition may do anything."""
    return "Ref-" in exception or "commons-clause" in exception.lower()


class _Parser:
    """Precedence as SPDX has it: WITH before AND before OR."""

    def __init__(self, tokens: list[str], value: Callable[[str, str], int]) -> None:
        self._tokens = tokens
        self._value = value
        self._at = 0

    def whole(self) -> int:
        found = self._either()
        if self._at != len(self._tokens):
            raise ValueError(f'"{self._tokens[self._at]}" has no place there')
        return found

    def _either(self) -> int:
        found = self._both()
        while self._took("OR"):
            found = max(found, self._both())
        return found

    def _both(self) -> int:
        found = self._one()
        while self._took("AND"):
            found = min(found, self._one())
        return found

    def _one(self) -> int:
        if self._took("("):
            found = self._either()
            if not self._took(")"):
                raise ValueError("a bracket is not closed")
            return found
        name = self._name()
        return self._value(name, self._name() if self._took("WITH") else "")

    def _name(self) -> str:
        token = self._tokens[self._at] if self._at < len(self._tokens) else ""
        if token in {"AND", "OR", "WITH"} or not _NAME.fullmatch(token):
            raise ValueError(f'"{token}" is no license')
        self._at += 1
        return token

    def _took(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False
