"""`nn runs`: a table of runs, with the settings in which they differ."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .fitting import GAP, Column, fit, stdout_width
from .text import counted, note, printable

if TYPE_CHECKING:
    from mnist_nn.runs.comparing import Group, RunRecord

    from .terminal import Terminal

SHORTEST_NAME, SHORTEST_SETTING = 16, 12  # in characters, on a narrow terminal
LONGEST_SETTING = 24  # on any terminal
REASONS = 5  # why runs are damaged, on stderr
STAR = "* accuracy on the training examples, because none are held out"
STATUS_COLOURS = {
    "running": "green", "stopped": "yellow", "interrupted": "yellow", "diverged": "bright_red", "damaged": "bright_red",
}  # fmt: skip


@click.command("runs", short_help="Compare runs in a table.")
@click.argument("directories", nargs=-1, metavar="[DIR]...", type=click.Path(path_type=Path))
@click.option(
    "--sort",
    "order",
    metavar="KEY",
    help="Sort by a column or a configuration key, -KEY for the highest first. Default: as they were started.",
)
@click.option(
    "--where",
    "conditions",
    metavar="KEY=VALUE",
    multiple=True,
    help="List only runs with this value, such as status=finished. Can be repeated.",
)
@click.option(
    "--group", is_flag=True, help="Put runs that differ in the seed alone together, and sort by mean accuracy."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of text.")
def list_runs(
    directories: tuple[Path, ...],
    order: str | None,
    conditions: tuple[str, ...],
    group: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Compare runs in a table: the settings in which they differ, best accuracy, training time.

    If `nn evaluate` has measured runs on the test set, their test accuracy is shown too.

    DIR is a run directory, or a directory that holds runs. Default: runs.

    \b
    nn runs --sort -accuracy                          the best run first
    nn runs --where status=finished --where seed=0    only these runs
    nn runs --group                                   mean and spread over seeds
    """
    from mnist_nn.runs.comparing import SEED, differing_keys, group_by_setting
    from mnist_nn.runs.selecting import parse_condition, sort_records

    from .run_documents import groups_as_csv, groups_as_document, runs_as_csv, runs_as_document
    from .runs import RUNS
    from .terminal import Terminal

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other; leave one out")
    if group and order is not None:
        raise click.UsageError("--group sorts by mean accuracy; leave --sort out")
    wanted = [parse_condition(condition) for condition in conditions]
    if order is not None:
        sort_records([], order)  # a wrong key is refused before anything is read
    every = collect(directories or (RUNS,))
    records = [record for record in every if all(condition.holds_for(record) for condition in wanted)]
    if order is not None:
        records = sort_records(records, order)
    keys = differing_keys(records)
    groups = group_by_setting(records) if group else []
    if group:
        keys = [key for key in differing_keys([one.records[0] for one in groups]) if key != SEED]
    if as_json:
        import json

        click.echo(json.dumps(groups_as_document(groups, keys) if group else runs_as_document(records, keys)))
    elif as_csv:
        click.echo(groups_as_csv(groups, keys) if group else runs_as_csv(records, keys), nl=False)
    elif groups:
        show(group_columns(groups, keys), Terminal.from_stdout())
    elif records and not group:
        show(run_columns(records, keys), Terminal.from_stdout())
    explain(every, records, group=group, text=not as_json and not as_csv)


def collect(directories: Sequence[Path]) -> "list[RunRecord]":
    """Return the runs in these directories. A run that is named twice is listed once. Raises RunError."""
    from mnist_nn.runs.comparing import read_records

    found: dict[Path, RunRecord] = {}
    for directory in directories:
        for record in read_records(directory):
            found.setdefault(record.path.resolve(), record)
    return list(found.values())


def explain(every: "Sequence[RunRecord]", records: "Sequence[RunRecord]", *, group: bool, text: bool) -> None:
    """Print on stderr what the table does not say: why runs are damaged or missing, and what * means."""
    if not records:
        note(f"--where: none of {counted(len(every), 'run')} is like this")
    if text and any(record.accuracy_on == "train" for record in records):
        note(STAR)
    explain_damage(records, left_out=group)


