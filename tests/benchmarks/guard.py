"""Fail if training has become slower: `python tests/benchmarks/guard.py`, without peers, in half a minute.

The guard does not compare seconds. It compares the time of a step with the time of its matrix products alone, both
measured in turns in this process. The ratios behind the limits were measured with OpenBLAS's kernels for Haswell and
SkylakeX. Each limit is at least a seventh above the highest ratio, and well below twice the lowest. With --slowed every
step is done twice, and the guard must then fail in every cell. This proves that it can fail.
"""

import time
from importlib.util import find_spec

import click
import numpy as np
from nn_cli.machine import load_compiler
from threadpoolctl import threadpool_limits
from work import GRID, Cell, digits, floor, nn

TURNS = 25
LIMITS = dict(zip(GRID[:4], (3.1, 2.3, 1.75, 1.55), strict=True))  # seen: 1.74–2.66, 1.44–1.93, 1.19–1.30, 1.05–1.14
COMPILED_LIMITS = dict(zip(GRID[:2], (2.1, 2.0), strict=True))  # seen: 1.28–1.49, 1.19–1.49


def ratio(cell: Cell, compiled: bool, slowed: bool) -> float:
    """The time of a step divided by its matrix products' time.

    Uses the fastest turn of each, because noise affects it least.
    """
    products, train = floor(cell), nn(cell, *digits(20_000), compiled)
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
    """Compare the time of a training step with its matrix products alone."""
    noticed = []
    cases = [(cell, False, limit) for cell, limit in LIMITS.items()]
    if find_spec("numba") is not None:
        load_compiler()  # and the BLAS of the compiled steps, which is limited below

        cases += [(cell, True, limit) for cell, limit in COMPILED_LIMITS.items()]
    with threadpool_limits(1, user_api="blas"), np.errstate(all="ignore"):
        for cell, compiled, limit in cases:
            found = ratio(cell, compiled, slowed)
            noticed.append(found > limit)
            click.echo(
                f"{cell}{', compiled' if compiled else ''}: {found:.2f} times its products, at most {limit}"
                f"{': TOO SLOW' if noticed[-1] else ''}"
            )
    if slowed and not all(noticed):
        raise click.ClickException("every step was done twice, and the guard did not notice everywhere")
    if not slowed and any(noticed):
        raise click.ClickException(
            "training has become slower; `python tests/benchmarks/compare.py --part operations` shows where"
        )


if __name__ == "__main__":
    main()
