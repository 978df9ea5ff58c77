"""What `nn plot` can draw. Each drawing is text for a terminal, or a figure for a picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mnist_nn import COSTS, evaluate, load_checkpoint
from mnist_nn.runs.comparing import RunRecord, group_by_setting

from ..data_directory import with_data
from ..loading import load_split
from ..terminal import Terminal
from ..text import counted, note, percent, printable
from .chosen_runs import chosen_records, is_sweep, one_checkpoint, require_an_epoch
from .curves import Curves, read_curves
from .labels import group_labels, swept_keys
from .swept import sweep_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .style import Size

Kind = Literal["training", "sweep", "confusion", "weights"]

MOST_GROUPS = 7  # overlaid curves that can be told apart
MOST_KEYS = 6  # panels of a sweep


@dataclass(frozen=True)
class Drawing:
    """Something to draw: `lines` makes text of it, `figure` a picture."""

    lines: Callable[[Terminal], list[str]]
    figure: "Callable[[Size], Figure]"


def drawing_of(show: Kind | None, runs: Sequence[str], data_dir: str | None) -> Drawing:
    """Return the drawing that is asked for.

    Without `show` it is the sweep for a directory of a sweep whose runs differ in more than the seed, else training.
    """
    if show == "confusion":
        return confusion(one_checkpoint(show, runs), data_dir)
    if show == "weights":
        return weights(one_checkpoint(show, runs))
    records = chosen_records(runs)
    if show is None:
        show = "sweep" if is_sweep(runs) and swept_keys(group_by_setting(records)) else "training"
    return sweep(records) if show == "sweep" else training(records)


def training(records: Sequence[RunRecord]) -> Drawing:
    """Return accuracy, cost, learning rate and gradient norms over the epochs. Groups of runs are overlaid."""
    require_an_epoch(records)
    groups = [group for group in group_by_setting(records) if any(record.epochs for record in group.records)]
    if len(groups) > MOST_GROUPS:
        note(f"drawing the best {MOST_GROUPS} of {len(groups):,} groups of runs; name runs to draw others")
        groups = groups[:MOST_GROUPS]
    legend_title, labels = group_labels(groups)
    curves = [read_curves(group, label) for group, label in zip(groups, labels, strict=True)]
    if any(len(set(group.lengths)) > 1 for group in curves):
        note("runs of one group have different numbers of epochs; where a run has ended, the mean is over the others")
    title = training_title(curves)

    def lines(terminal: Terminal) -> list[str]:
        from .chart import training_lines

        return [*terminal.wrap(title), "", *training_lines(curves, legend_title, terminal)]

    def figure(size: "Size") -> "Figure":
        from .training_figure import draw_training

        band = ", band ± 1 s.d." if any(group.accuracy.has_band for group in curves) else ""
        return draw_training(curves, legend_title, title + band, size)

    return Drawing(lines, figure)


def training_title(groups: Sequence[Curves]) -> str:
    """Return the name of a single run, or of how many runs the curves are."""
    records = [record for group in groups for record in group.records]
    if len(records) == 1:
        (record,) = records
        epochs = counted(len(groups[0].accuracy.epochs), "epoch")
        return printable(record.name) + ("" if record.status == "finished" else f" ({record.status}, {epochs})")
    if len(records) == len(groups):
        return counted(len(records), "run")
    most, least = (extreme(len(group.records) for group in groups) for extreme in (max, min))
    each = " each" if len(groups) > 1 else ""
    return f"mean of {most if most == least else f'{least}–{most}'} runs{each}"


def sweep(records: Sequence[RunRecord]) -> Drawing:
    """Return the accuracy against the settings in which the runs differ."""
    if all(record.accuracy is None for record in records):
        require_an_epoch(records)
    found = sweep_of(group_by_setting(records))
    if not found.axes:
        what = "there is one run" if len(records) == 1 else "these runs differ in nothing but the seed"
        raise click.UsageError(f"--show sweep: {what}; use --show training")
    if unfinished := [record for record in records if record.status not in ("finished", "diverged")]:
        note(f"{counted(len(unfinished), 'run')} not finished; drawn with the best accuracy so far")
    if len(found.axes) > MOST_KEYS:
        left_out = ", ".join(axis.name for axis in found.axes[MOST_KEYS:])
        note(f"drawing {MOST_KEYS} of {len(found.axes)} keys; left out: {left_out}")
        found = replace(found, axes=found.axes[:MOST_KEYS])

    def lines(terminal: Terminal) -> list[str]:
        from .sweep_text import sweep_lines

        return sweep_lines(found, terminal)

    def figure(size: "Size") -> "Figure":
        from .sweep_figure import draw_sweep

        return draw_sweep(found, size)

    return Drawing(lines, figure)


def confusion(path: Path, data_dir: str | None) -> Drawing:
    """Return the confusion matrix of a run's best checkpoint, on the examples held out. The test set stays closed."""
    loaded = load_checkpoint(path)
    config = with_data(loaded.config, None, data_dir)
    split: Literal["train", "validation"] = "validation" if config.data.validation else "train"
    result = evaluate(loaded.network, COSTS[config.cost], load_split(config, split))
    title = f"{split}: {percent(result.accuracy)} of {counted(result.examples, 'example')}"

    def lines(terminal: Terminal) -> list[str]:
        counts = result.confusion
        rows = [["", *map(str, range(len(counts)))]]
        rows += [[str(digit), *(str(count or "·") for count in row)] for digit, row in enumerate(counts)]
        return [
            *terminal.wrap(f"{printable(str(path))}, {title}"),
            "",
            *terminal.wrap("confusion matrix: rows are true digits, columns are answers"),
            *terminal.table(rows, ">" * len(rows)),
        ]

    def figure(size: "Size") -> "Figure":
        from .confusion_figure import draw_confusion

        what = "class" if config.data.source == "inline" else "digit"
        return draw_confusion(result, what, title, size)

    return Drawing(lines, figure)


def weights(path: Path) -> Drawing:
    """Return the weights of each neuron of the first layer as an image. They need a picture: a terminal has no room."""
    loaded = load_checkpoint(path)
    n_0 = loaded.network.sizes[0]
    if loaded.config.data.source == "inline":
        raise click.UsageError(
            "--show weights: data.source: inline has no images; draw a run that was trained on images"
        )
    if isqrt(n_0) ** 2 != n_0:
        raise click.UsageError(f"--show weights: {n_0} inputs (network.sizes) do not form a square image")
    n_1 = loaded.network.sizes[1]

    def lines(_: Terminal) -> list[str]:
        raise click.UsageError("--show weights: needs a picture; add --out weights.png")

    def figure(size: "Size") -> "Figure":
        from .weights_figure import MOST_NEURONS, draw_weights

        if n_1 > MOST_NEURONS:
            note(f"drawing the first {MOST_NEURONS} of {n_1:,} neurons")
        title = f"layer 1 of {'-'.join(map(str, loaded.network.sizes))}: the weights of each neuron"
        return draw_weights(loaded.network.w[1][:MOST_NEURONS], title, size)

    return Drawing(lines, figure)
