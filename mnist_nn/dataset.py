"""Examples and mini-batches. Images stay uint8 rows; only the batch at hand becomes floats, as columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .activation import Array

Labels = NDArray[np.intp]

CHUNK = 65_536  # inputs gathered at a time, where several batches have no more


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


class Batches:
    """Buffers through which examples reach the network: gathered as rows, a few batches at a time, used as columns.

    Many small batches cost little more than one large one this way, and the floats stay in the cache.
    """

    def __init__(self, examples: Examples, m: int, dtype: DTypeLike) -> None:
        """For batches of m of these examples; `examples` may be set to others of the same shape."""
        inputs, targets = examples.inputs.shape[1], examples.targets.shape[1]
        self.examples, self._m = examples, m
        self._rows = m * max(1, CHUNK // (m * inputs))
        self._pixels = np.empty((self._rows, inputs), examples.inputs.dtype)
        self._bits = np.empty((self._rows, targets), examples.targets.dtype)
        self._x = np.empty((self._rows, inputs), dtype)
        self._y = np.empty((self._rows, targets), dtype)
        self._batches = [
            (self._x[start : start + m].T, self._y[start : start + m].T) for start in range(0, self._rows, m)
        ]

    def of(self, rows: Labels) -> Iterator[tuple[Array, Array]]:
        """The examples at these rows, in this order: x (n_0, m) and y (n_L, m), the last batch perhaps smaller.

        Each is good until the next is asked for.
        """
        for x_rows, _ in self.chunks(rows):
            whole, rest = divmod(len(x_rows), self._m)
            yield from self._batches[:whole]
            if rest:
                x, y = self._batches[whole]
                yield x[:, :rest], y[:, :rest]

    def chunks(self, rows: Labels) -> Iterator[tuple[Array, Array]]:
        """The examples at these rows, whole batches of them at a time, one per row: x (k, n_0) and y (k, n_L).

        Each is good until the next is asked for.
        """
        for start in range(0, len(rows), self._rows):
            chunk = rows[start : start + self._rows]
            self._fill(chunk)
            yield self._x[: len(chunk)], self._y[: len(chunk)]

    def _fill(self, rows: Labels) -> None:
        """Gather them. (mode="clip" lets `take` write straight into `out`.)"""
        n = len(rows)
        x, y, pixels, bits = self._x[:n], self._y[:n], self._pixels[:n], self._bits[:n]
        np.take(self.examples.inputs, rows, axis=0, out=pixels, mode="clip")
        np.take(self.examples.targets, rows, axis=0, out=bits, mode="clip")
        np.copyto(x, pixels)
        if pixels.dtype == np.uint8:
            np.multiply(x, 1 / 255, out=x)
        np.copyto(y, bits)


def columns(examples: Examples, dtype: DTypeLike) -> tuple[Array, Array]:
    """All examples as columns: x (n_0, N) and y (n_L, N). For a few thousand at a time."""
    return next(Batches(examples, len(examples), dtype).of(np.arange(len(examples))))
