# SPDX-License-Identifier: Apache-2.0
"""Nuke runs this after ``init.py`` when it has an interface. Whatever is wrong with us is one line, and Nuke starts."""

try:
    import understudy_nuke.start

    understudy_nuke.start.interface()
except (Exception, SystemExit) as _error:
    print(f"Understudy has no menu: {type(_error).__name__}: {' '.join(str(_error).split())}")
