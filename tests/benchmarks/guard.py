"""Fail if training has become slower: `python tests/benchmarks/guard.py`, without peers, in half a minute.

What is looked at is never seconds but the time of a step over that of its matrix products alone, both measured in turns
in this process. The limits lie a seventh or more above the highest ratio that was seen with OpenBLAS's kernels for
Haswell and SkylakeX, and well below twice the lowest. With --slowed every step is done twice, and the guard must fail in every cell: the proof that
it can.
"""

import time

import click
import numpy as np
from threadpoolctl import threadpool_limits
from work import GRID, Cell, digits, floor, nn

TURNS = 25
LIMITS = dict(zip(GRID[:4], (3.0, 2.3, 1.75, 1.55), strict=True))


def ratio(cell: Cell, slowed: bool) -> float:
    """A step over its products: the fastest turn of each, which noise of the machine touches least."""
    products, train = floor(cell), nn(cell, *digits(20_000))
    steps = max(1, min(cell.steps // 10, 20_000 // cell.m))
    times: dict[str, list[float]] = {"products": [], "train": []}
    for _ in range(TURNS):
        start = time.perf_counter()
        products(steps)
        middle = time.perf_counter()
        for _ in range(2 if slowed else 1):
            train(steps)
        times["products"].append(middle - start)
        times["train"].append(time.perf_counter() - middle)
    return min(times["train"]) / min(times["products"])


@click.command()
@click.option("--slowed", is_flag=True, help="Do every step twice, and succeed if that is noticed in every cell.")
def main(slowed: bool) -> None:
    """Compare a training step with its matrix products alone."""
    noticed = []
    with threadpool_limits(1, user_api="blas"), np.errstate(all="ignore"):
        for cell, limit in LIMITS.items():
            found = ratio(cell, slowed)
            noticed.append(found > limit)
            click.echo(f"{cell}: {found:.2f} times its products, at most {limit}{': TOO SLOW' if noticed[-1] else ''}")
    if slowed and not all(noticed):
        raise click.ClickException("every step was done twice, and the guard did not notice everywhere")
    if not slowed and any(noticed):
        raise click.ClickException(
            "training has become slower; `python tests/benchmarks/compare.py --part operations` shows where"
        )


if __name__ == "__main__":
    main()
