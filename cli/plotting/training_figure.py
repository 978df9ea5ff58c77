"""Training as a picture: accuracy, cost, learning rate and gradient norms over the epochs."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .curves import LOG_FROM, Curve, Curves, Floats
from .style import BLACK, COLOURS, GREY, LINES, MARKERS, MOST_MARKERS, LineStyle, Size, logarithmic, whole_numbers

DASHES: tuple[LineStyle, ...] = ("-", "--")  # of the main split, and of the training beside it
MOST_LAYERS = len(LINES)  # whose norms are drawn where several groups are, evenly chosen
COLUMN_HEIGHTS = {"accuracy": 1.9, "cost": 1.5, "rate": 1.1, "norms": 1.5}  # inches
LAYER_COLOURS = COLOURS[2:]  # mean nothing else in such a picture
SHORT_LABEL, LONGEST_LINE = 20, 44  # characters of a label beside the panels, and of a line below them
RUN_COLOURS = {"validation": COLOURS[0], "train": COLOURS[1]}  # of a picture without groups


def draw_training(groups: Sequence[Curves], legend_title: str, title: str, size: Size) -> Figure:
    """Draw one group's curves, or several overlaid. Each has a colour and a marker; dashed curves are training."""
    names = ["accuracy", "cost", *(["norms"] if any(group.norms for group in groups) else []), "rate"]
    heights = [COLUMN_HEIGHTS[name] for name in names]
    if size.height is None:
        figure = Figure(figsize=(size.width, sum(heights) + 0.3 + 0.14 * (len(groups) + 3)))
        panels = dict(zip(names, figure.subplots(len(names), sharex=True, height_ratios=heights), strict=True))
    else:
        figure = Figure(figsize=(size.width, size.height))
        places = "accuracy cost; norms rate" if "norms" in names else "accuracy cost; accuracy rate"
        layout: list[Any] = [row.split() for row in places.split(";")]
        panels = figure.subplot_mosaic(layout, sharex=True)
    figure.suptitle(title)
    handles = _measured(panels["accuracy"], groups, "accuracy", 100)
    panels["accuracy"].set_ylabel("accuracy (%)")
    panels["accuracy"].set_ylim(top=min(panels["accuracy"].get_ylim()[1], 101))
    handles.append(_mark_best(panels, groups, size))
    _measured(panels["cost"], groups, "cost", 1)
    panels["cost"].set_ylabel("cost C")
    _scale(panels["cost"], [curve.mean for g in groups for name, curve in g.figures.items() if name.endswith("cost")])
    _rate(panels["rate"], groups)
    if "norms" in panels:
        _norms(panels["norms"], groups)
    for name, panel in panels.items():
        whole_numbers(panel.xaxis)
        if name == names[-1] or size.height is not None:
            panel.set_xlabel("epoch")
            panel.tick_params(labelbottom=True)
    short = max(len(group.label) for group in groups) <= SHORT_LABEL
    beside = size.height is not None and len(groups) > 1 and short
    figure.legend(
        handles=handles,
        title=legend_title or None,
        loc="outside right upper" if beside else "outside lower center",
        ncols=1 if beside else (1 if size.height is None else 2) * (1 + short),
    )
    return figure


def _mark_best(panels: Mapping[str, Axes], groups: Sequence[Curves], size: Size) -> Line2D:
    """Mark the best epoch of each group with a star, of a single group with a line too. Return the legend's star."""
    style: dict[str, Any] = {"marker": "*", "linestyle": "", "markersize": size.points, "markeredgecolor": BLACK}
    for i, group in enumerate(groups):
        best = 100 * float(group.accuracy.mean[group.best - 1])
        colour = COLOURS[i] if len(groups) > 1 else RUN_COLOURS[group.measured_on]
        panels["accuracy"].plot(group.best, best, color=colour, zorder=5, **style)
    text = "best epoch"
    if len(groups) == 1:
        for name in ("accuracy", "cost"):
            panels[name].axvline(groups[0].best, color=GREY, linestyle=":", linewidth=size.line / 2)
        text = f"best epoch: {groups[0].best}, {best:.2f}%"
    return Line2D([], [], color="white" if len(groups) > 1 else colour, label=text, **style)


