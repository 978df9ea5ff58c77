"""Examples and mini-batches. Images stay uint8 rows; only the current batch becomes floats, as columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, isqrt
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..chapter.activation import Array

Labels = NDArray[np.intp]

CHUNK = 65_536  # at most so many input values are gathered at a time, but always a whole batch


def classify(a: Array) -> Labels:
    """The class of each column of outputs (n_L, m): the most active neuron, or for a single neuron whether a ≥ ½."""
    if a.shape[0] == 1:
        return np.asarray(a[0] >= 0.5, dtype=np.intp)
    return np.asarray(a.argmax(axis=0), dtype=np.intp)


def one_hot(labels: NDArray[Any], n: int) -> NDArray[np.uint8]:
    """Rows (N, n) with a 1 at each label, the chapter's desired outputs y. A single output gets the label, 0 or 1.

    Raises ValueError for a label outside 0..n−1 (0..1 for one output), or labels that are not integers of shape (N,).
    """
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"labels are {labels.dtype} of shape {labels.shape}, not integers of shape (N,)")
    classes = max(n, 2)
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}, outside 0..{classes - 1}")
    if n == 1:
        return labels.astype(np.uint8)[:, np.newaxis]
    targets: NDArray[np.uint8] = np.equal(labels[:, np.newaxis], np.arange(n)).view(np.uint8)
    return targets


@dataclass(frozen=True)
class Examples:
    """Inputs (N, n_0) and targets (N, n_L), one example per row.

    uint8 inputs are pixels, which the network sees as x/255. Float inputs are taken as they are. `image_shape` is
    (height, width) where the inputs are images. Raises ValueError where the two arrays do not fit each other.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    image_shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        inputs, targets = self.inputs, self.targets
        if not isinstance(inputs, np.ndarray) or not isinstance(targets, np.ndarray):
            raise ValueError(f"inputs and targets must be NumPy arrays, not {type(inputs)} and {type(targets)}")
        if inputs.ndim != 2 or targets.ndim != 2 or len(inputs) != len(targets):
            raise ValueError(
                f"inputs of shape {inputs.shape} and targets of shape {targets.shape} do not fit: "
                "they must be (N, n_0) and (N, n_L), one example per row"
            )
        for name, array in (("inputs", inputs), ("targets", targets)):
            if array.dtype.kind not in "fiub":
                raise ValueError(f"{name} are {array.dtype}, not numbers")

    def __repr__(self) -> str:
        (n, n_0), n_L = self.inputs.shape, self.targets.shape[1]
        return f"Examples({n} of {n_0} inputs ({self.inputs.dtype}) and {n_L} targets)"

    @classmethod
    def from_labels(cls, images: NDArray[np.uint8], labels: NDArray[np.uint8], n: int) -> "Examples":
        """Examples from images (N, height, width) and labels (N,), for n output neurons.

        Raises ValueError where the numbers of images and labels differ, or for a label outside 0..n−1.
        """
        images, labels = np.asarray(images), np.asarray(labels)
        if images.ndim < 2 or labels.ndim != 1 or len(images) != len(labels):
            raise ValueError(
                f"images of shape {images.shape} and labels of shape {labels.shape} do not fit: "
                "they must be (N, height, width) and (N,)"
            )
        height_and_width = (images.shape[1], images.shape[2]) if images.ndim == 3 else None
        return cls(images.reshape(len(images), int(np.prod(images.shape[1:]))), one_hot(labels, n), height_and_width)

    @property
    def labels(self) -> Labels:
        """The class that each target row stands for, shape (N,)."""
        return classify(self.targets.T)

    @property
    def side(self) -> int:
        """The height and width of square images, in pixels. Raises ValueError for other inputs."""
        n = self.inputs.shape[1]
        height, width = self.image_shape or (isqrt(n), isqrt(n))
        if height != width or height * width != n:
            found = f"images of {height} × {width} pixels" if self.image_shape else f"rows of {n} inputs"
            raise ValueError(f"{found} are not square")
        return height

    def require_fit(self, sizes: Sequence[int]) -> None:
        """Raise ValueError unless a network of these sizes can take the inputs and give the targets."""
        n_0, n_L = self.inputs.shape[1], self.targets.shape[1]
        if (n_0, n_L) != (sizes[0], sizes[-1]):
            raise ValueError(
                f"inputs of shape {self.inputs.shape} and targets of shape {self.targets.shape} "
                f"do not fit a network of sizes {tuple(sizes)}"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: slice | Labels) -> "Examples":
        return Examples(self.inputs[rows], self.targets[rows], self.image_shape)

    def split(self, n: int) -> tuple["Examples", "Examples"]:
        """Two parts: all examples but the last n, and the last n."""
        return self[: len(self) - n], self[len(self) - n :]

    def slices(self, size: int) -> Iterator["Examples"]:
        """The examples in order, at most `size` at a time."""
        for start in range(0, len(self), size):
            yield self[start : start + size]