def explain_damage(records: "Sequence[RunRecord]", *, left_out: bool) -> None:
    """Print on stderr what is damaged, and how many runs are left out for this, if they are."""
    reasons = [record.damage for record in records if record.damage]
    for reason in reasons[:REASONS]:
        note(f"damaged: {printable(reason)}")
    if len(reasons) > REASONS:
        note(f"and {len(reasons) - REASONS:,} more are damaged; `nn runs --json` has the reason for each")
    damaged = sum(record.status == "damaged" for record in records)
    if left_out and damaged:
        note(f"{counted(damaged, 'damaged run')} left out")


def run_columns(records: "Sequence[RunRecord]", keys: Sequence[str]) -> list[Column]:
    """Return the columns of the table of runs.

    Where they do not fit, the last settings are left out until two remain, then time and epochs, then these two.
    """
    settings = setting_columns([record.settings for record in records], keys)
    settings = [replace(column, drop=place if place <= 2 else place + 2) for place, column in enumerate(settings, 1)]
    figures = [None if record.status == "damaged" and not record.epochs else record for record in records]
    tested = [record.test_accuracy for record in records]
    return [
        Column("name", unambiguous_names(records), least=SHORTEST_NAME),
        Column("status", [record.status for record in records]),
        Column("epochs", [str(record.epochs) if record else "–" for record in figures], right=True, drop=3),
        *settings,
        Column("accuracy", starred([(r.accuracy, r.accuracy_on) for r in records]), right=True),
        *([] if set(tested) == {None} else [Column("test", percentages(tested), right=True)]),
        Column("time", [duration(record.seconds) if record else "–" for record in figures], right=True, drop=4),
    ]


def group_columns(groups: "Sequence[Group]", keys: Sequence[str]) -> list[Column]:
    """Return the columns of the table of groups. Epochs, status, maximum and minimum are left out before settings."""
    every = len(keys)
    on = [next((record.accuracy_on for record in group.records if record.accuracy_on), None) for group in groups]
    least = [min(group.accuracies, default=None) for group in groups]
    most = [max(group.accuracies, default=None) for group in groups]
    columns = [
        *setting_columns([group.settings for group in groups], keys),
        Column("n", [str(len(group.records)) for group in groups], right=True),
        Column("mean ± s.d.", with_deviation(groups, on), right=True),
        *test_columns(groups),
        Column("min", starred(list(zip(least, on, strict=True))), right=True, drop=every + 1),
        Column("max", starred(list(zip(most, on, strict=True))), right=True, drop=every + 2),
        Column("epochs", [span([r.epochs for r in group.records]) for group in groups], right=True, drop=every + 4),
    ]
    if any(record.status != "finished" for group in groups for record in group.records):
        columns.append(Column("status", [statuses(group) for group in groups], drop=every + 3))
    if data := data_column(groups, keys):
        columns.insert(0, data)
    return columns


def data_column(groups: "Sequence[Group]", keys: Sequence[str]) -> Column | None:
    """Return a column with the digest of each group's examples if some groups differ in the examples alone."""
    shown = [tuple(group.settings[key] for key in keys) for group in groups]
    if any(shown.count(settings) > 1 for settings in shown):
        return Column("data", [printable(group.data[:8]) for group in groups])
    return None


def test_columns(groups: "Sequence[Group]") -> list[Column]:
    """Return a column with the mean test accuracy of each group, or none if no run was measured on the test set."""
    if not any(group.test_accuracies for group in groups):
        return []
    return [Column("test ± s.d.", means_with_deviation([group.test_accuracies for group in groups]), right=True)]


