"""Write files and directories whole or not at all, append durably, and read regular files of bounded size only."""

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

TEMPORARY = re.compile(r"\..+-\d+-[0-9a-f]{8}\.nn-tmp")  # what `temporary_name` makes
ABANDONED = 3600.0  # seconds: a temporary file of this age is no longer being written


def require_regular(path: Path) -> None:
    """Raise OSError if the path exists but is not a regular file. Opening a pipe would wait for its other end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def open_regular(path: Path) -> BinaryIO:
    """A regular file, open for reading. Raises OSError for a pipe or a device, which it never waits for."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, at_most: int) -> bytes:
    """The content of a regular file of at most so many bytes.

    Raises OSError for a larger file, and like `open_regular`.
    """
    with open_regular(path) as file:
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
    with create_files(path) as (file,):
        file.write(content)


@contextlib.contextmanager
def create_files(*paths: Path) -> Iterator[Sequence[BinaryIO]]:
    """Yield a file for each path of one directory, open for writing under a temporary name, and rename all at the end.

    No file is renamed before all are on the disk, and the directory is synced. If the block raises an error, the
    temporary files are removed. An OSError names the path, or with several paths their directory.
    """
    temporaries = [temporary_name(path) for path in paths]
    directory = paths[0].parent
    with _errors_naming(paths[0] if len(paths) == 1 else directory):
        try:
            with contextlib.ExitStack() as opened:
                files = [opened.enter_context(temporary.open("xb")) for temporary in temporaries]
                yield files
                for file in files:
                    file.flush()
                    os.fsync(file.fileno())
            for temporary, path in zip(temporaries, paths, strict=True):
                temporary.replace(path)
        except BaseException:
            for temporary in temporaries:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
            raise
        _sync_directory(directory)


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
