"""How long a step takes beside other programs: `python tests/benchmarks/busy.py`, two minutes.

The other programs are loops that never wait. Prints milliseconds a step, the median of several turns, for one and two
threads of the matrix products, and for two shards in two threads.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
import numpy as np
from threadpoolctl import threadpool_limits
from work import Cell, config, digits

from mnist_nn import Examples, initial_state
from mnist_nn.examples.shuffling import Shuffling
from mnist_nn.training.loop import Loop
from mnist_nn.training.workers import Workers

CELLS = [Cell((784, 800, 10), 128, 20), Cell((784, 1024, 1024, 10), 64, 20)]
WAYS = {"1 thread": (1, 1), "2 threads": (2, 1), "2 shards": (1, 2)}  # threads of the products, shards
TURNS = 11


def milliseconds(cell: Cell, threads: int, shards: int) -> float:
    """The median time of a step."""
    settings = config(cell)
    settings = settings.model_copy(update={"training": settings.training.model_copy(update={"shards": shards})})
    state, examples = initial_state(settings), Examples.from_labels(*digits(20_000), cell.sizes[-1])
    loop = Loop(settings, state, examples, Workers(shards))
    slices = Shuffling(0, len(examples), cell.m, cell.steps, 0, 1).slices(epochs=1000)
    times = []
    with threadpool_limits(threads, user_api="blas"), np.errstate(all="ignore"):
        for _ in range(TURNS):
            steps = next(slices)
            start = time.perf_counter()
            loop.run(steps, examples, steps.rows, 0.1)
            times.append(1000 * (time.perf_counter() - start) / (steps.last - steps.first))
    return statistics.median(times)


@contextmanager
def others(number: int) -> Iterator[None]:
    """Run this number of programs that never wait."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for program in running:
            program.kill()
            program.wait()


@click.command()
def main() -> None:
    """Time steps beside no, one and two busy programs."""
    click.echo(f"| network, batch | busy programs | {' | '.join(WAYS)} |")
    click.echo("|---" * (len(WAYS) + 2) + "|")
    for cell in CELLS:
        for number in (0, 1, 2):
            with others(number):
                found = [f"{milliseconds(cell, *way):.1f}" for way in WAYS.values()]
            click.echo(f"| {cell} | {number} | {' | '.join(found)} |")


if __name__ == "__main__":
    main()