def setting_columns(settings: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[Column]:
    """Return a column for each key. Numbers are aligned at their decimal points."""
    from mnist_nn.runs.comparing import setting_text
    from mnist_nn.runs.selecting import short_names

    columns = []
    for place, key in enumerate(keys, 1):
        values = [one.get(key) for one in settings]
        is_number = all(isinstance(value, int | float | None) and not isinstance(value, bool) for value in values)
        cells = [setting_text(one[key]) if key in one else "–" for one in settings]
        cells = aligned(cells) if is_number else cells
        columns.append(Column(short_names()[key], cells, right=is_number, least=SHORTEST_SETTING, drop=place))
    return columns


def show(columns: Sequence[Column], terminal: "Terminal", other: str = "--csv") -> None:
    """Print a table that fits the terminal. A pipe gets every column whole. `other` is an option that has them too."""
    width, spell_out = stdout_width(), terminal.spell_out
    columns = [
        replace(column, heading=spell_out(column.heading), cells=list(map(spell_out, column.cells)))
        for column in columns
    ]
    if width is not None:
        columns = [
            column.shortened(LONGEST_SETTING, spell_out("…")) if column.least == SHORTEST_SETTING else column
            for column in columns
        ]
    kept, left_out = fit(columns, width, spell_out("…"))
    parts = [column.lines() for column in kept]
    for column, lines in zip(kept, parts, strict=True):
        if column.heading == "status" and terminal.colour:
            lines[1:] = [
                click.style(line, fg=STATUS_COLOURS[cell]) if cell in STATUS_COLOURS else line
                for line, cell in zip(lines[1:], column.cells, strict=True)
            ]
    click.echo("\n".join((" " * GAP).join(line).rstrip() for line in zip(*parts, strict=True)))
    if left_out:
        names = ", ".join(column.heading for column in left_out)
        note(f"too narrow for {names}; {other} has all columns, and so has a wider terminal or a pipe")


def unambiguous_names(records: "Sequence[RunRecord]") -> list[str]:
    """Return the name of each run, or the paths of all runs if two have the same name."""
    names = [record.name for record in records]
    chosen = names if len(set(names)) == len(names) else [str(record.path) for record in records]
    return [printable(name) for name in chosen]


def starred(accuracies: Sequence[tuple[float | None, str | None]]) -> list[str]:
    """Return accuracies as percentages, with a star after those on the training examples."""
    space = " " if any(on == "train" for _, on in accuracies) else ""
    return [
        "–" + space if accuracy is None else f"{100 * accuracy:.2f}%{'*' if on == 'train' else space}"
        for accuracy, on in accuracies
    ]


def percentages(accuracies: Sequence[float | None]) -> list[str]:
    """Return accuracies as percentages, with a dash for None."""
    return starred([(accuracy, None) for accuracy in accuracies])


def with_deviation(groups: "Sequence[Group]", on: Sequence[str | None]) -> list[str]:
    """Return the mean accuracy of each group with its standard deviation, which a single run does not have."""
    return means_with_deviation([group.accuracies for group in groups], on)


def means_with_deviation(accuracies: Sequence[Sequence[float]], on: Sequence[str | None] = ()) -> list[str]:
    """Return the mean of each sequence of accuracies with its standard deviation, and with the star of `starred`."""
    from mnist_nn.runs.comparing import deviation, mean

    means = starred(list(zip(map(mean, accuracies), on or [None] * len(accuracies), strict=True)))
    deviations = ["" if (found := deviation(one)) is None else f"{100 * found:.2f}" for one in accuracies]
    width = max(map(len, deviations))
    spreads = [f" ± {found:>{width}}" if found else " " * (width + 3) * bool(width) for found in deviations]
    return [one + spread for one, spread in zip(means, spreads, strict=True)]


def statuses(group: "Group") -> str:
    """Return "finished", or the numbers of runs of each status: "4 finished, 1 diverged"."""
    count = Counter(record.status for record in group.records)
    return next(iter(count)) if len(count) == 1 else ", ".join(f"{n} {status}" for status, n in count.most_common())


def span(numbers: Sequence[int]) -> str:
    """Return the least and the greatest number, such as "3–30", or the number that all are."""
    least, most = min(numbers), max(numbers)
    return str(least) if least == most else f"{least}–{most}"


def aligned(cells: Sequence[str]) -> list[str]:
    """Return numbers with spaces after them, so that their decimal points stand below each other."""
    after = [len(cell.partition(".")[2]) + ("." in cell) for cell in cells]
    return [cell + " " * (max(after) - n) for cell, n in zip(cells, after, strict=True)]


def duration(seconds: float) -> str:
    """Return a time such as "12.3 s", "2:03" minutes or "1:02:03" hours."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
