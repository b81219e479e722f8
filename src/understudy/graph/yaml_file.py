# SPDX-License-Identifier: Apache-2.0
"""Reads YAML that a person wrote: no surprises from it but the values, and a sentence for everything else."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from understudy.contracts.errors import GraphError, MissingFileError, UnreadableFileError

MAX_BYTES = 16 * 1024 * 1024
"""More than this is no document that a person or a program of ours wrote."""


class _Loader(yaml.SafeLoader):
    """YAML's safe types, with a key that stands twice in one mapping refused: the first would be lost unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001
        """The mapping of a node."""
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen and key.value != "<<":
                        raise yaml.constructor.ConstructorError(
                            None, None, f"{key.value!r} stands twice in one mapping", key.start_mark
                        )
                    seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, what: str) -> Any:
    """The value of a YAML file.

    Args:
        path: The file.
        what: What it should be, for messages: ``graph``, ``curve``.

    Raises:
        MissingFileError: It is not there.
        UnreadableFileError: It can't be read, or is no text.
        GraphError: It is not YAML.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFileError(f"is too large for a {what}", where=str(path), fix=f"name the {what}'s file")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingFileError(f"there is no such {what}", where=str(path), fix="check the path") from None
    except OSError as error:
        raise UnreadableFileError(f"can't be read ({error.strerror})", where=str(path)) from None
    except ValueError:
        raise UnreadableFileError("can't be read: it is not UTF-8 text", where=str(path)) from None
    return parse_yaml(text, what, str(path))


def parse_yaml(text: str, what: str, where: str, *, aliases: bool = True) -> Any:
    """The value of YAML text.

    Args:
        text: The text.
        what: What it should be, for messages.
        where: What messages call it.
        aliases: It may have anchors and aliases, by which a short text can mean an enormous one.

    Raises:
        GraphError: It is not YAML.
    """
    try:
        if not aliases and any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise GraphError("has aliases", where=where, fix="write out what they stand for")
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise GraphError(f"is not YAML: {' '.join(str(error).split())}", where=where) from None
    except ValueError as error:  # a date in the 13th month, a number of 5000 digits
        raise GraphError(f"holds a value that can't be: {error}", where=where) from None
    except RecursionError:
        raise GraphError(f"is nested too deep for a {what}", where=where) from None
