"""`nn evaluate`: measure accuracy, cost, precision and recall of each digit, and the confusion matrix."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from .loading import LOADERS
from .output_files import FILE
from .text import counted, printable

if TYPE_CHECKING:
    from mnist_nn.training.evaluation import Evaluation


@click.command(short_help="Measure a network: accuracy, cost, confusion matrix.")
@click.argument("run", required=False)
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
    "--misread",
    metavar="FILE.png",
    type=FILE,
    help="Draw the digits that the network misreads, at most 400.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def evaluate(
    run: str | None,
    split: Literal["test", "validation", "train"] | None,
    checkpoint: Literal["best", "last"] | None,
    data_source: str | None,
    data_dir: str | None,
    misread: Path | None,
    as_json: bool,
) -> None:
    """Measure a network: accuracy, cost, precision and recall of each digit, confusion matrix.

    RUN is a run directory or a checkpoint file. Default: the newest run under runs/ that did not diverge.
    Only this command reads the test set.

    \b
    nn evaluate                           measure the newest run
    nn evaluate --misread misread.png     also draw the misread digits
    nn evaluate --data-source mnist       measure it on MNIST's test set
    """
    from mnist_nn import COSTS, load_checkpoint
    from mnist_nn import evaluate as measure

    from .data_directory import with_data
    from .loading import load_split
    from .misread import check_misread, check_square, draw_misread
    from .runs import find_checkpoint

    path = find_checkpoint(run, checkpoint)
    loaded = load_checkpoint(path)
    config = with_data(loaded.config, data_source, data_dir)
    split = split or ("train" if config.data.source == "inline" else "test")
    if misread is not None:
        check_misread(misread, config)
    examples = load_split(config, split)
    if misread is not None:
        check_square(examples)
    result = measure(loaded.network, COSTS[config.cost], examples)
    if misread is not None:
        draw_misread(misread, loaded.network, examples)
    if as_json:
        import json

        click.echo(json.dumps(as_document(str(run or path.parent.parent), str(path), split, result)))
    else:
        click.echo(as_text(printable(str(path)), split, config.data.source, result))


def as_document(run: str, checkpoint: str, split: str, result: "Evaluation") -> dict[str, Any]:
    """Return the document of `--json`. Its field names must not change: other programs read them."""
    return {
        "run": run,
        "checkpoint": checkpoint,
        "split": split,
        "examples": result.examples,
        "correct": result.correct,
        "accuracy": result.accuracy,
        "cost": result.cost if math.isfinite(result.cost) else None,  # JSON has no infinity
        "confusion": result.confusion.tolist(),
        "digits": [
            {"digit": digit, "precision": precision, "recall": recall, "support": int(support)}
            for digit, (precision, recall, support) in enumerate(
                zip(result.precision, result.recall, result.support, strict=True)
            )
        ],
    }


def as_text(checkpoint: str, split: str, source: str, result: "Evaluation") -> str:
    """Return the results as text. Its tables are at most 60 columns wide for ten digits."""
    lines = [
        f"checkpoint  {checkpoint}",
        f"data        {source}, {split} split, {counted(result.examples, 'example')}",
        f"accuracy    {100 * result.accuracy:.2f}%  ({result.examples - result.correct:,} wrong)",
        f"cost        {result.cost:.6f}",
        "",
        "digit  precision   recall  examples",
    ]
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
    return "\n".join(lines)


def percent(ratio: float | None) -> str:
    """Format a ratio as a percentage with two decimals, or as a dash for None."""
    return "–" if ratio is None else f"{100 * ratio:.2f}%"
