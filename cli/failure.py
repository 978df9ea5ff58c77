"""What an exception means to the user: the words of the `Error:` line, and the exit code."""

import os
from dataclasses import dataclass

import click

from .interruption import Interrupted
from .text import note, printable

EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


@dataclass(frozen=True)
class Failure:
    """The message of an `Error:` line, empty if the user was told already, and the exit code."""

    message: str
    code: int


class SharedFailure(Exception):
    """A failure that all processes of a run know of."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def explain(error: BaseException) -> Failure | None:
    """Return what to tell the user of an exception. None for a mistake of ours, which shows its traceback."""
    match error:
        case SharedFailure():
            return error.failure
        case Interrupted():
            return Failure("" if error.reported else f"interrupted by {error}", 128 + error.signal)
        case KeyboardInterrupt() | click.Abort():
            return Failure("interrupted", EXIT_INTERRUPTED)
        case click.UsageError():
            where = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
            return Failure(error.format_message() + where, EXIT_USAGE)
        case click.ClickException():
            return Failure(error.format_message(), error.exit_code)
        case OSError():
            place = f"{os.fsdecode(error.filename)}: " if error.filename else ""
            return Failure(f"{place}{error.strerror or error}", EXIT_FAILURE)
        case MemoryError():
            amount = f" ({error})" if str(error) else ""
            return Failure(
                f"not enough memory{amount}; close other programs, or try a smaller network.sizes", EXIT_FAILURE
            )
        case ImportError():
            return Failure(
                f"nn cannot be loaded: {_first_cause(error)}; free some memory, or install nn again", EXIT_FAILURE
            )
    from data_scripts.errors import DataError
    from mnist_nn.errors import ConfigError, NNError

    if isinstance(error, NNError | DataError):
        return Failure(str(error), EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILURE)
    return None


def report(failure: Failure) -> int:
    """Print one `Error:` line and return the exit code. Control and invisible characters are escaped."""
    if failure.message:
        note(f"Error: {printable(failure.message)}")
    return failure.code


def _first_cause(error: ImportError) -> str:
    """Return in one line what an import failed at. NumPy's own explanation has 20 lines, but its cause only one."""
    first: BaseException = error
    while isinstance(cause := first.__cause__ or first.__context__, ImportError | OSError | MemoryError):
        first = cause
    return next(iter(str(first).strip().splitlines()), "not enough memory")
