# SPDX-License-Identifier: Apache-2.0
"""Nuke runs this at every start, in the terminal too. Whatever is wrong with us is one line, and Nuke starts."""

try:
    import sys
    from pathlib import Path

    if sys.version_info < (3, 9):  # noqa: UP036 - the sentence is for them
        raise RuntimeError("it needs Nuke 14 or later")  # noqa: TRY301

    _here = Path(__file__).resolve().parent
    for _folder in (_here, _here / "python", _here.parent / "python"):  # the bridge: installed, or in the checkout
        if _folder.is_dir() and str(_folder) not in sys.path:
            sys.path.append(str(_folder))  # last, so that nothing of the host's is hidden by it

    import understudy_nuke.start

    understudy_nuke.start.always()
except (Exception, SystemExit) as _error:
    print(f"Understudy is not there: {type(_error).__name__}: {' '.join(str(_error).split())}")
