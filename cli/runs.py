"""The argument RUN: a run directory or a checkpoint file. Default: the newest run under runs/."""

import os
from pathlib import Path
from shlex import quote
from string import ascii_letters, digits
from typing import TYPE_CHECKING

import click

from .text import note, printable

if TYPE_CHECKING:
    from mnist_nn.runs.run_directory import CheckpointName, RunDirectory

RUNS = Path("runs")
PLAIN = (ascii_letters + digits + "/._- ").encode()


def shell_quoted(path: Path) -> str:
    """Return the path as one word of a shell command, to paste. It is never read as an option or as a control code."""
    name = f"./{path}" if str(path).startswith("-") else str(path)
    if name.isprintable():
        return quote(name)
    escaped = (chr(byte) if byte in PLAIN else f"\\x{byte:02x}" for byte in os.fsencode(name))
    return f"$'{''.join(escaped)}'"  # as bash, zsh and POSIX.1-2024 read it


def find_run(run: str | None) -> "RunDirectory":
    """Return the run directory `run`. For None return the newest run and print its path. Raises RunError."""
    from mnist_nn.runs.run_directory import RunDirectory, newest_run

    if run is not None:
        path = Path(run)
        return RunDirectory.open(path.parent.parent if path.is_file() and path.parent.name == "checkpoints" else path)
    newest = newest_run(RUNS)
    note(f"run {printable(str(newest.path))}")
    return newest


def find_checkpoint(run: str | None, name: "CheckpointName | None") -> Path:
    """Return the path of the checkpoint file `run`, or of checkpoint `name` in the run `run`. Default: best.

    Raises RunError if the run or the checkpoint does not exist. Raises UsageError for a checkpoint file with a `name`.
    """
    from mnist_nn.configuration.recipes import recipe_names
    from mnist_nn.errors import RunError

    if run is not None and Path(run).is_file():
        if Path(run).suffix in (".yaml", ".yml"):
            raise RunError(_untrained(run, "configuration", shell_quoted(Path(run))))
        if name is not None:
            raise click.UsageError(f"--checkpoint needs a run directory, but {run} is a file")
        return Path(run)
    if run is not None and not Path(run).exists():
        if run in recipe_names():
            raise RunError(_untrained(run, "recipe", run))
        raise RunError(f"{run}: there is no such run directory or checkpoint")
    directory = find_run(run)
    path = directory.checkpoint(name or "best")
    if not path.exists():
        description = directory.description()
        if description.get("epochs"):
            raise RunError(f"{path}: is missing, though epochs of this run have ended; use --checkpoint last")
        if description.get("status") == "diverged":
            raise RunError(f"{directory.path}: this run diverged before its first epoch ended; start a new run")
        raise RunError(
            f"{path}: does not exist, because this run has not finished an epoch; use --checkpoint last, "
            f"or continue the run with `nn train --resume {shell_quoted(directory.path)}`"
        )
    return path


def _untrained(config: str, kind: str, quoted: str) -> str:
    return (
        f"{config}: is a {kind}, not a run; train it first with `nn train {quoted}`, "
        f"or inspect it untrained with `nn inspect-gradients {quoted} --init`"
    )
