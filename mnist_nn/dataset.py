"""Examples and mini-batches. Images stay uint8 rows; only the batch at hand becomes floats, as columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .activation import Array

Labels = NDArray[np.intp]


def classify(a: Array) -> Labels:
    """The answer that output columns (n_L, m) stand for: the most active neuron, or for one neuron a ≥ ½."""
    if a.shape[0] == 1:
        return np.asarray(a[0] >= 0.5, dtype=np.intp)
    return np.asarray(a.argmax(axis=0), dtype=np.intp)


def one_hot(labels: NDArray[Any], n: int) -> NDArray[np.uint8]:
    """Rows (N, n) with a 1 at each label, the chapter's desired outputs y.

    Raises ValueError for a label outside 0..n−1.
    """
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < n:
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}, outside 0..{n - 1}")
    targets = np.zeros((len(labels), n), np.uint8)
    targets[np.arange(len(labels)), labels] = 1
    return targets


@dataclass(frozen=True)
class Examples:
    """Inputs (N, n_0) and targets (N, n_L), one example per row.

    uint8 inputs are pixels, which the network sees as x/255; float inputs are taken as they are.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]

    @classmethod
    def from_labels(cls, images: NDArray[np.uint8], labels: NDArray[np.uint8], n: int) -> "Examples":
        """From images (N, height, width) and labels (N,) for n output neurons."""
        return cls(images.reshape(len(images), -1), one_hot(labels, n))

    @property
    def labels(self) -> Labels:
        """What each target row stands for, shape (N,)."""
        return classify(self.targets.T)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: slice | Labels) -> "Examples":
        return Examples(self.inputs[rows], self.targets[rows])

    def split(self, last: int) -> tuple["Examples", "Examples"]:
        """All but the last so many, and those: the validation examples are held out this way."""
        return self[: len(self) - last], self[len(self) - last :]

    def slices(self, size: int) -> Iterator["Examples"]:
        """In order, at most `size` at a time."""
        for start in range(0, len(self), size):
            yield self[start : start + size]


class Batch:
    """Buffers for m examples: `x` (n_0, m) and `y` (n_L, m), columns, refilled by `fill`."""

    def __init__(self, examples: Examples, m: int, dtype: DTypeLike) -> None:
        self._inputs = np.empty((m, examples.inputs.shape[1]), examples.inputs.dtype)
        self._targets = np.empty((m, examples.targets.shape[1]), examples.targets.dtype)
        self._x = np.empty(self._inputs.shape, dtype)
        self._y = np.empty(self._targets.shape, dtype)
        self._scale = 1 / 255 if examples.inputs.dtype == np.uint8 else 1.0
        self.x: Array = self._x.T
        self.y: Array = self._y.T

    def fill(self, examples: Examples, rows: Labels) -> None:
        """Gather the m examples at `rows`. (mode="clip" lets `take` write straight into `out`.)"""
        np.take(examples.inputs, rows, axis=0, out=self._inputs, mode="clip")
        np.take(examples.targets, rows, axis=0, out=self._targets, mode="clip")
        np.copyto(self._x, self._inputs)
        np.multiply(self._x, self._scale, out=self._x)
        np.copyto(self._y, self._targets)


def columns(examples: Examples, dtype: DTypeLike) -> tuple[Array, Array]:
    """All examples as columns: x (n_0, N) and y (n_L, N). For a few thousand at a time."""
    batch = Batch(examples, len(examples), dtype)
    batch.fill(examples, np.arange(len(examples)))
    return batch.x, batch.y
