"""A sweep as a picture: accuracy against one key, a heat map of two, or a panel of dots for each of several."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from mnist_nn.runs.comparing import Group

from .style import BLACK, COLOURS, GREY, PALE, Size, logarithmic
from .swept import Sweep, SweptKey

MOST_TICKS = 8  # values that are written at an axis; otherwise matplotlib chooses round ones
MAP = "cividis"  # is as clear to the colour-blind and in grey
LONG_TEXTS = 40  # characters of all values together, from which they are written aslant
LEAST_GAP = 0.08  # between two ticks, as a share of the axis
COLUMN_PANEL = 2.2  # inches


def draw_sweep(sweep: Sweep, size: Size) -> Figure:
    """Draw the figure that suits the number of keys."""
    if sweep.is_grid:
        return _heat_map(sweep, size)
    if len(sweep.axes) == 1:
        figure = Figure(figsize=(size.width, size.height or COLUMN_PANEL))
        _curve(figure.subplots(), sweep, size)
        return figure
    across = 1 if size.height is None else 2 if len(sweep.axes) in (2, 4) else 3
    down = ceil(len(sweep.axes) / across)
    figure = Figure(figsize=(size.width, size.height or COLUMN_PANEL * down))
    panels = figure.subplots(down, across, sharey=True, squeeze=False)
    for panel in panels.flat[len(sweep.axes) :]:
        panel.set_axis_off()
    for panel, axis in zip(panels.flat, sweep.axes, strict=False):
        _dots(panel, sweep, axis, size)
    figure.supylabel(accuracy_label(sweep), fontsize=size.points)
    return figure


def accuracy_label(sweep: Sweep) -> str:
    return f"{sweep.accuracy_on} accuracy of the best epoch (%)".strip()


def percent(group: Group) -> float:
    """Return the mean accuracy of a group that has one, in percent."""
    return 100 * (group.mean or 0.0)


def _curve(panel: Axes, sweep: Sweep, size: Size) -> None:
    """Draw each run as a small circle, and the mean at each value with one standard deviation."""
    (axis,) = sweep.axes
    groups = sorted(sweep.measured, key=axis.place)
    several = any(len(group.accuracies) > 1 for group in groups)
    handles: list[Any] = [
        panel.errorbar(
            [axis.place(group) for group in groups],
            [percent(group) for group in groups],
            [100 * (group.deviation or 0) for group in groups] if several else None,
            color=COLOURS[0],
            marker="o",
            linestyle="none" if axis.scale == "names" else "-",
            capsize=size.points / 3,
            label="mean ± 1 s.d." if several else "one run",
        )
    ]
    if several:
        handles += panel.plot(
            [axis.place(group) for group in groups for _ in group.accuracies],
            [100 * accuracy for group in groups for accuracy in group.accuracies],
            linestyle="",
            marker="o",
            markersize=size.points / 4,
            markerfacecolor="none",
            markeredgecolor=GREY,
            zorder=4,
            label="one run",
        )
    best = sweep.measured[0]
    handles += _star(panel, axis, best, size, f"best: {axis.texts[axis.index(best)]}, {percent(best):.2f}%")
    handles += _mark_diverged(panel, sweep, axis, size)
    _label(panel, axis)
    panel.set_ylabel(accuracy_label(sweep) if size.height else f"{sweep.accuracy_on} accuracy (%)".strip())
    panel.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4 if size.height else 2)


def _dots(panel: Axes, sweep: Sweep, axis: SweptKey, size: Size) -> None:
    """Draw a dot for each group of runs. The other keys differ too, so no line joins the dots."""
    places, means = [axis.place(group) for group in sweep.measured], [percent(group) for group in sweep.measured]
    panel.plot(places, means, "o", color=COLOURS[0], alpha=0.6, markeredgewidth=0)
    _star(panel, axis, sweep.measured[0], size, "best")
    _mark_diverged(panel, sweep, axis, size)
    _label(panel, axis)


def _star(panel: Axes, axis: SweptKey, best: Group, size: Size, label: str) -> list[Line2D]:
    return panel.plot(
        axis.place(best),
        percent(best),
        linestyle="",
        marker="*",
        markersize=size.points,
        color=COLOURS[1],
        markeredgecolor=BLACK,
        zorder=5,
        label=label,
    )


def _mark_diverged(panel: Axes, sweep: Sweep, axis: SweptKey, size: Size) -> list[Line2D]:
    """Mark at the lower edge the values whose runs diverged before an epoch ended."""
    places = [axis.place(g) for g in sweep.groups if g.mean is None and any(r.status == "diverged" for r in g.records)]
    if not places:
        return []
    return panel.plot(
        places,
        [0.03] * len(places),
        linestyle="",
        marker="x",
        color=GREY,
        markeredgewidth=size.line,
        transform=panel.get_xaxis_transform(),
        label="diverged",
    )


def _label(panel: Axes, axis: SweptKey) -> None:
    panel.set_xlabel(axis.name)
    if axis.scale == "log":
        logarithmic(panel, "x")
    elif axis.scale == "symlog":
        panel.set_xscale("symlog", linthresh=min(value for value in axis.values if value > 0), linscale=0.5)
    if axis.scale == "names" or len(axis.values) <= MOST_TICKS:
        ticks = axis.ticks if axis.scale == "names" else _apart(panel, axis.ticks)
        panel.set_xticks(ticks, [text for tick, text in zip(axis.ticks, axis.texts, strict=True) if tick in ticks])
        panel.minorticks_off()
    if axis.scale == "names":
        panel.margins(x=0.15)
        if sum(map(len, axis.texts)) > LONG_TEXTS:
            panel.tick_params(axis="x", rotation=20)


def _apart(panel: Axes, ticks: Sequence[float]) -> list[float]:
    """Return the ticks without those that are too near to the one before."""
    places = panel.transAxes.inverted().transform(panel.transData.transform([(tick, 0) for tick in ticks]))[:, 0]
    kept: list[int] = []
    for i, place in enumerate(places):
        if not kept or place - places[kept[-1]] > LEAST_GAP:
            kept.append(i)
    return [ticks[i] for i in kept]


def _heat_map(sweep: Sweep, size: Size) -> Figure:
    """Draw the mean accuracy of each pair of values as a coloured cell with its number. The best has a frame."""
    down, across = sweep.axes
    table = np.full((len(down.values), len(across.values)), np.nan)
    deviations = np.full_like(table, np.nan)
    for group in reversed(sweep.measured):  # where the examples differ too, the best group is drawn
        place = down.index(group), across.index(group)
        table[place] = percent(group)
        deviations[place] = np.nan if group.deviation is None else 100 * group.deviation
    figure = Figure(figsize=(size.width, size.height or max(1.6, 0.7 + 0.34 * len(down.values))))
    panel = figure.subplots()
    panel.grid(visible=False)
    panel.set_facecolor(PALE)
    image = panel.imshow(table, cmap=MAP, aspect="auto")
    low, high = image.get_clim()
    points = min(size.points * 0.85, size.points * 7 / max(len(across.values), 0.6 * len(down.values), 1))
    for (i, j), value in np.ndenumerate(table):
        spread = "" if np.isnan(deviations[i, j]) else f"\n±{deviations[i, j]:.2f}"
        text = "–" if np.isnan(value) else f"{value:.2f}{spread}"
        dark = not np.isnan(value) and value < (low + high) / 2
        panel.text(j, i, text, ha="center", va="center", color="white" if dark else "black", fontsize=points)
    best = sweep.measured[0]
    panel.add_patch(
        Rectangle(
            (across.index(best) - 0.5, down.index(best) - 0.5),
            1,
            1,
            fill=False,
            edgecolor=COLOURS[1],
            linewidth=size.line * 1.5,
            clip_on=False,
            zorder=5,
        )
    )
    panel.set_xticks(range(len(across.values)), across.texts)
    panel.set_yticks(range(len(down.values)), down.texts)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.set_xlabel(across.name)
    panel.set_ylabel(down.name)
    bar = figure.colorbar(image, ax=panel, label=accuracy_label(sweep) if size.height else "accuracy (%)")
    bar.outline.set_visible(False)
    return figure
