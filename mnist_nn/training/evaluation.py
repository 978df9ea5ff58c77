"""How good a network is: accuracy, cost, and which digits it mistakes for which."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..chapter.cost import Cost
from ..chapter.network import Network, forward
from ..examples.dataset import Examples, Labels, classify, columns
from .workers import Workers

SLICE = 1000  # examples at a time: large enough to be fast, small enough for any machine


@dataclass(frozen=True)
class Evaluation:
    """The result of evaluating a network.

    `confusion[t, p]` is the number of examples of class t that were classified as p. `cost` is C, the average over all
    examples.
    """

    cost: float
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


def _ratios(part: NDArray[np.int64], whole: NDArray[np.int64]) -> list[float | None]:
    return [int(p) / int(n) if n else None for p, n in zip(part, whole, strict=True)]


@np.errstate(all="ignore")  # infinite and NaN values show in the result
def answers(network: Network, examples: Examples) -> Labels:
    """The class that the network assigns to each example, shape (N,)."""
    parts = (columns(part, network.parameters.dtype)[0] for part in examples.slices(SLICE))
    return np.concatenate([classify(forward(network, x).a[network.L]) for x in parts])


@np.errstate(all="ignore")  # infinite and NaN values show in the result
def evaluate(network: Network, cost: Cost, examples: Examples, workers: Workers | None = None) -> Evaluation:
    """Measure the network's cost and confusion matrix over all examples. The workers share the examples.

    Raises ValueError where there are no examples, or where the examples or the cost do not fit the network.
    """
    if not len(examples):
        raise ValueError("there are no examples to evaluate")
    examples.require_fit(network.sizes)
    cost.refuse_other_output(network.activation[network.L])
    classes = max(network.sizes[-1], 2)  # one output neuron answers 0 or 1

    def measure(part: Examples) -> tuple[float, NDArray[np.int64]]:
        x, y = columns(part, network.parameters.dtype)
        passed = forward(network, x)
        z, a = passed.z[network.L], passed.a[network.L]
        counts = np.bincount(classify(y) * classes + classify(a), minlength=classes * classes)
        return float(cost.per_example(z, a, y).sum(dtype=np.float64)), counts

    total, confusion = 0.0, np.zeros(classes * classes, np.int64)
    for cost_of_part, counts in (workers or Workers()).map(measure, list(examples.slices(SLICE))):
        total += cost_of_part
        confusion += counts
    return Evaluation(total / len(examples), confusion.reshape(classes, classes))
