"""Training as charts in the terminal. uniplot draws them; this module chooses what is drawn, and how."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from uniplot import plot_to_string

from ..fitting import shorten_middle
from ..terminal import Terminal
from .curves import LOG_FROM, Curve, Curves

HEIGHT = 10  # lines of a chart
MARKS = "+xo*~.#"  # tell the curves apart where there is no colour
COLOURS = ("blue", "yellow", "green", "magenta", "cyan", "red", "blue")
FRAME = str.maketrans("┌┐└┘─│█⣿", "++++-|##")


@dataclass(frozen=True)
class Line:
    """One curve of a chart."""

    label: str
    epochs: Sequence[int]
    values: Sequence[float]


def training_lines(groups: Sequence[Curves], legend_title: str, terminal: Terminal) -> list[str]:
    """Return a chart of the accuracy and one of the cost, each with its legend.

    One group shows its training and validation examples, several show the latter only.
    """
    examples = {group.measured_on for group in groups}
    measured = examples.pop() if len(examples) == 1 else ""
    lines: list[str] = []
    for figure, factor, unit in (("accuracy", 100, "%"), ("cost", 1, "")):
        if len(groups) == 1:
            names = [name for name in ("validation", "train") if f"{name}_{figure}" in groups[0].figures]
            shown = [_line(name, groups[0].figures[f"{name}_{figure}"], factor) for name in names]
            title = f"{figure} over the epochs"
        else:
            shown = [_line(group.label, getattr(group, figure), factor) for group in groups]
            title = f"{measured} {figure} over the epochs".strip() + (f", by {legend_title}" if legend_title else "")
        lines += [*chart(title, shown, terminal, unit), ""]
    return lines + [line for group in groups for line in terminal.wrap(best_epoch(group))]


def best_epoch(group: Curves) -> str:
    """Return the best epoch of a group and its accuracy, in words."""
    accuracy = 100 * group.accuracy.mean[group.best - 1]
    return f"{group.label}: best epoch {group.best}, {accuracy:.2f}%".removeprefix(": ")


def _line(label: str, curve: Curve, factor: float) -> Line:
    known = np.isfinite(curve.mean)
    return Line(label, curve.epochs[known].tolist(), (factor * curve.mean[known]).tolist())


def chart(title: str, lines: Sequence[Line], terminal: Terminal, unit: str = "") -> list[str]:
    """Return a chart over the epochs that fits the terminal.

    Two curves are fine dots where there are colours: blue and yellow, which the colour-blind can tell apart. Otherwise
    each curve has a character of its own.
    """
    values = [value for line in lines for value in line.values]
    low, high = min(values), max(values)
    around = {"y_min": low - 0.1 * abs(low), "y_max": high + 0.1 * abs(high)} if low == high != 0 else {}
    fine = terminal.colour and terminal.symbols and len(lines) <= 2
    drawn = plot_to_string(
        xs=[line.epochs for line in lines],
        ys=[line.values for line in lines],
        lines=True,
        title=title,
        legend_labels=[terminal.spell_out(shorten_middle(line.label, terminal.width - 12)) for line in lines],
        legend_placement="auto",
        y_unit=unit,
        y_as_log=not unit and low > 0 and high > LOG_FROM * low,
        x_gridlines=[],
        y_gridlines=[],
        width=terminal.width - 10,
        height=HEIGHT,
        line_length_hard_cap=terminal.width,
        color=list(COLOURS[: len(lines)]) if terminal.colour else False,
        character_set="braille" if fine else "ascii",
        force_ascii_characters=list(MARKS),
        **around,
    )
    text = drawn if terminal.symbols else drawn.translate(FRAME)
    return [line.rstrip() for line in text.splitlines()]
