"""Figures over the epochs, as plain numbers: of one run, or the mean and spread of several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_nn import read_config
from mnist_nn.runs.comparing import Group, RunRecord
from mnist_nn.runs.run_directory import RunDirectory, numbers

Floats = NDArray[np.float64]
Rows = list[dict[str, Any]]  # of a run's metrics.csv: a number under each name, None for an empty cell

LOG_FROM = 20  # the ratio of the largest value to the smallest from which an axis is logarithmic
FIGURES = (
    "train_accuracy", "validation_accuracy", "train_cost", "validation_cost", "learning_rate",
)  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """One figure over the epochs. Each epoch has the mean over the runs that have reached it.

    `deviation` is their sample standard deviation (n − 1), NaN for fewer than two runs. So is a mean without values.
    """

    epochs: NDArray[np.int64]
    mean: Floats
    deviation: Floats

    @property
    def has_band(self) -> bool:
        return bool(np.isfinite(self.deviation).any())


@dataclass(frozen=True)
class Curves:
    """The curves of a group of runs: `figures` by their names in metrics.csv, `norms` ‖∂C/∂w‖ by layer.

    Without held-out examples the validation figures do not exist. `best` is the epoch with the highest accuracy, or
    with equal accuracy the lowest cost.
    """

    label: str
    records: Sequence[RunRecord]
    figures: dict[str, Curve]
    norms: dict[int, Curve]
    best: int

    @property
    def measured_on(self) -> str:
        """The examples that tell how good the network is: "validation", or "train" where none are held out."""
        return "validation" if "validation_accuracy" in self.figures else "train"

    @property
    def accuracy(self) -> Curve:
        return self.figures[f"{self.measured_on}_accuracy"]

    @property
    def cost(self) -> Curve:
        return self.figures[f"{self.measured_on}_cost"]

    @property
    def lengths(self) -> list[int]:
        """The number of epochs of each run."""
        return [record.epochs for record in self.records]


def read_curves(group: Group, label: str) -> Curves:
    """Return the curves of the runs that have completed an epoch, of which there must be one. Raises RunError.

    The files are read now, so a run that is being trained may have more epochs than its record says.
    """
    records = [record for record in group.records if record.epochs]
    tables: list[Rows] = [list(map(numbers, RunDirectory(record.path).metrics())) for record in records]
    figures = {
        name: mean_curve([[row[name] for row in rows] for rows in tables], first=1)
        for name in FIGURES
        if all(row[name] is not None for rows in tables for row in rows)
    }
    norms = read_norms(records)
    quality = "validation" if "validation_accuracy" in figures else "train"
    accuracy, cost = figures[f"{quality}_accuracy"].mean, figures[f"{quality}_cost"].mean
    best = 1 + max(range(len(accuracy)), key=lambda i: (accuracy[i], -cost[i]))
    return Curves(label, records, figures, norms, best)


def read_norms(records: Sequence[RunRecord]) -> dict[int, Curve]:
    """Return ‖∂C/∂w‖ of each layer over the epochs from 0, where every run has recorded it."""
    found = []
    for record in records:
        run = RunDirectory(record.path)
        if not record.settings["training.gradient_norms"]:
            return {}
        found.append(run.gradient_norms(read_config(run.config_file)))
    if not all(found):
        return {}
    return {l: mean_curve([[norms.dC_dw[l] for norms in run] for run in found], first=0) for l in found[0][0].dC_dw}


def mean_curve(runs: Sequence[Sequence[float]], *, first: int) -> Curve:
    """Return the mean curve of runs of any lengths. The first value of each belongs to epoch `first`."""
    table = np.full((len(runs), max(map(len, runs))), np.nan)
    for row, values in zip(table, runs, strict=True):
        row[: len(values)] = values
    known = np.ma.masked_invalid(table)
    deviation = np.where(known.count(axis=0) > 1, known.std(axis=0, ddof=1).filled(np.nan), np.nan)
    return Curve(np.arange(first, first + table.shape[1]), known.mean(axis=0).filled(np.nan), deviation)
