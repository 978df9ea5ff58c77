"""The measured work: the cells of the grid, the digits, the floor and `nn` itself.

The floor and `nn` are functions of the number of steps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from mnist_nn import Config, Examples, initial_state
from mnist_nn.examples.shuffling import Slice
from mnist_nn.product import N, T, order_for, product
from mnist_nn.training.loop import Loop
from mnist_nn.training.workers import Workers

LEARNING_RATE = 0.3
Run = Callable[[int], object]  # does this number of steps


@dataclass(frozen=True)
class Cell:
    """A network, a batch size, and the number of steps that are timed at once."""

    sizes: tuple[int, ...]
    m: int
    steps: int

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.sizes))}, batch {self.m}"


GRID = [
    Cell((784, 30, 10), 10, 3000),
    Cell((784, 100, 10), 10, 2000),
    Cell((784, 100, 10), 100, 400),
    Cell((784, 800, 10), 128, 60),
    Cell((784, 16, 16, 10), 32, 1500),
    Cell((784, 2500, 2000, 1500, 1000, 500, 10), 128, 3),
]


def digits(n: int = 60_000) -> tuple[np.ndarray, np.ndarray]:
    """Random images (n, 28, 28) uint8 and labels (n,), of which only the size matters.

    Four fifths of the pixels are black, as in MNIST.
    """
    random = np.random.default_rng(0)
    images = random.integers(1, 256, (n, 28, 28), dtype=np.uint8)
    images[random.random(images.shape) < 0.8] = 0
    return images, random.integers(0, 10, n, dtype=np.uint8)


def config(cell: Cell, compiled: bool = False) -> Config:
    training = {"batch_size": cell.m, "learning_rate": LEARNING_RATE, "compiled": compiled}
    return Config.model_validate({"network": {"sizes": list(cell.sizes)}, "training": training})


def nn(cell: Cell, images: np.ndarray, labels: np.ndarray, compiled: bool = False) -> Run:
    """The inner loop of `nn train`: shuffle, gather, forward, backprop, step."""
    settings = config(cell, compiled)
    state = initial_state(settings)
    training = Examples.from_labels(images, labels, cell.sizes[-1])
    loop = Loop(settings, state, training, Workers())
    random = np.random.default_rng(1)

    def run(steps: int) -> None:
        rows = random.permutation(len(images))[: steps * cell.m]
        taken = Slice(0, 0, steps, [cell.m] * steps, rows, np.arange(len(rows)), ends_epoch=True)
        loop.run(taken, training, rows, LEARNING_RATE)

    return run


def floor(cell: Cell) -> Run:
    """Only the matrix products of a step, with the same calls, into existing buffers."""
    random = np.random.default_rng(2)

    def matrix(rows: int, columns: int, order: Literal["F", "C"]) -> np.ndarray:
        return random.normal(0, 0.1, (rows, columns)).astype(np.float32, order=order)

    sizes, m = cell.sizes, cell.m
    layers = range(1, len(sizes))
    order = order_for(m * max(n * n_prev for n_prev, n in pairwise(sizes)))
    w_T, dC_dw_T = ({l: matrix(sizes[l - 1], sizes[l], "F") for l in layers} for _ in range(2))
    a, z, dC_dz, dC_da = ({l: matrix(sizes[l], m, order if l else "F") for l in (0, *layers)} for _ in range(4))

    def run(steps: int) -> None:
        for _ in range(steps):
            for l in layers:
                product(w_T[l], T, a[l - 1], N, z[l])
            for l in reversed(layers):
                if l > 1:
                    product(w_T[l], N, dC_dz[l], N, dC_da[l - 1])
                product(a[l - 1], N, dC_dz[l], T, dC_dw_T[l])

    return run
