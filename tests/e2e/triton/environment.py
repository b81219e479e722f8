# SPDX-License-Identifier: Apache-2.0
"""An environment of its own for the real tritonclient, which wants another protobuf than ours.

Run as a script it prints that environment's Python, and makes it first where there is none.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = ("tritonclient[grpc]==2.73.*", "protobuf>=6.30,<7")


class NotInstalledError(Exception):
    """The environment can't be made; the text says why."""


def client_python() -> Path:
    """The Python that has tritonclient; its environment is made once and kept in the user's cache folder.

    Raises:
        NotInstalledError: There is no package registry, or no room.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "understudy-tests"
    folder = cache / f"tritonclient-2.73-python-{sys.version_info.major}.{sys.version_info.minor}"
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            venv.create(folder, with_pip=True, clear=True)
            _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS])
            _run([str(python), "-c", "import tritonclient.grpc, tritonclient.utils.shared_memory"])
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", "") or error).strip().splitlines()
            raise NotInstalledError(said[-1] if said else type(error).__name__) from None
        done.touch()
    return python


def _run(command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300, env=environment)


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{client_python()}\n")
    except NotInstalledError as problem:
        sys.exit(f"tritonclient can't be installed: {problem}")
