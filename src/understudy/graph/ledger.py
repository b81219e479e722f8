# SPDX-License-Identifier: Apache-2.0
"""What is known of files on this machine: the digest of their content, and the content key of what was rendered.

An entry holds for a file of the same path, size, time of change and inode. It spares reading files again; nothing
depends on it. It is an SQLite file in the user's cache folder, or where ``$UNDERSTUDY_LEDGER`` says. SQLite's log needs
a local disk: on a network disk, or where it can't be written, entries last as long as the process.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from blake3 import blake3

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import MissingFileError, UnreadableFileError

_SCHEMA = """CREATE TABLE IF NOT EXISTS file (
  path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, inode INTEGER, content TEXT, key TEXT, seen INTEGER
) WITHOUT ROWID"""
_VERSION = 1
_MOST_BYTES = 512 << 20
"""Beyond this the older half of the entries goes; one takes some 300 bytes."""
_SETTLED_NS = 50_000_000
_SETTLED_COARSE_NS = 2_000_000_000
"""A file that changed less than this ago may change again within the same tick of its disk's clock."""
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "fuse.sshfs", "9p"}
)

Stamp = tuple[int, int, int]
"""Size, time of change in nanoseconds, inode."""


def default_ledger() -> Path | None:
    """Where the ledger lies; None where it would lie on a network disk."""
    given = os.environ.get("UNDERSTUDY_LEDGER")
    if given:
        return Path(given).expanduser()
    return None if on_network_disk(user_cache()) else user_cache() / "ledger.sqlite"


def user_cache() -> Path:
    """This program's folder in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "understudy"


def on_network_disk(path: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether a path lies on a file system that several machines share. False where the system does not say."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    real = Path(os.path.realpath(path))
    best, kind = -1, ""
    for line in lines:
        words = line.split(" ")
        point = words[1].replace("\\040", " ")
        if len(words) > 2 and real.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), words[2]
    return kind in _NETWORK


class Ledger:
    """Digests and keys of files, kept from one render to the next. Safe from several threads and processes.

    Args:
        path: Its file; None keeps nothing beyond the process.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._database = _open(path)

    def close(self) -> None:
        """Writes what is left to write."""
        with self._lock, suppress(sqlite3.Error):
            self._database.close()

    def contents(self, paths: Iterable[Path]) -> dict[Path, str]:
        """BLAKE3 of each file's content, 32 hexadecimal digits; files not known are read, on every core.

        Raises:
            MissingFileError: One is not there.
            UnreadableFileError: One can't be read.
        """
        stamps = {path: stamp_of(path) for path in paths}
        known = self._known("content", stamps)
        unknown = [path for path in stamps if path not in known]
        with ThreadPoolExecutor(available_cores(), thread_name_prefix="hash") as pool:
            fresh = dict(zip(unknown, pool.map(_content, unknown), strict=True))
        now = time.time_ns()
        settled = {
            path: content
            for path, content in fresh.items()
            if _is_settled(stamps[path], now) and _same(path, stamps[path])
        }
        self._keep("content", stamps, settled)
        return known | fresh

    def keys(self, paths: Iterable[Path]) -> dict[Path, str]:
        """The content key of each file that is as it was when :meth:`rendered` was told."""
        stamps = {}
        for path in paths:
            with suppress(MissingFileError, UnreadableFileError):
                stamps[path] = stamp_of(path)
        return self._known("key", stamps)

    def rendered(self, path: Path, key: str) -> None:
        """Notes that a file is whole and has this content key."""
        with suppress(MissingFileError, UnreadableFileError):
            self._keep("key", {path: stamp_of(path)}, {path: key})

    def _known(self, column: str, stamps: dict[Path, Stamp]) -> dict[Path, str]:
        found: dict[Path, str] = {}
        with self._using() as database:
            for path, stamp in stamps.items():
                row = database.execute(
                    f"SELECT size, changed, inode, {column} FROM file WHERE path = ?",  # noqa: S608 - one of two columns
                    (str(path.absolute()),),
                ).fetchone()
                if row and tuple(row[:3]) == stamp and row[3]:
                    found[path] = row[3]
        return found

    def _keep(self, column: str, stamps: dict[Path, Stamp], values: dict[Path, str]) -> None:
        rows = [(str(path.absolute()), *stamps[path], value, int(time.time())) for path, value in values.items()]
        other = "key" if column == "content" else "content"
        with self._using() as database:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                # what is known of other bytes of this file goes
                f"INSERT INTO file (path, size, changed, inode, {column}, seen) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608
                f" ON CONFLICT (path) DO UPDATE SET {other} = CASE WHEN size = excluded.size"
                f" AND changed = excluded.changed AND inode = excluded.inode THEN {other} END,"
                " size = excluded.size, changed = excluded.changed, inode = excluded.inode,"
                f" {column} = excluded.{column}, seen = excluded.seen",
                rows,
            )
            database.execute("COMMIT")

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The database; what goes wrong with it is no reason to stop a render."""
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error:
                with suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")


def stamp_of(path: Path) -> Stamp:
    """What tells whether a file is the one that was seen.

    Raises:
        MissingFileError: It is not there.
        UnreadableFileError: It can't be looked at.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise MissingFileError("there is no such file", where=str(path)) from None
    except OSError as error:
        raise UnreadableFileError(f"can't be read ({error.strerror})", where=str(path)) from None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _content(path: Path) -> str:
    hasher = blake3()
    try:
        with path.open("rb", buffering=0) as file:
            block = memoryview(bytearray(1 << 20))
            while count := file.readinto(block):
                hasher.update(block[:count])
    except FileNotFoundError:
        raise MissingFileError("there is no such file", where=str(path)) from None
    except OSError as error:
        raise UnreadableFileError(f"can't be read ({error.strerror})", where=str(path)) from None
    return hasher.hexdigest()[:32]


def _same(path: Path, stamp: Stamp) -> bool:
    try:
        return stamp_of(path) == stamp
    except (MissingFileError, UnreadableFileError):
        return False


def _is_settled(stamp: Stamp, now: int) -> bool:
    fine = stamp[1] % 1_000_000_000 != 0
    return now - stamp[1] > (_SETTLED_NS if fine else _SETTLED_COARSE_NS)


def _open(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        for attempt in range(2):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                return _connected(str(path))
            except sqlite3.DatabaseError as error:
                if attempt or isinstance(error, sqlite3.OperationalError):
                    break
                with suppress(OSError):  # no database at all: a broken ledger is not worth a question
                    path.unlink()
            except OSError:
                break
    return _connected(":memory:")


def _connected(name: str) -> sqlite3.Connection:
    database = sqlite3.connect(name, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            database.execute("DROP TABLE IF EXISTS file")
            database.execute(f"PRAGMA user_version={_VERSION}")
        database.execute(_SCHEMA)
        pages, size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        if pages * size > _MOST_BYTES:
            middle = "SELECT seen FROM file ORDER BY seen LIMIT 1 OFFSET (SELECT count(*) FROM file) / 2"
            database.execute(f"DELETE FROM file WHERE seen <= ({middle})")  # noqa: S608 - constants
            database.execute("VACUUM")
    except sqlite3.Error:
        database.close()
        raise
    return database
