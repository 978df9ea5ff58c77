"""Measure how training time grows with the number of examples, the width and the batch size."""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits
from work import Cell, digits, floor, nn

AXES = {
    "examples": [2_500, 5_000, 10_000, 20_000, 40_000, 60_000],
    "width": [25, 50, 100, 200, 400, 800, 1600],
    "batch size": [1, 4, 16, 64, 256, 1024],
}


def seconds(function: Callable[[], object], repeat: int = 5) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def point(axis: str, value: int) -> tuple[float, float]:
    """The seconds for one epoch: `nn`, and its matrix products alone.

    The network is 784-100-10 with batches of 10, except for the value on the axis.
    """
    examples = {"examples": value, "width": 10_000, "batch size": 10_000}[axis]
    m = value if axis == "batch size" else 10
    steps = -(-examples // m)
    cell = Cell((784, value if axis == "width" else 100, 10), m, steps)
    products, train = floor(cell), nn(cell, *digits(examples))
    return seconds(lambda: train(steps)), seconds(lambda: products(steps))


def table(picture: Path | None) -> Iterator[str]:
    """Markdown, line by line. A plot is written if a path for it is given."""
    with threadpool_limits(1), np.errstate(all="ignore"):
        measured = {axis: [point(axis, value) for value in values] for axis, values in AXES.items()}
    yield "\n## How it grows\n"
    yield "Seconds for one epoch of 784-100-10 at batch 10 over 10,000 examples, one thread, with one of the three changed;"
    yield "the products alone in the same run.\n"
    if picture is not None:
        plot(measured, picture)
        yield "![Seconds against examples, width and batch size](growth.png)\n"
    for axis, values in AXES.items():
        yield f"| {axis} | " + " | ".join(f"{value:,}" for value in values) + " |"
        yield "|---" * (len(values) + 1) + "|"
        yield "| nn, s | " + " | ".join(f"{ours:.3f}" for ours, _ in measured[axis]) + " |"
        yield "| products, s | " + " | ".join(f"{theirs:.3f}" for _, theirs in measured[axis]) + " |\n"


def plot(measured: dict[str, list[tuple[float, float]]], picture: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg" if picture.suffix == ".svg" else "agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
    for panel, (axis, points) in zip(panels, measured.items(), strict=True):
        panel.loglog(AXES[axis], [ours for ours, _ in points], "o-", color="#1f77b4", label="nn")
        panel.loglog(AXES[axis], [theirs for _, theirs in points], "s--", color="#888888", label="its products alone")
        panel.set_xlabel(axis)
        panel.set_xticks(AXES[axis], [f"{value / 1000:g}k" if value >= 2_000 else f"{value}" for value in AXES[axis]])
        panel.minorticks_off()
        panel.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("seconds per epoch")
    panels[0].legend(frameon=False)
    figure.savefig(picture, dpi=80)
