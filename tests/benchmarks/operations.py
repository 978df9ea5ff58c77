"""Measure where the time of a step goes: each operation alone, on the arrays of a real step."""

import timeit
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from nn_cli.machine import load_compiler
from threadpoolctl import threadpool_limits
from work import Cell, digits, nn

from mnist_nn import COSTS, Examples, Network, backprop, forward
from mnist_nn.chapter.backprop import BackwardPass
from mnist_nn.chapter.network import ForwardPass
from mnist_nn.examples.dataset import Batches
from mnist_nn.product import N, T, product


def microseconds(function: Callable[[], object], number: int = 1000) -> float:
    """The microseconds of one call, the shortest of several measurements."""
    return min(timeit.repeat(function, number=number, repeat=15)) / number * 1e6


def step_times(cell: Cell) -> dict[str, float]:
    """The microseconds of each operation, for a network with one hidden layer."""
    images, labels = digits()
    examples = Examples.from_labels(images, labels, cell.sizes[-1])
    network = Network(cell.sizes)
    network.parameters[:] = np.random.default_rng(0).normal(0, 0.1, network.parameters.size)
    batches = Batches(examples, cell.m, np.float32)
    rows = np.random.default_rng(1).permutation(len(images))[: 100 * cell.m]
    passed, back = ForwardPass.empty(network, cell.m), BackwardPass.empty(network, cell.m)
    cost = COSTS["squared_error"]
    x, y = next(batches.batches(rows))
    forward(network, x, out=passed)
    backprop(network, cost, passed, y, out=back)
    w, b, z, a, sigma = network.w, network.b, passed.z, passed.a, network.activation

    def in_all_layers(*functions: Callable[[int], object], layers: tuple[int, ...] = (1, 2)) -> Callable[[], None]:
        def run() -> None:
            for l in layers:
                for function in functions:
                    function(l)

        return run

    shuffle = microseconds(lambda: np.random.default_rng(1).permutation(len(images)), 1) * cell.m / len(images)
    return {
        "shuffle, one share of the epoch's": shuffle,
        "gather the pixels, to floats, /255": microseconds(lambda: [None for _ in batches.batches(rows)], 20) / 100,
        "z ← b": microseconds(in_all_layers(lambda l: np.copyto(z[l], b[l]))),
        "z ← z + w a": microseconds(in_all_layers(lambda l: product(w[l].T, T, a[l - 1], N, z[l], 1.0, 1.0))),
        "σ": microseconds(in_all_layers(lambda l: sigma[l].sigma(z[l], a[l]))),
        "∂C/∂a of the output": microseconds(lambda: cost.dC_da(a[2], y, back.dC_da[2])),
        "σ′": microseconds(in_all_layers(lambda l: sigma[l].sigma_prime(a[l], back.da_dz[l]))),
        "∂a/∂z · ∂C/∂a": microseconds(
            in_all_layers(lambda l: np.multiply(back.da_dz[l], back.dC_da[l], back.dC_dz[l]))
        ),
        "∂C/∂a of the hidden layer": microseconds(lambda: product(w[2].T, N, back.dC_dz[2], N, back.dC_da[1])),
        "w ← w − η ∂C/∂w": microseconds(
            in_all_layers(lambda l: product(a[l - 1], N, back.dC_dz[l], T, w[l].T, -1e-9, 1.0))
        ),
        "b ← b − η ∂C/∂b": microseconds(
            in_all_layers(lambda l: product(back.dC_dz[l], N, back.dz_db, N, b[l], -1e-9, 1.0))
        ),
    }


def table(cells: list[Cell]) -> Iterator[str]:
    """Markdown, line by line."""
    load_compiler()  # and the BLAS of the compiled steps, which is limited below

    with threadpool_limits(1), np.errstate(all="ignore"):
        columns = [step_times(cell) for cell in cells]
        steps, compiled = (
            [microseconds(partial(nn(cell, *digits(), way), cell.steps), 1) / cell.steps for cell in cells]
            for way in (False, True)
        )
    products = ("z ← z + w a", "∂C/∂a of the hidden layer", "w ← w − η ∂C/∂w")
    yield "\n## Where the time goes\n"
    yield "Microseconds of each operation of a step, one thread, each alone in a loop (so with its arrays in the cache); the"
    yield "least of 15. Bold: the matrix products, which are the floor.\n"
    yield "| operation | " + " | ".join(map(str, cells)) + " |"
    yield "|---" * (len(cells) + 1) + "|"
    for name in columns[0]:
        mark = "**" if name in products else ""
        yield f"| {mark}{name}{mark} | " + " | ".join(f"{column[name]:.2f}" for column in columns) + " |"
    sums = [sum(column.values()) for column in columns]
    yield "| sum | " + " | ".join(f"{total:.1f}" for total in sums) + " |"
    yield "| a whole step, as trained | " + " | ".join(f"{step:.1f}" for step in steps) + " |"
    yield "| a whole step, compiled | " + " | ".join(f"{step:.1f}" for step in compiled) + " |"
    yield (
        "| a step less its products and its data: the calls that compiling is about | "
        + " | ".join(
            f"{step - sum(column[p] for p in (*products, 'gather the pixels, to floats, /255')):.1f}"
            for step, column in zip(steps, columns, strict=True)
        )
        + " |"
    )
