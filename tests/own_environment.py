# SPDX-License-Identifier: Apache-2.0
"""Environments of their own for programs that can't live beside ours; made once, kept in the user's cache folder."""

import os
import subprocess
import sys
import venv
from pathlib import Path


class NotInstalledError(Exception):
    """The environment can't be made; the text says why."""


def own_python(name: str, requirements: tuple[str, ...], check: str) -> Path:
    """The Python of an environment.

    Args:
        name: Of the environment; another one for other requirements.
        requirements: What pip is to install.
        check: Python code that fails where something is missing.

    Raises:
        NotInstalledError: There is no package registry, or no room.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "understudy-tests"
    folder = cache / f"{name}-python-{sys.version_info.major}.{sys.version_info.minor}"
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            venv.create(folder, with_pip=True, clear=True)
            _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements])
            _run([str(python), "-c", check])
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", "") or error).strip().splitlines()
            raise NotInstalledError(said[-1] if said else type(error).__name__) from None
        done.touch()
    return python


def _run(command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300, env=environment)
