# SPDX-License-Identifier: Apache-2.0
"""The IPTC digital source type of what each operation makes (cv.iptc.org, NewsCodes ``digitalsourcetype``).

A policy of ours, and a studio may have another: it names operations as ``OPERATIONS`` does and gives terms or URIs.
"""

from collections.abc import Iterable, Mapping

from understudy.contracts.errors import UsageError

BASE = "http://cv.iptc.org/newscodes/digitalsourcetype/"

ENHANCED = BASE + "algorithmicallyEnhanced"
COMPOSITE = BASE + "compositeWithTrainedAlgorithmicMedia"
TRAINED = BASE + "trainedAlgorithmicMedia"

OPERATIONS: Mapping[str, str] = {
    "read": "",
    "write": "",
    "color": "",
    "motion": "",
    "vector_blur": ENHANCED,
    "interpolate": ENHANCED,
    "interpolate.generative": COMPOSITE,
    "interpolate.source": "",
    "upscale": ENHANCED,
    "upscale.generative": COMPOSITE,
    "relight": ENHANCED,
    "relight.generative": COMPOSITE,
}
"""Operation to source type. ``.generative``: played by a pack that makes content up. ``interpolate.source``: a frame of
the input that a retime passes through untouched."""

_STRENGTH = {"": 0, ENHANCED: 2, COMPOSITE: 3, TRAINED: 4}
_OTHER = 1


class SourceTypes:
    """Which source type an operation has.

    Args:
        overrides: A studio's own: operation to term or URI; empty text for none.

    Raises:
        UsageError: There is no such operation, or a value is neither a term nor a URI.
    """

    def __init__(self, overrides: Mapping[str, str] | None = None) -> None:
        self._types = dict(OPERATIONS)
        for operation, value in (overrides or {}).items():
            if operation not in OPERATIONS:
                known = ", ".join(OPERATIONS)
                raise UsageError(
                    f"there is no operation {operation!r}", where="record.source_types", fix=f"there are {known}"
                )
            self._types[operation] = _uri(value, operation)

    def of(self, operation: str, *, generative: bool = False) -> str:
        """The URI for an operation; empty for none."""
        special = f"{operation}.generative"
        if generative and special in self._types:
            return self._types[special]
        return self._types.get(operation, "")


def strongest(types: Iterable[str]) -> str:
    """Of several source types the one that says most about algorithms; empty for none."""
    return max(types, key=lambda one: (_STRENGTH.get(one, _OTHER), one), default="")


def term(uri: str) -> str:
    """The last part of a source type, for people."""
    return uri.rpartition("/")[2]


def _uri(value: str, operation: str) -> str:
    if value == "" or value.startswith(("http://", "https://")):
        return value
    if value.isalpha():
        return BASE + value
    raise UsageError(
        f"{value!r} is neither a term nor a URI",
        where=f"record.source_types.{operation}",
        fix="take a term of cv.iptc.org/newscodes/digitalsourcetype",
    )
