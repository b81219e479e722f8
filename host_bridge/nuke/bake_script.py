# SPDX-License-Identifier: Apache-2.0
"""Bakes a script's Understudy nodes on a farm: ``nuke -t bake_script.py SHOT.nk [FIRST-LAST] [NODE ...]``.

Saves the script with the results in it. Exits with 1 and a sentence when a node can't be baked.
"""

import sys

from understudy_nuke import bake


def main(arguments: list[str]) -> int:
    """Opens, bakes, saves."""
    try:
        bake.bake_file(arguments)
    except (bake.UsageError, bake.BridgeError, OSError) as error:
        print(f"Understudy: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main([each for each in sys.argv[1:] if each]))
