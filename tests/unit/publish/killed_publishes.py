# SPDX-License-Identifier: Apache-2.0
"""Kills an integration at every one of its system calls, and looks at the root after each: run as a script.

An audit hook counts the file operations under the root and sends the process SIGKILL at the n-th. The root is judged
from outside, a second publisher runs, and the root is judged again.

    python killed_publishes.py LISTING.json SCRATCH_FOLDER copy|link
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

from understudy.contracts.errors import UnderstudyError
from understudy.provenance.mhl import read_list
from understudy.publish.integrate import integrate
from understudy.publish.listing import read_listing, read_version

_EVENTS = {
    "open", "os.mkdir", "os.link", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.utime", "os.setxattr",
    "os.scandir", "os.listdir", "fcntl.flock", "fcntl.ioctl", "ctypes.dlsym", "shutil.rmtree",
}  # fmt: skip


def main() -> None:
    """Prints one JSON object: how many kills there were, and what was wrong after which."""
    listing, scratch, how = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    problems, kills, resumed = [], 0, 0
    for step in range(1, 10_000):
        root = scratch / str(step)
        root.mkdir()
        if not _killed(listing, root, how, step):
            break
        kills += 1
        problems += [f"after a kill at {step}: {text}" for text in _judge(root, listing, whole=None)]
        resumed += any(root.rglob(".understudy-publish-*/*"))
        if _killed(listing, root, how, 0):
            problems.append(f"the second run after a kill at {step} failed")
        problems += [f"after the second run, kill at {step}: {text}" for text in _judge(root, listing, whole=True)]
        shutil.rmtree(root)
    json.dump({"kills": kills, "with_staged_files": resumed, "problems": problems}, sys.stdout)


def _killed(listing: Path, root: Path, how: str, step: int) -> bool:
    """Publishes in a process of its own that is killed at a step; whether it was."""
    child = os.fork()
    if not child:
        try:
            if step:
                _kill_at(step)
            integrate(read_listing(listing), root, how="link" if how == "link" else "copy")
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0, "the publish itself failed"
    return False


def _kill_at(step: int) -> None:
    left = step

    def count(event: str, _arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in _EVENTS:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def _judge(root: Path, listing: Path, *, whole: bool | None) -> list[str]:
    """What is wrong with the root; ``whole``: the version must be there and nothing else."""
    wanted = read_listing(listing)
    names = {f"{one.folder}/{name}".strip("/") for one in wanted.representations for name in one.names}
    found = []
    home = root / wanted.name
    entries = sorted(home.iterdir()) if home.is_dir() else []
    shown = [entry for entry in entries if not entry.name.startswith(".")]
    for entry in shown:
        version = read_version(entry)
        there = {path.relative_to(entry).as_posix() for path in entry.rglob("*") if path.is_file()}
        try:
            hash_list = read_list(entry)
        except UnderstudyError as error:
            found.append(f"{entry.name} has no sound hash list: {error}")
            continue
        lists = {f"ascmhl/{path.name}" for path in (entry / "ascmhl").iterdir()}
        if version is None or hash_list is None or there != names | lists | {"version.json"}:
            found.append(f"{entry.name} is half a version: {sorted(there)}")
        elif any((entry / one.file).stat().st_size != one.size for one in version.files):
            found.append(f"{entry.name} has cut files")
        elif set(hash_list.files) != names | {"version.json"} or len(lists) != 2:
            found.append(f"the hash list of {entry.name} is of other files")
    if whole and [entry.name for entry in entries] != ["v001"]:
        found.append(f"the root has {[entry.name for entry in entries]}")
    return found


if __name__ == "__main__":
    main()
