"""The commands of `nn`. Only here do errors become an `Error:` line and an exit code.

This module and the top of each command's module import only click, so that `nn --help` is fast.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from .config import config
from .download import download
from .evaluate import evaluate
from .inspecting.command import inspect_gradients
from .interruption import Interrupted, catch_signals
from .text import note, printable
from .train import train

EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


class InOrder(click.Group):
    """A group that lists its commands in the order of use, not in alphabetical order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


def print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the version and exit, if --version is given. The version is looked up only then."""
    if wanted:
        from importlib.metadata import version

        click.echo(f"nn {version('mnist-nn')}")
        ctx.exit()


@click.group(cls=InOrder, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=print_version,
    help="Show the version and exit.",
)
@click.pass_context
def nn(context: click.Context) -> None:
    """Train a small neural network on handwritten digits, and see where every derivative comes from.

    The mathematics follows 3Blue1Brown's chapter "Backpropagation calculus".

    \b
    Start with:
      nn train quickstart     train in seconds on generated digits, no download
      nn train                train on MNIST
      nn evaluate             measure the newest run
      nn inspect-gradients    take its gradient apart
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (train, evaluate, inspect_gradients, download, config):
    nn.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, then exit the process.

    Exit codes: 0 success, 1 failure, 2 wrong usage or configuration, 128 + n after signal n.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the parent process closed it
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 (stays open until the process ends)
        if hasattr(stream := getattr(sys, name), "reconfigure"):
            stream.reconfigure(errors="replace")  # print ? if the encoding has no ∂, instead of failing
    try:
        with catch_signals(at_once=True):
            code = nn.main(arguments, prog_name="nn", standalone_mode=False)
            sys.stdout.flush()
    except Interrupted as interruption:
        code = 128 + interruption.signal
        if not interruption.reported:
            fail(f"interrupted by {interruption}", code)
    except (KeyboardInterrupt, click.Abort):
        code = fail("interrupted", EXIT_INTERRUPTED)
    except click.UsageError as error:
        where = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
        code = fail(error.format_message() + where, EXIT_USAGE)
    except click.ClickException as error:
        code = fail(error.format_message(), error.exit_code)
    except BrokenPipeError:  # the reader of our output has stopped reading
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILURE
    except OSError as error:
        place = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        code = fail(f"{place}{error.strerror or error}", EXIT_FAILURE)
    except MemoryError as error:
        amount = f" ({error})" if str(error) else ""
        code = fail(f"not enough memory{amount}; close other programs, or try a smaller network.sizes", EXIT_FAILURE)
    except ImportError as error:
        code = fail(f"nn cannot be loaded: {first_cause(error)}; free some memory, or install nn again", EXIT_FAILURE)
    except Exception as error:
        from data_scripts.errors import DataError
        from mnist_nn.errors import ConfigError, NNError

        if not isinstance(error, NNError | DataError):
            raise
        code = fail(str(error), EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILURE)
    sys.exit(code if isinstance(code, int) else 0)


def fail(message: str, code: int) -> int:
    """Print one `Error:` line and return the exit code. Control and invisible characters are escaped."""
    note(f"Error: {printable(message)}")
    return code


def first_cause(error: ImportError) -> str:
    """Return in one line what an import failed at. NumPy's own explanation has 20 lines, but its cause only one."""
    first: BaseException = error
    while isinstance(cause := first.__cause__ or first.__context__, ImportError | OSError | MemoryError):
        first = cause
    return next(iter(str(first).strip().splitlines()), "not enough memory")


if __name__ == "__main__":
    main()
