"""Write files whole or not at all, append to files durably, and refuse anything that is not a regular file."""

import contextlib
import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = re.compile(r"\..+-\d+-[0-9a-f]{8}\.tmp")  # the temporary files of `write_atomically`


def require_regular(path: Path) -> None:
    """Raise OSError if the path exists but is not a regular file. Opening a pipe would wait for its other end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` under a unique temporary name beside `path`, then rename it into place.

    Both the file and its directory are synced. So after a crash the file has either its old content or its new content,
    never a part. Raises OSError, which names `path`, after removing the temporary file.
    """
    temporary = path.with_name(f".{path.name[:32]}-{os.getpid()}-{secrets.token_hex(4)}.tmp")  # cut: names have a limit
    with _errors_naming(path):
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        if hasattr(os, "O_DIRECTORY"):  # not on Windows, where a directory cannot be opened
            directory = os.open(path.parent, os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


def remove_leftovers(directory: Path, *, older_than: float = 0) -> None:
    """Remove temporary files that killed processes left, if they are at least `older_than` seconds old."""
    for temporary in directory.iterdir():
        with contextlib.suppress(OSError):
            if TEMPORARY.fullmatch(temporary.name) and temporary.stat().st_mtime <= time.time() - older_than:
                temporary.unlink()


def append_durably(path: Path, content: bytes) -> None:
    """Append `content` to a file, and sync it. After a crash or an error a part of `content` may be in the file.

    Raises OSError, which names `path`.
    """
    with _errors_naming(path), path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _errors_naming(path: Path) -> Iterator[None]:
    """Make every OSError name `path`, and not a temporary file, a directory or nothing."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
