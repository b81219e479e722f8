# SPDX-License-Identifier: Apache-2.0
"""Makes show policies for tests."""

import tempfile
from pathlib import Path

from understudy.packs.policy import ShowPolicy, load_policy

HEAD = 'schema = "understudy.policy/1"\n[show]\nname = "ABC"\napproved_by = "Jane Doe"\n'


def write_policy(path: Path, rules: str = "") -> Path:
    """A policy file of show ABC."""
    path.write_text(HEAD + rules)
    return path


def policy(rules: str = "") -> ShowPolicy:
    """A policy of show ABC, read from a file."""
    with tempfile.TemporaryDirectory() as folder:
        return load_policy(write_policy(Path(folder) / "policy.toml", rules))
