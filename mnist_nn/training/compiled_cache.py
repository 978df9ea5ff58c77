"""The files that Numba keeps of compiled steps. Each has its SHA-256 beside it, because damaged code can end a process.

Numba reads its files without a check. So a file that does not match its digest is removed before Numba reads it, and
Numba compiles anew.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from data_scripts.files import write_atomically


def remove_unverified(directory: Path, function: str) -> None:
    """Remove every file of a compiled function that does not match its digest. Raises OSError."""
    for file in _files(directory, function):
        if not _is_verified(file):
            file.unlink(missing_ok=True)


def write_digests(directory: Path, function: str) -> None:
    """Write the digest of every file that was just compiled. Raises OSError."""
    for file in _files(directory, function):
        if not _is_verified(file):
            write_atomically(_digest_file(file), sha256(file.read_bytes()).encode())


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _files(directory: Path, function: str) -> Iterator[Path]:
    """Numba's files of a function: an index, and a file of code for each kind of argument."""
    yield from (file for end in ("nbi", "nbc") for file in sorted(directory.glob(f"*.{function}-*.{end}")))


def _digest_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")


def _is_verified(file: Path) -> bool:
    try:
        return _digest_file(file).read_text(encoding="ascii") == sha256(file.read_bytes())
    except (FileNotFoundError, UnicodeDecodeError):
        return False
