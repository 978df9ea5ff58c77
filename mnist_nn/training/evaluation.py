"""How good a network is: accuracy, cost, and which digits it mistakes for which."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..chapter.activation import Array
from ..chapter.cost import Cost
from ..chapter.network import Network, forward
from ..examples.dataset import Examples, Labels, classify, columns
from .workers import Workers

SLICE = 1000  # examples at a time: large enough to be fast, small enough for any machine


@dataclass(frozen=True)
class Classification:
    """How examples were classified: `confusion[t, p]` examples of class t were classified as p."""

    confusion: NDArray[np.int64]

    @property
    def examples(self) -> int:
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        return self.correct / self.examples

    @property
    def support(self) -> NDArray[np.int64]:
        """The number of examples of each class."""
        return np.asarray(self.confusion.sum(axis=1))

    @property
    def precision(self) -> list[float | None]:
        """For each class: of the examples classified as this class, the share that belongs to it. None without any."""
        return _ratios(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def recall(self) -> list[float | None]:
        """For each class: of the examples of this class, the share that was classified correctly. None without any."""
        return _ratios(self.confusion.diagonal(), self.confusion.sum(axis=1))


@dataclass(frozen=True)
class Evaluation(Classification):
    """The result of evaluating a network. `cost` is C, the average over all examples."""

    cost: float


def _ratios(part: NDArray[np.int64], whole: NDArray[np.int64]) -> list[float | None]:
    return [int(p) / int(n) if n else None for p, n in zip(part, whole, strict=True)]


def number_of_classes(outputs: int) -> int:
    """The number of classes that so many output neurons tell apart. One neuron answers 0 or 1."""
    return max(outputs, 2)


def count_answers(labels: Labels, answers: Labels, classes: int) -> NDArray[np.int64]:
    """The confusion matrix (classes, classes) of examples with these labels and answers, both of shape (N,)."""
    counts = np.bincount(labels * classes + answers, minlength=classes * classes)
    return counts.reshape(classes, classes)


@np.errstate(all="ignore")  # infinite and NaN values show in the result
def evaluate(
    network: Network, cost: Cost, examples: Examples, workers: Workers | None = None, out: Array | None = None
) -> Evaluation:
    """Measure the network's cost and confusion matrix over all examples. The workers share the examples.

    `out` (n_L, N) receives the outputs a^(L) of the examples that this process measures: without `workers` of all.
    Raises ValueError where there are no examples, or where the examples or the cost do not fit the network.
    """
    if not len(examples):
        raise ValueError("there are no examples to evaluate")
    examples.require_fit(network.sizes)
    cost.refuse_other_output(network.activation[network.L])
    classes = number_of_classes(network.sizes[-1])

    def measure(place: tuple[int, Examples]) -> tuple[float, NDArray[np.int64]]:
        start, part = place
        x, y = columns(part, network.parameters.dtype)
        passed = forward(network, x)
        z, a = passed.z[network.L], passed.a[network.L]
        if out is not None:
            out[:, start : start + len(part)] = a
        return float(cost.per_example(z, a, y).sum(dtype=np.float64)), count_answers(classify(y), classify(a), classes)

    total, confusion = 0.0, np.zeros((classes, classes), np.int64)
    places = list(zip(range(0, len(examples), SLICE), examples.slices(SLICE), strict=True))
    for cost_of_part, counts in (workers or Workers()).map(measure, places):
        total += cost_of_part
        confusion += counts
    return Evaluation(confusion, total / len(examples))
