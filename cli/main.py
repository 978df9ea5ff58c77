"""The commands of `nn`. Only here do errors become an `Error:` line and an exit code.

This module and the top of each command's module import only click, so that `nn --help` is fast.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from .completion import prepare_completion
from .config import config
from .download import download
from .evaluating.command import evaluate
from .exercising.command import exercise
from .exporting.command import export
from .failure import EXIT_FAILURE, explain, report
from .inspecting.command import inspect_gradients
from .interruption import Interrupted, catch_signals
from .launcher import launched
from .plotting.command import plot
from .predicting.command import predict
from .run_table import list_runs
from .sweeping.command import sweep
from .train import train

PATIENCE = 2.0  # seconds for process 0 to explain what all processes have met: a launcher ends all when one has left


class InOrder(click.Group):
    """A group that lists its commands in the order of use, not in alphabetical order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


def _print_version(verbose: bool) -> None:
    """Print the version of nn, and with `verbose` what its bits depend on."""
    from importlib.metadata import version

    click.echo(f"nn {version('mnist-nn')}")
    if verbose:
        from .machine import describe_machine

        here = describe_machine()
        for name in ("python", "numpy", "scipy"):
            click.echo(f"{name} {here['versions'][name]}")
        click.echo(f"BLAS {here['machine']['blas']}")


@click.group(cls=InOrder, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, help="Show the version and exit.")
@click.option("-v", "--verbose", is_flag=True, help="With --version: show those of Python, NumPy and the BLAS, too.")
@click.pass_context
def nn(context: click.Context, version: bool, verbose: bool) -> None:
    """Train a small neural network on handwritten digits, and see where every derivative comes from.

    The mathematics follows 3Blue1Brown's chapter "Backpropagation calculus".

    \b
    Start with:
      nn train quickstart     train in seconds on generated digits, no download
      nn train                train on MNIST
      nn evaluate             measure the newest run
      nn predict IMAGE        read your own handwriting
      nn runs                 compare your runs
      nn plot                 see how the newest run was trained
      nn sweep                find the better setting, over several seeds
      nn inspect-gradients    take its gradient apart
      nn exercise             work out gradients by hand
      nn export FILE          take the network along, for other programs
    """
    if version:
        _print_version(verbose)
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


COMMANDS = (
    train, sweep, evaluate, predict, list_runs, plot, inspect_gradients, exercise, export, download, config,
)  # fmt: skip
for command in COMMANDS:
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
    if "_NN_COMPLETE" in os.environ:
        prepare_completion()
    try:
        with catch_signals(at_once=True):
            code = nn.main(arguments, prog_name="nn", standalone_mode=False)
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has stopped reading
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILURE
    except (Exception, KeyboardInterrupt, Interrupted) as error:
        failure = explain(error)
        if failure is None:
            raise
        common = isinstance(error, click.UsageError | Interrupted | KeyboardInterrupt)  # to all processes of a launcher
        if common and launched().rank:
            time.sleep(PATIENCE)
            code = failure.code
        else:
            code = report(failure)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