def _measured(panel: Axes, groups: Sequence[Curves], figure: str, factor: float) -> list[Line2D]:
    """Draw a figure on the validation examples, with its band, and on the training examples. Return the legend."""
    handles: list[Line2D] = []
    splits = [split for split in ("validation", "train") if any(f"{split}_{figure}" in g.figures for g in groups)]
    for i, group in enumerate(groups):
        for split in splits:
            if (curve := group.figures.get(f"{split}_{figure}")) is None:
                continue
            main = split == group.measured_on
            colour, marker = (
                (COLOURS[i], MARKERS[i]) if len(groups) > 1 else (RUN_COLOURS[split], MARKERS[splits.index(split)])
            )
            _line(panel, curve, factor, colour, marker if main or len(groups) == 1 else "", "-" if main else "--", i)
            if main and curve.has_band:
                low, high = curve.mean - curve.deviation, curve.mean + curve.deviation
                panel.fill_between(curve.epochs, factor * low, factor * high, color=colour, alpha=0.2, linewidth=0)
            if len(groups) == 1:
                handles.append(_handle(colour, split, marker, "-" if main else "--"))
        if len(groups) > 1:
            handles.append(_handle(COLOURS[i], fill(group.label, LONGEST_LINE), MARKERS[i], "-"))
    if len(groups) > 1:
        handles += [_handle(GREY, split, "", style) for split, style in zip(splits, DASHES, strict=False)]
    return handles


def _rate(panel: Axes, groups: Sequence[Curves]) -> None:
    panel.set_ylabel("learning rate η")
    curves = [group.figures["learning_rate"] for group in groups]
    for i, curve in enumerate(curves):
        colour, marker = (COLOURS[i], MARKERS[i]) if len(groups) > 1 else ("#444444", "o")
        _line(panel, curve, 1, colour, marker if len(groups) > 1 or len(curve.epochs) == 1 else "", "-", i)
    if not _scale(panel, [curve.mean[:1] for curve in curves]):
        panel.set_ylim(bottom=0)


def _norms(panel: Axes, groups: Sequence[Curves]) -> None:
    """Draw ‖∂C/∂w‖ of each layer. Several groups keep their colours, and layers differ in the style of the line."""
    panel.set_ylabel("‖∂C/∂w‖")
    layers = sorted({l for group in groups for l in group.norms})
    if len(groups) > 1 and len(layers) > MOST_LAYERS:
        layers = [layers[round(i * (len(layers) - 1) / (MOST_LAYERS - 1))] for i in range(MOST_LAYERS)]
    handles = []
    for place, l in enumerate(layers):
        style = LINES[place % len(LINES)]
        for i, group in enumerate(groups):
            if (curve := group.norms.get(l)) is not None:
                colour = COLOURS[i] if len(groups) > 1 else LAYER_COLOURS[place % len(LAYER_COLOURS)]
                marker = MARKERS[i] if len(groups) > 1 else MARKERS[place % len(MARKERS)]
                positive = Curve(curve.epochs, np.where(curve.mean > 0, curve.mean, np.nan), curve.deviation)
                _line(panel, positive, 1, colour, marker, style, place + i)
        handles.append(
            _handle(GREY, f"layer {l}", "", style) if len(groups) > 1 else _handle(colour, f"layer {l}", marker, style)
        )
    logarithmic(panel, "y")
    across = min(len(handles), 3)
    panel.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=across, columnspacing=1)


def _line(panel: Axes, curve: Curve, factor: float, colour: str, marker: str, style: LineStyle, place: int) -> None:
    """Draw a curve with at most MOST_MARKERS markers, which begin at another epoch for each place."""
    step = -(-len(curve.epochs) // MOST_MARKERS)
    panel.plot(
        curve.epochs, factor * curve.mean, style, color=colour, marker=marker, markevery=(place % step, step),
        markeredgecolor="white",
    )  # fmt: skip


def _handle(colour: str, label: str, marker: str, line: LineStyle) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, linestyle=line, label=label, markeredgecolor="white")


def _scale(panel: Axes, values: Sequence[Floats]) -> bool:
    """Make the axis logarithmic where its values span more than a factor LOG_FROM. Return whether they do."""
    finite = np.concatenate(values)
    finite = finite[np.isfinite(finite)]
    wide = bool(len(finite) and finite.min() > 0 and finite.max() > LOG_FROM * finite.min())
    if wide:
        logarithmic(panel, "y")
    return wide
