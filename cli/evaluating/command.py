"""`nn evaluate`: measure a network, several networks and their committee, or the best setting of a sweep."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ..completion import complete_run
from ..loading import LOADERS
from ..output_files import FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .choosing import Candidates, Choice
    from .measuring import Measurement
    from .members import DataChoice


@click.command(short_help="Measure networks: accuracy, cost, confusion matrix.")
@click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=complete_run)
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    help="Measure this split. Default: test (train for inline data).",
)
@click.option(
    "--checkpoint", type=click.Choice(["best", "last"]), help="Use this checkpoint of the run. Default: best."
)
@click.option(
    "--data-source",
    type=click.Choice(list(LOADERS)),
    help="Use data from this source instead of the run's source.",
)
@click.option(
    "--data-dir",
    metavar="DIR",
    help="Read the data files from this directory. "
    "Default: the run's data.dir (not with --data-source), else $NN_DATA_DIR, else the user's cache.",
)
@click.option(
    "--where",
    "conditions",
    metavar="KEY=VALUE",
    multiple=True,
    help="Choose among the runs of a directory with this value, such as momentum=0.9. Can be repeated.",
)
@click.option("--each", is_flag=True, help="Measure every setting of a directory of runs, and choose none.")
@click.option(
    "--misread",
    metavar="FILE.png",
    type=FILE,
    help="Draw the digits that the network or the committee misreads, at most 400.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def evaluate(
    runs: tuple[str, ...],
    split: Literal["test", "validation", "train"] | None,
    checkpoint: Literal["best", "last"] | None,
    data_source: str | None,
    data_dir: str | None,
    conditions: tuple[str, ...],
    each: bool,
    misread: Path | None,
    as_json: bool,
) -> None:
    """Measure a network: accuracy, cost, precision and recall of each digit, confusion matrix.

    RUN is a run directory or a checkpoint file. Default: the newest run under runs/ that did not diverge. Several
    are measured one by one, and as a committee, which averages their outputs.

    If RUN is a directory that holds runs, such as a sweep, the setting with the best validation accuracy is measured.

    Only this command reads the test set. Each result is kept in the run, in evaluations.csv.

    \b
    nn evaluate                           measure the newest run
    nn evaluate --misread misread.png     also draw the misread digits
    nn evaluate --data-source mnist       measure it on MNIST's test set
    nn evaluate runs/a runs/b runs/c      measure three runs and their committee
    nn evaluate sweeps/lr                 measure the best setting of a sweep
    nn evaluate sweeps/lr --where learning_rate=0.3    measure this setting
    """
    from .members import DataChoice, holds_runs

    options = DataChoice(split, checkpoint, data_source, data_dir)
    if len(runs) == 1 and holds_runs(Path(runs[0])):
        _evaluate_directory(Path(runs[0]), conditions, options, misread, each=each, as_json=as_json)
        return
    for option, is_given in (("--where", bool(conditions)), ("--each", each)):
        if is_given:
            raise click.UsageError(f"{option} needs a directory that holds runs, such as runs or a sweep")
    found = _measure(list(runs) or [None], options, misread)
    if len(found.networks) == 1:
        _print_one(found, as_json=as_json)
    else:
        _print_several(found, None, as_json=as_json)


def _evaluate_directory(
    directory: Path,
    conditions: "Sequence[str]",
    options: "DataChoice",
    misread: Path | None,
    *,
    each: bool,
    as_json: bool,
) -> None:
    """Measure the best setting of a directory of runs, or each."""
    from mnist_nn.runs.selecting import parse_condition

    from .choosing import choose, explain_opening, find_candidates

    candidates = find_candidates(directory, [parse_condition(condition) for condition in conditions])
    if each:
        if misread is not None:
            raise click.UsageError("--misread draws for one setting; leave out --each, or choose one with --where")
        _evaluate_each(candidates, options, as_json=as_json)
        return
    choice = choose(candidates)
    found = _measure([str(record.path) for record in choice.group.records], options, misread)
    if found.split == "test":
        explain_opening(candidates, choice, found.source)
    _print_several(found, choice, as_json=as_json)


def _evaluate_each(candidates: "Candidates", options: "DataChoice", *, as_json: bool) -> None:
    """Measure every setting of a directory of runs."""
    from ..terminal import Terminal
    from ..text import counted, note
    from .choosing import Choice, explain_left_out
    from .documents import settings_as_document
    from .measuring import measure_groups
    from .text import show_settings

    explain_left_out(candidates)
    groups = candidates.groups
    measured = measure_groups(groups, options)
    if opened := sum(found.split == "test" for found in measured):
        note(f"the test set was opened for {counted(opened, 'setting')}; do not choose among them by it")
    if as_json:
        choices = [Choice(group, len(groups), candidates.keys) for group in groups]
        _print_json(settings_as_document(choices, measured))
    else:
        show_settings(groups, measured, Terminal.from_stdout())


def _measure(runs: "Sequence[str | None]", options: "DataChoice", misread: Path | None) -> "Measurement":
    """Measure the networks, draw the misread digits, and record the result."""
    from ..misread import check_misread, check_square, draw_misread
    from .measuring import measure, record
    from .members import chosen_split, find_members
    from .split_loader import SplitLoader

    members = find_members(runs, options)
    config = members[0].config
    if misread is not None:
        check_misread(misread, config)
    loader = SplitLoader(chosen_split(members, options))
    if misread is not None:
        check_square(loader.load(config))
    found = measure(members, loader)
    if misread is not None:
        draw_misread(misread, found.examples, found.answers)
    record(found)
    return found


def _print_one(found: "Measurement", *, as_json: bool) -> None:
    from ..terminal import Terminal
    from .documents import one_as_document
    from .text import one_as_text

    if as_json:
        _print_json(one_as_document(found))
    else:
        click.echo(Terminal.from_stdout().spell_out(one_as_text(found)))


def _print_several(found: "Measurement", choice: "Choice | None", *, as_json: bool) -> None:
    from ..terminal import Terminal
    from .documents import several_as_document
    from .text import show_several

    if as_json:
        _print_json(several_as_document(found, choice))
    else:
        show_several(found, Terminal.from_stdout())


def _print_json(document: dict[str, Any]) -> None:
    import json

    click.echo(json.dumps(document))
