# SPDX-License-Identifier: Apache-2.0
"""Maps memory that another process of this host and user shares: a sealed memfd, opened through ``/proc``.

What a caller says of its memory is checked against the kernel (memfd_create(2), fcntl(2) on seals, proc(5)):

- Only the same user may open another process's descriptors; a service that runs as root checks the owner as well.
- ``F_SEAL_SHRINK`` and ``F_SEAL_GROW`` fix the size, so that no access can end in SIGBUS.
- A random nonce at the start of the memory proves that both mean the same: a caller in another PID namespace, or on
  another machine behind a tunnel, names a process that is somebody else's here.
"""

import fcntl
import hmac
import mmap
import os
import stat
import sys

NONCE_BYTES = 32
_FIXED_SIZE = getattr(fcntl, "F_SEAL_SHRINK", 0) | getattr(fcntl, "F_SEAL_GROW", 0)


class NotShareableError(Exception):
    """Memory that can't be shared, with the reason for the caller."""


def supported() -> bool:
    """Whether this platform has what sharing needs."""
    return (
        sys.platform == "linux"
        and sys.byteorder == "little"
        and hasattr(fcntl, "F_GET_SEALS")
        and os.access("/proc/self/fd", os.R_OK)
    )


def map_shared(pid: int, fd: int, size: int, nonce: bytes) -> mmap.mmap:
    """Maps a caller's memory for reading and writing.

    The mapping lives until the last view on it is gone.

    Args:
        pid: Process that has the memory open.
        fd: Its descriptor there.
        size: Bytes, as the caller says.
        nonce: The first bytes of the memory, as the caller says.

    Raises:
        NotShareableError: It is not what the caller says, or not of a kind that is safe to map.
    """
    if not supported():
        raise NotShareableError("the service's platform can't share memory")
    # Without reading or writing anything: opening a pipe would block, and opening a device may do something.
    handle = _open(f"/proc/{pid}/fd/{fd}", os.O_PATH | os.O_CLOEXEC)
    try:
        _check_kind(handle, size)
        memory = _open(f"/proc/self/fd/{handle}", os.O_RDWR | os.O_CLOEXEC)
    finally:
        os.close(handle)
    try:
        _check_seals(memory)
        try:
            mapping = mmap.mmap(memory, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        except (OSError, ValueError, OverflowError):
            raise NotShareableError("the memory can't be mapped") from None
    finally:
        os.close(memory)
    if len(nonce) != NONCE_BYTES or not hmac.compare_digest(mapping[:NONCE_BYTES], nonce):
        mapping.close()
        raise NotShareableError("the process of that number is another one here")
    return mapping


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        raise NotShareableError("there is no such process or descriptor here") from None
    except OSError:
        raise NotShareableError("the process belongs to another user") from None


def _check_kind(handle: int, size: int) -> None:
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode) or not _name(handle).startswith("/memfd:"):
        raise NotShareableError("the descriptor is no memory file")
    if facts.st_uid != os.geteuid():
        raise NotShareableError("the memory belongs to another user")
    if facts.st_size != size:
        raise NotShareableError("the memory is of another size")
    if os.fstatvfs(handle).f_bsize != mmap.PAGESIZE:  # huge pages can run out while they are used: SIGBUS
        raise NotShareableError("the memory is of huge pages")


def _name(handle: int) -> str:
    return os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115 - a Path would only be turned into text again


def _check_seals(memory: int) -> None:
    try:
        seals = fcntl.fcntl(memory, fcntl.F_GET_SEALS)
    except OSError:
        raise NotShareableError("the memory can't be sealed") from None
    if seals & _FIXED_SIZE != _FIXED_SIZE:
        raise NotShareableError("the memory's size is not sealed")
