"""What a sweep has found: the table of its settings, the best one, and what separates it from the second."""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..fitting import Column
from ..run_table import duration, group_columns, show
from ..runs import shell_quoted
from ..terminal import Terminal
from ..text import counted, note, printable
from .driver import ATTEMPTS, Ended, resume_command

if TYPE_CHECKING:
    from mnist_nn.runs.comparing import Group, RunRecord
    from mnist_nn.sweeps.plan import Plan, Trial
    from mnist_nn.sweeps.ranking import Lead
    from mnist_nn.sweeps.sweep_directory import SweepDirectory

FAILURES = 5  # shown with their reasons


def print_summary(sweep: "SweepDirectory", plan: "Plan", trials: "Sequence[Trial]") -> None:
    """Print the settings, the highest mean accuracy first, and what to do next.

    A plan with `test` compares nothing: its settings keep their order, and are measured on the test set.
    """
    from mnist_nn.runs.comparing import group_by_setting

    records = _read(sweep, trials)
    finished = group_by_setting([record for record in records if record.status == "finished"])
    if plan.test and any(len(group.test_accuracies) < len(group.records) for group in finished):
        from ..evaluating.measuring import measure_groups

        measure_groups(finished)
        records = _read(sweep, trials)
    groups = group_by_setting(records)
    if plan.test:
        groups.sort(key=lambda group: min(record.number for record in group.records))
    names = Names(groups, plan)
    if groups:
        show(names.columns(groups), Terminal.from_stdout(), f"`nn runs {shell_quoted(sweep.path)} --group --csv`")
    _note_other_machines(sweep, records)
    if not plan.test:
        _compare(finished, groups, names)
    click.echo(f"\nsweep   {printable(str(sweep.path))}")
    if finished and not plan.test:
        click.echo(f"next    nn evaluate {shell_quoted(sweep.path)}")
        click.echo(f"        nn plot {shell_quoted(sweep.path)}")


def _read(sweep: "SweepDirectory", trials: "Sequence[Trial]") -> "list[RunRecord]":
    """Return the runs of a sweep in the order of its plan."""
    from mnist_nn.runs.comparing import read_record

    in_order = sorted(trials, key=lambda trial: trial.number)
    return [read_record(run) for run in map(sweep.run, in_order) if run.exists]


class Names:
    """What tells the settings of a sweep apart: the keys in which they differ, or with several recipes the recipe."""

    def __init__(self, groups: "Sequence[Group]", plan: "Plan") -> None:
        from mnist_nn.runs.comparing import SEED, differing_keys

        self.by_recipe = len(plan.configs) > 1
        self.keys = [key for key in differing_keys([group.records[0] for group in groups]) if key != SEED]
        if self.by_recipe:  # it stands for all settings but the tried ones
            self.keys = [key for key in self.keys if any(f"{tried}.".startswith(f"{key}.") for tried in plan.grid)]

    def columns(self, groups: "Sequence[Group]") -> list[Column]:
        """Return the columns of the table of settings."""
        columns = group_columns(groups, self.keys)
        if self.by_recipe:
            columns = [column for column in columns if column.heading != "data"]
            times = [duration(statistics.fmean(record.seconds for record in group.records)) for group in groups]
            columns.insert(0, Column("recipe", [printable(group.records[0].recipe) for group in groups]))
            columns.append(Column("time", times, right=True, drop=len(self.keys) + 3))
        return columns

    def of(self, group: "Group") -> str:
        """Return the name of a setting, such as "learning_rate 0.3, momentum 0.9"."""
        from mnist_nn.runs.comparing import setting_text
        from mnist_nn.runs.selecting import short_names

        parts = [group.records[0].recipe] if self.by_recipe else []
        parts += [f"{short_names()[key]} {setting_text(group.settings[key])}" for key in self.keys]
        return printable(", ".join(parts))


def _compare(finished: "Sequence[Group]", groups: "Sequence[Group]", names: Names) -> None:
    """Print the best setting, the second, and what separates them. Only finished trials count."""
    from mnist_nn.sweeps.ranking import lead

    comparable = [group for group in finished if group.mean is not None]
    if len(comparable) < 2:
        return
    best, second = comparable[:2]
    terminal = Terminal.from_stdout()
    trained = {names.of(group): len(group.records) for group in groups}
    click.echo()
    for word, group in (("best", best), ("second", second)):
        spread = "" if group.deviation is None else f" ± {100 * group.deviation:.2f}"
        lost = trained[names.of(group)] - len(group.records)
        without = f", {lost} without a result" if lost else ""
        figures = f"{100 * (group.mean or 0):.2f}{spread} % (n = {len(group.accuracies)}{without})"
        click.echo(terminal.spell_out(f"{word:<7} {names.of(group)}: {figures}"))
    if (difference := lead(best, second)) is not None:
        click.echo(terminal.spell_out(f"{'':<7} {_difference_text(difference)}"))


def print_failures(sweep: "SweepDirectory", failed: "Sequence[Ended]") -> None:
    """Name the trials that failed, with the way out. Raises ClickException if there are any."""
    for one in failed[:FAILURES]:
        note(f"failed: {one.trial.name}: {printable(one.reason)}")
    if failed:
        raise click.ClickException(
            f"{counted(len(failed), 'trial')} failed {ATTEMPTS} times; solve the problem, then continue with "
            f"`{resume_command(sweep)}`"
        )


def _difference_text(lead: "Lead") -> str:
    """Return the difference between two settings, and whether chance may have made it."""
    if lead.error is None:
        return f"{100 * lead.difference:.2f} points apart with one seed each; --seeds N tells whether that is chance"
    meaning = "more than chance usually brings" if lead.is_significant else "within the spread, so it may be chance"
    return f"{100 * lead.difference:.2f} ± {100 * lead.error:.2f} points apart: {meaning}"


def _note_other_machines(sweep: "SweepDirectory", records: "Sequence[RunRecord]") -> None:
    """Say so if the trials were trained by different processors or libraries."""
    from mnist_nn.errors import RunError
    from mnist_nn.runs.run_directory import RunDirectory

    found: set[str] = set()
    for record in records:
        try:
            found.add(str(RunDirectory(record.path).description().get("machine", {}).get("blas")))
        except (RunError, AttributeError):
            continue
    if len(found) > 1:
        note(f"note: the trials used several BLAS, whose last bits may differ: {', '.join(sorted(found))}")
