# SPDX-License-Identifier: Apache-2.0
"""Checks the values given for a pack's knobs."""

import math
from collections.abc import Mapping
from difflib import get_close_matches

from understudy.contracts.errors import UsageError
from understudy.contracts.manifest import OptionSpec, OptionValue, PackManifest

_BOOLS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def settle_options(manifest: PackManifest, given: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    """Every option of a pack with its value: the given one, checked, or the default.

    Args:
        manifest: The pack's manifest.
        given: Values by name. Text is read as the option's type, so ``"3"`` serves for an ``int``.

    Returns:
        One value per declared option, of the declared type.

    Raises:
        UsageError: A name is unknown, or a value is of the wrong type or out of range.
    """
    for name in given:
        if name not in manifest.options:
            close = get_close_matches(name, manifest.options, n=1)
            known = ", ".join(manifest.options) or "none"
            fix = f'did you mean "{close[0]}"?' if close else f"its options: {known}"
            raise UsageError(f'pack {manifest.id} has no option "{name}"', where=f"options.{name}", fix=fix)
    return {name: settle_value(name, spec, given.get(name, spec.default)) for name, spec in manifest.options.items()}


def settle_value(name: str, spec: OptionSpec, value: OptionValue) -> OptionValue:
    """One option's value in its declared type.

    Raises:
        UsageError: It is of the wrong type or out of range.
    """
    where = f"options.{name}"
    if spec.type == "choice":
        if isinstance(value, str) and value in spec.choices:
            return value
        close = get_close_matches(str(value), spec.choices, n=1)
        fix = f'did you mean "{close[0]}"?' if close else f"choose one of {', '.join(spec.choices)}"
        raise UsageError(f"{value!r} is not one of its choices", where=where, fix=fix)
    settled = _typed(spec, value)
    if settled is None:
        article = "an" if spec.type == "int" else "a"
        raise UsageError(f"{value!r} is not {article} {spec.type}", where=where, fix=_range(spec) or None)
    low = -math.inf if spec.minimum is None else spec.minimum
    high = math.inf if spec.maximum is None else spec.maximum
    if not low <= settled <= high:
        raise UsageError(f"{settled:g} is out of range", where=where, fix=_range(spec))
    return settled


def _typed(spec: OptionSpec, value: OptionValue) -> bool | int | float | None:
    if spec.type == "bool":
        if isinstance(value, str):
            return _BOOLS.get(value.lower())
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    if not math.isfinite(number) or (spec.type == "int" and not number.is_integer()):
        return None
    return int(number) if spec.type == "int" else number


def _range(spec: OptionSpec) -> str:
    unit = f" {spec.unit}" if spec.unit else ""
    if spec.type == "bool":
        return "give true or false"
    if spec.minimum is not None and spec.maximum is not None:
        return f"give {spec.minimum:g} to {spec.maximum:g}{unit}"
    if spec.minimum is not None:
        return f"give {spec.minimum:g}{unit} or more"
    return f"give at most {spec.maximum:g}{unit}" if spec.maximum is not None else ""
