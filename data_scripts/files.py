"""Write files and directories whole or not at all, append durably, and read regular files of bounded size only."""

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = re.compile(r"\..+-\d+-[0-9a-f]{8}\.nn-tmp")  # what `temporary_name` makes


def require_regular(path: Path) -> None:
    """Raise OSError if the path exists but is not a regular file. Opening a pipe would wait for its other end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def read_regular(path: Path, at_most: int) -> bytes:
    """The content of a regular file of at most so many bytes.

    Raises OSError for a larger file, and for a pipe or a device, which it never waits for.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(at_most + 1)
    if len(content) > at_most:
        raise OSError(errno.EFBIG, f"it is larger than {at_most:,} bytes", str(path))
    return content


def temporary_name(path: Path) -> Path:
    """A unique hidden name beside `path`. The name is cut, because names have a limit."""
    return path.with_name(f".{path.name[:32]}-{os.getpid()}-{secrets.token_hex(4)}.nn-tmp")


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` under a unique temporary name beside `path`, then rename it into place.

    Both the file and its directory are synced. So after a crash the file has either its old content or its new content,
    never a part. Raises OSError, which names `path`, after removing the temporary file.
    """
    temporary = temporary_name(path)
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
        _sync_directory(path.parent)


@contextlib.contextmanager
def create_directory(path: Path) -> Iterator[Path]:
    """Yield a new directory with a temporary name beside `path`, and rename it to `path` at the end.

    So `path` never exists half made, whenever the process dies. If the block raises an error, the directory is
    removed. Raises OSError, which names a place in `path`, also where `path` exists already.
    """
    temporary = temporary_name(path)
    try:
        temporary.mkdir()
        yield temporary
        if path.exists() or path.is_symlink():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        try:
            temporary.rename(path)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.ENOTDIR):  # somebody else has just made it
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
            raise
        with _errors_naming(path):
            _sync_directory(path.parent)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError) and error.filename is not None:
            error.filename = str(error.filename).replace(str(temporary), str(path))
            del error.filename2
        raise


def _sync_directory(directory: Path) -> None:
    """Put the names in a directory on the disk."""
    if hasattr(os, "O_DIRECTORY"):  # not on Windows, where a directory cannot be opened
        descriptor = os.open(directory, os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(directory: Path, *, older_than: float = 0) -> None:
    """Remove temporary files and directories that killed processes left, if at least `older_than` seconds old."""
    for temporary in directory.iterdir():
        with contextlib.suppress(OSError):
            if TEMPORARY.fullmatch(temporary.name) and temporary.lstat().st_mtime <= time.time() - older_than:
                if temporary.is_dir() and not temporary.is_symlink():
                    shutil.rmtree(temporary)
                else:
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
        error.filename = str(path)
        del error.filename2  # or the message would name it
        raise
