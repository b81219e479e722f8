# SPDX-License-Identifier: Apache-2.0
"""``python benchmarks/quality SET FOLDER``: packs on a public data set that you have; ``program`` says the rest."""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def _run() -> int:
    # Run with -m, the files beside this one are not on the path; the figures of confidence are the trainer's.
    sys.path[:0] = [str(_HERE)]
    sys.path.append(str(_HERE.parents[1] / "training"))
    from program import main

    return main()


if __name__ == "__main__":
    sys.exit(_run())
