"""Files that a command writes where an option asks for one: refused early, written whole or not at all."""

from pathlib import Path

import click

FILE = click.Path(path_type=Path)


def refuse_directory(option: str, path: Path) -> None:
    """Raise UsageError for what is no name of a file."""
    if path.is_dir() or not path.name:
        raise click.UsageError(f"{option} {path}: is a directory; name a file")


def write_file(option: str, path: Path, content: bytes) -> None:
    """Write it, or say in one line why that cannot be."""
    from data_scripts.files import write_atomically

    try:
        write_atomically(path, content)
    except OSError as error:
        reason = error.strerror or error
        raise click.ClickException(f"{option} {path}: cannot be written: {reason}; choose another place") from None
