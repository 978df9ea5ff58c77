"""Files that a command writes where an option asks for one: refused early, written whole or not at all."""

from pathlib import Path

import click

FILE = click.Path(path_type=Path)


def refuse_directory(option: str, path: Path) -> None:
    """Raise UsageError for what is no name of a file."""
    if path.is_dir() or not path.name:
        raise click.UsageError(f"{option} {path}: is a directory; name a file")


def refuse_other_file(option: str, path: Path, mark: bytes, kind: str) -> None:
    """Raise UsageError for what is there, unless it is a file with this mark near its beginning: one of ours."""
    refuse_directory(option, path)
    if path.exists() and not (path.is_file() and mark in _beginning(path)):
        raise click.UsageError(
            f"{option} {path}: exists already, and is no {kind} of this command's; choose another name"
        )


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1000)


def write_file(option: str, path: Path, content: bytes) -> None:
    """Write it, or say in one line why that cannot be."""
    from data_scripts.files import write_atomically

    try:
        write_atomically(path, content)
    except OSError as error:
        reason = error.strerror or error
        raise click.ClickException(f"{option} {path}: cannot be written: {reason}; choose another place") from None
