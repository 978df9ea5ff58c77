"""RUN: a run directory, a checkpoint file, or, left out, the newest run under runs/; and how its path is printed."""

import os
from pathlib import Path
from shlex import quote
from string import ascii_letters, digits
from typing import TYPE_CHECKING

import click

from .recipes import recipe_names
from .text import note, printable

if TYPE_CHECKING:
    from mnist_nn.runs.run_directory import CheckpointName, RunDirectory

RUNS = Path("runs")
PLAIN = (ascii_letters + digits + "/._- ").encode()


def pasteable(path: Path) -> str:
    """A path as one word of a shell command: no option, nor anything that the terminal would act on."""
    name = f"./{path}" if str(path).startswith("-") else str(path)
    if name.isprintable():
        return quote(name)
    escaped = (chr(byte) if byte in PLAIN else f"\\x{byte:02x}" for byte in os.fsencode(name))
    return f"$'{''.join(escaped)}'"  # as bash, zsh and POSIX.1-2024 read it


def find_run(run: str | None) -> "RunDirectory":
    """The run directory named, or the newest one, saying which. Raises RunError."""
    from mnist_nn.runs.run_directory import RunDirectory, newest_run

    if run is not None:
        path = Path(run)
        return RunDirectory.open(path.parent.parent if path.is_file() and path.parent.name == "checkpoints" else path)
    newest = newest_run(RUNS)
    note(f"run {printable(str(newest.path))}")
    return newest


def find_checkpoint(run: str | None, name: "CheckpointName | None") -> Path:
    """The checkpoint file named, or that of a run: its best one unless another is asked for.

    Raises RunError where there is no such run or checkpoint.
    """
    from mnist_nn.errors import RunError

    if run is not None and Path(run).is_file():
        if name is not None:
            raise click.UsageError(f"--checkpoint goes with a run directory, but {run} is a file")
        return Path(run)
    if run is not None and not Path(run).exists():
        if run in recipe_names():
            raise RunError(f"{run}: is a recipe; train it first, with `nn train {run}`, or inspect it with --init")
        raise RunError(f"{run}: there is no such run directory or checkpoint")
    directory = find_run(run)
    path = directory.checkpoint(name or "best")
    if not path.exists():
        if directory.description().get("status") == "diverged":
            raise RunError(f"{directory.path}: this run diverged before its first epoch ended; train another")
        raise RunError(
            f"{path}: is not there: no epoch of this run has ended; use --checkpoint last, "
            f"or continue it with `nn train --resume {pasteable(directory.path)}`"
        )
    return path
