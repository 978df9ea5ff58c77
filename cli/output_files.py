"""Output files of options such as --html: checked early, and written completely or not at all."""

from pathlib import Path

import click

FILE = click.Path(path_type=Path)


def refuse_directory(option: str, path: Path) -> None:
    """Raise UsageError if `path` is a directory or has no file name."""
    if path.is_dir() or not path.name:
        raise click.UsageError(f"{option} {path}: is a directory; give a file name")


def refuse_other_file(option: str, path: Path, mark: bytes, within: int = 1000) -> None:
    """Raise UsageError if `path` exists, unless `nn` wrote this kind of file there before.

    Such a file has `mark` in its first bytes, `within` of them.
    """
    refuse_directory(option, path)
    if path.exists() and not (path.is_file() and mark in _beginning(path, within)):
        raise click.UsageError(
            f"{option} {path}: already exists and was not written by this command; choose another name"
        )


def _beginning(path: Path, length: int) -> bytes:
    with path.open("rb") as file:
        return file.read(length)


def write_file(option: str, path: Path, content: bytes) -> None:
    """Write the whole file or nothing. Raises ClickException with the reason if it cannot be written."""
    from data_scripts.files import write_atomically

    try:
        write_atomically(path, content)
    except OSError as error:
        reason = error.strerror or error
        raise click.ClickException(f"{option} {path}: cannot be written: {reason}; choose another path") from None
