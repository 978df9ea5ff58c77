"""Locks that the system releases when their process ends, however it ends."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import RunError

READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
PATIENCE = 0.2  # seconds to wait for a lock, which `is_locked` takes for an instant


@contextlib.contextmanager
def locked(file: Path, busy: str) -> Iterator[None]:
    """Lock a file for this process. Raises RunError: `busy` where another process holds the lock."""
    lock = FileLock(file)
    try:
        lock.acquire(timeout=PATIENCE, poll_interval=PATIENCE / 10)
    except Timeout:
        raise RunError(busy) from None
    except OSError as error:
        way_out = "make its directory writable" if error.errno in READ_ONLY else "remove it"
        raise RunError(f"{file}: cannot be locked: {error.strerror}; {way_out}") from None
    try:
        yield
    finally:
        lock.release()


def is_locked(file: Path) -> bool:
    """Whether a process holds the lock. True too where that cannot be found out, as with another user's files."""
    if not file.exists():
        return False
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False
