# SPDX-License-Identifier: Apache-2.0
"""An environment of its own for the real tritonclient, which wants another protobuf than ours.

Run as a script it prints that environment's Python, and makes it first where there is none.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from own_environment import NotInstalledError, own_python

REQUIREMENTS = ("tritonclient[grpc]==2.73.*", "protobuf>=6.30,<7")


def client_python() -> Path:
    """The Python that has tritonclient.

    Raises:
        NotInstalledError: There is no package registry, or no room.
    """
    return own_python("tritonclient-2.73", REQUIREMENTS, "import tritonclient.grpc, tritonclient.utils.shared_memory")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{client_python()}\n")
    except NotInstalledError as problem:
        sys.exit(f"tritonclient can't be installed: {problem}")
