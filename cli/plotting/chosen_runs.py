"""The runs that the argument RUN names, read and told apart, with notes about those that are left out."""

from collections.abc import Sequence
from pathlib import Path

import click

from mnist_nn.errors import RunError
from mnist_nn.runs.comparing import RunRecord
from mnist_nn.sweeps.sweep_directory import SweepDirectory

from ..run_table import collect
from ..runs import find_checkpoint, find_run
from ..text import counted, note, printable

UNFINISHED = {
    "diverged": "this run diverged before its first epoch ended; start a new run",
    "running": "this run has not finished its first epoch; wait for it",
}


def is_sweep(runs: Sequence[str]) -> bool:
    """Whether the argument is the directory of a sweep."""
    return len(runs) == 1 and SweepDirectory(Path(runs[0])).exists


def chosen_records(runs: Sequence[str]) -> list[RunRecord]:
    """Return the readable runs among these, by default the newest run. Raises RunError where there is none.

    Damaged runs are left out with a note.
    """
    directories = [find_run(run).path if Path(run).is_file() else Path(run) for run in runs] or [find_run(None).path]
    found = collect(directories)
    damaged = [record for record in found if record.status == "damaged"]
    if len(damaged) == len(found):
        raise RunError(damaged[0].damage)
    if damaged:
        note(
            f"{counted(len(damaged), 'damaged run')} left out, such as {printable(str(damaged[0].path))}; see `nn runs`"
        )
    return [record for record in found if record.status != "damaged"]


def require_an_epoch(records: Sequence[RunRecord]) -> None:
    """Raise RunError where no run has completed an epoch. Print a note about those that have not."""
    without = [record for record in records if not record.epochs]
    if len(without) == len(records):
        first = without[0]
        reason = UNFINISHED.get(first.status, "this run has not finished its first epoch; continue it, or draw another")
        raise RunError(f"{first.path}: {reason}")
    if without:
        note(f"{counted(len(without), 'run')} without a completed epoch left out, such as {printable(without[0].name)}")


def one_checkpoint(kind: str, runs: Sequence[str]) -> Path:
    """Return the best checkpoint of the one run named here, by default of the newest. Raises UsageError for several."""
    run = runs[0] if len(runs) == 1 else None
    if len(runs) <= 1 and (run is None or Path(run).is_file() or not Path(run).is_dir()):
        return find_checkpoint(run, None)
    records = collect([Path(one) for one in runs])
    if len(records) > 1:
        raise click.UsageError(
            f"--show {kind}: draws one run, but {runs[0] if run else 'these arguments'} "
            f"{'holds' if run else 'name'} {len(records):,}; name one of them, such as {records[0].path}"
        )
    return find_checkpoint(str(records[0].path), None)
