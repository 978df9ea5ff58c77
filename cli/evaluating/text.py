"""What was measured, as text."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..fitting import Column
from ..run_table import (
    SHORTEST_NAME,
    STAR,
    data_column,
    means_with_deviation,
    percentages,
    setting_columns,
    show,
    unambiguous_names,
    with_deviation,
)
from ..text import counted, note, percent, printable

if TYPE_CHECKING:
    from mnist_nn.runs.comparing import Group
    from mnist_nn.training.evaluation import Classification

    from ..terminal import Terminal
    from .measuring import Measurement

OTHER = "--json"  # has the columns that do not fit a terminal


def one_as_text(found: "Measurement") -> str:
    """Return the results of one network. The tables are at most 60 columns wide for ten digits."""
    (network,) = found.networks
    result = network.evaluation
    lines = [
        f"checkpoint  {printable(str(network.member.path))}",
        f"data        {_data(found)}",
        f"accuracy    {_accuracy(result)}",
        f"cost        {result.cost:.6f}",
        *_tables(result),
    ]
    return "\n".join(lines)


def show_several(found: "Measurement", terminal: "Terminal") -> None:
    """Print each network, their mean, and their committee with its tables."""
    show(_network_columns(found), terminal, OTHER)
    n = len(found.networks)
    (mean,) = means_with_deviation([found.accuracies])
    figures = {
        "data": _data(found),
        "mean ± s.d.": f"{mean}  (n = {n})",
        "committee": _accuracy(found.committee),
    }
    labels = [terminal.spell_out(label) for label in figures]
    width = max(map(len, labels)) + 2
    lines = ["", *(f"{label:{width}}{figure}" for label, figure in zip(labels, figures.values(), strict=True))]
    lines += _tables(found.committee)
    click.echo(terminal.spell_out("\n".join(lines)))


def _network_columns(found: "Measurement") -> list[Column]:
    """Return the columns of the table of networks: name, the settings that differ, and the figures."""
    from mnist_nn.runs.comparing import RunRecord, differing_keys, settings_of

    members = [one.member for one in found.networks]
    records = [RunRecord(Path(member.name), settings=settings_of(member.config)) for member in members]
    results = [one.evaluation for one in found.networks]
    return [
        Column("name", unambiguous_names(records), least=SHORTEST_NAME),
        *setting_columns([record.settings for record in records], differing_keys(records)),
        Column("accuracy", percentages(found.accuracies), right=True),
        Column("wrong", [f"{result.examples - result.correct:,}" for result in results], right=True),
    ]


def show_settings(groups: "Sequence[Group]", measured: "Sequence[Measurement]", terminal: "Terminal") -> None:
    """Print a row for each setting: the accuracy on the examples held out, and what was measured."""
    from mnist_nn.runs.comparing import SEED, differing_keys

    keys = [key for key in differing_keys([group.records[0] for group in groups]) if key != SEED]
    on = [group.records[0].accuracy_on for group in groups]
    splits = {one.split for one in measured}
    committees = [one.committee.accuracy if len(one.networks) > 1 else None for one in measured]
    columns = [
        *setting_columns([group.settings for group in groups], keys),
        Column("n", [str(len(group.records)) for group in groups], right=True),
        Column("mean ± s.d.", with_deviation(groups, on), right=True),
        Column(
            f"{splits.pop() if len(splits) == 1 else 'measured'} ± s.d.",
            means_with_deviation([one.accuracies for one in measured]),
            right=True,
        ),
    ]
    if any(committees):
        columns.append(Column("committee", percentages(committees), right=True))
    if data := data_column(groups, keys):
        columns.insert(0, data)
    show(columns, terminal, OTHER)
    if "train" in on:
        note(STAR)


def _data(found: "Measurement") -> str:
    return f"{found.source}, {found.split} split, {counted(found.committee.examples, 'example')}"


def _accuracy(result: "Classification") -> str:
    return f"{100 * result.accuracy:.2f}%  ({result.examples - result.correct:,} wrong)"


def _tables(result: "Classification") -> list[str]:
    """Return the lines of the table of digits and of the confusion matrix."""
    lines = ["", "digit  precision   recall  examples"]
    for digit, (precision, recall, support) in enumerate(
        zip(result.precision, result.recall, result.support, strict=True)
    ):
        lines.append(f"{digit:5}  {percent(precision):>9}  {percent(recall):>7}  {support:8,}")
    width = max(4, len(str(result.confusion.max())) + 1)
    classes = range(len(result.confusion))
    lines += ["", "confusion matrix: rows are true digits, columns are answers"]
    lines.append("     " + "".join(f"{digit:{width}}" for digit in classes))
    for digit, row in enumerate(result.confusion):
        lines.append(f"{digit:5}" + "".join(f"{count or '·':>{width}}" for count in row))
    return lines
