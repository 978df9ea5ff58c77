"""`nn evaluate`: accuracy, cost, per-digit precision and recall, confusion matrix."""

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
    help="Default: test (train, for inline data).",
)
@click.option("--checkpoint", type=click.Choice(["best", "last"]), help="Which of the run's two. Default: best.")
@click.option("--data-source", type=click.Choice(list(LOADERS)), help="Use other data than the run's: this source.")
@click.option("--data-dir", metavar="DIR", help="Use the data files in this directory.")
@click.option(
    "--misread", metavar="FILE.png", type=FILE, help="Draw the digits that it misreads, the first 400 at most."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def evaluate(
    run: str | None,
    split: Literal["test", "validation", "train"] | None,
    checkpoint: Literal["best", "last"] | None,
    data_source: str | None,
    data_dir: str | None,
    misread: Path | None,
    as_json: bool,
) -> None:
    """Measure how good a network is. RUN is a run directory or a checkpoint file; default: the newest run.

    This is the only command that opens the test set.

    \b
    nn evaluate
    nn evaluate runs/quickstart-… --data-source mnist     on digits it has never seen
    nn evaluate --misread misread.png                     and see its mistakes
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
    """The JSON document: field names are part of the contract."""
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
    """For people; within 60 columns for ten digits."""
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
    lines += ["", "confusion: rows are the true digit, columns the answer"]
    lines.append("     " + "".join(f"{digit:{width}}" for digit in classes))
    for digit, row in enumerate(result.confusion):
        lines.append(f"{digit:5}" + "".join(f"{count or '·':>{width}}" for count in row))
    return "\n".join(lines)


def percent(ratio: float | None) -> str:
    """A ratio with two digits, or a dash where there is none."""
    return "–" if ratio is None else f"{100 * ratio:.2f}%"
