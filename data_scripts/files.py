"""Files that are written whole or not at all, or grow by whole lines; and no pipes."""

import contextlib
import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = re.compile(r"\..+-\d+-[0-9a-f]{8}\.tmp")  # as `write_atomically` names them


def require_regular(path: Path) -> None:
    """Raise OSError for what is there and is no file: to open a pipe would be to wait for its other end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` under a unique temporary name beside `path`, then rename it into place.

    Both the file and its directory are synced, so that after a crash the old content is there or the new one,
    never a part of it. Raises OSError, which names `path`; the temporary file is removed then.
    """
    temporary = path.with_name(f".{path.name[:32]}-{os.getpid()}-{secrets.token_hex(4)}.tmp")  # a long name stays legal
    with _about(path):
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
    """Remove what `write_atomically` left there when its process was killed, if that is so many seconds ago."""
    for temporary in directory.iterdir():
        with contextlib.suppress(OSError):
            if TEMPORARY.fullmatch(temporary.name) and temporary.stat().st_mtime <= time.time() - older_than:
                temporary.unlink()


def append_durably(path: Path, content: bytes) -> None:
    """Add `content` to the end of a file, synced. A crash or an error may leave a part of it there.

    Raises OSError, which names `path`.
    """
    with _about(path), path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _about(path: Path) -> Iterator[None]:
    """An OSError names the file that was meant, not a temporary one, or a directory, or none."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