class Batches:
    """Mini-batches of m examples, in buffers that the next batches reuse.

    Several small batches are gathered at a time, as rows, and handed out one by one, as columns. So small batches are
    nearly as cheap as one large batch, and the floats stay in the processor's cache.
    """

    def __init__(self, examples: Examples, m: int, dtype: DTypeLike) -> None:
        """The attribute `examples` can be replaced later by other examples of the same shape."""
        inputs, targets = examples.inputs.shape[1], examples.targets.shape[1]
        self.examples, self._m = examples, m
        self._rows = m * max(1, min(CHUNK // (m * inputs), ceil(len(examples) / m)))
        self._pixels = np.empty((self._rows, inputs), examples.inputs.dtype)
        self._bits = np.empty((self._rows, targets), examples.targets.dtype)
        self._x = np.empty((self._rows, inputs), dtype)
        self._y = np.empty((self._rows, targets), dtype)
        self._batches = [
            (self._x[start : start + m].T, self._y[start : start + m].T) for start in range(0, self._rows, m)
        ]

    def batches(self, rows: Labels) -> Iterator[tuple[Array, Array]]:
        """The examples at these rows, in this order, batch by batch: x (n_0, m) and y (n_L, m).

        The last batch may be smaller. The arrays are overwritten when you request the next batch.
        """
        for x_rows, _ in self.chunks(rows):
            whole, rest = divmod(len(x_rows), self._m)
            yield from self._batches[:whole]
            if rest:
                x, y = self._batches[whole]
                yield x[:, :rest], y[:, :rest]

    def chunks(self, rows: Labels) -> Iterator[tuple[Array, Array]]:
        """The same examples as rows, several whole batches at a time: x (k, n_0) and y (k, n_L) of k examples.

        The arrays are overwritten when you request the next chunk.
        """
        for start in range(0, len(rows), self._rows):
            chunk = rows[start : start + self._rows]
            self._fill(chunk)
            yield self._x[: len(chunk)], self._y[: len(chunk)]

    def _fill(self, rows: Labels) -> None:
        """Gather these rows into the buffers. (mode="clip" lets `take` write into `out` without a copy.)"""
        n = len(rows)
        x, y, pixels, bits = self._x[:n], self._y[:n], self._pixels[:n], self._bits[:n]
        np.take(self.examples.inputs, rows, axis=0, out=pixels, mode="clip")
        np.take(self.examples.targets, rows, axis=0, out=bits, mode="clip")
        np.copyto(x, pixels)
        if pixels.dtype == np.uint8:
            np.multiply(x, 1 / 255, out=x)
        np.copyto(y, bits)


def columns(examples: Examples, dtype: DTypeLike) -> tuple[Array, Array]:
    """All examples as columns: x (n_0, N) and y (n_L, N). Meant for a few thousand at a time."""
    return next(Batches(examples, len(examples), dtype).batches(np.arange(len(examples))))
