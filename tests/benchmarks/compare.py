"""Compare `nn` with its peers: `python tests/benchmarks/compare.py` (with the extra `bench` installed).

Each trainer of a cell runs in a separate process. They take turns, so that a slow machine slows all of them. A ratio is
the median of the ratios within a turn. With --write the results go to RESULTS.md and growth.png.
"""

import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
import growth
import operations
import to_accuracy
from nn_cli.machine import describe_machine
from work import GRID, Cell
from worker import TRAINERS

HERE = Path(__file__).parent
REST = 0.3  # seconds between two turns: idle threads of some trainers keep a core busy for a while
OWN = ["nn", "compiled"]
PEERS = {"jax": "jax", "torch": "torch", "sklearn": "scikit-learn"}
NAMES = {"jax": "JAX, jit + scan", "torch": "PyTorch, eager", "sklearn": "scikit-learn"}

ABOUT_THE_GRID = """\
## The grid

Microseconds per training step (shuffle, gather, forward, backprop, step; float32, squared error, plain SGD), medians of {rounds}
turns in each of {starts} processes, each trainer in processes of its own, on so many cores. The floor is the matrix products of `nn`'s own step alone; compiled is `nn`
with `training.compiled`. In brackets: how many times as long as `nn` a peer takes, and as `nn` compiled. The peers get their inputs as
188 MB of floats; `nn` makes floats of bytes as it goes.
"""


def installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


@contextmanager
def worker(name: str, cell: Cell, threads: int) -> Iterator[subprocess.Popen[str]]:
    """A trainer process that has warmed up and waits."""
    command = [sys.executable, str(HERE / "worker.py"), name, json.dumps(asdict(cell)), str(threads)]
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | limits,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise click.ClickException(f"{name} did not start: {process.communicate()[1]}")
        try:
            yield process
        finally:
            process.stdin.close()


def time_run(process: subprocess.Popen[str]) -> float:
    """The seconds of one run."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def measure(cell: Cell, threads: int, starts: int, rounds: int, names: list[str]) -> dict[str, list[float]]:
    """The seconds of each trainer, one figure for each turn.

    All processes are restarted after `rounds` turns, because with two threads one process can take a third longer than
    another.
    """
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(starts):
        with ExitStack() as stack:
            workers = {name: stack.enter_context(worker(name, cell, threads)) for name in names}
            for _ in range(rounds):
                for name, process in workers.items():
                    time.sleep(REST)
                    seconds[name].append(time_run(process))
    return seconds


def ratio(over: list[float], under: list[float]) -> float:
    """The median of the ratios within a turn."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def row(cell: Cell, threads: int, seconds: dict[str, list[float]]) -> str:
    """A line of the table: microseconds per step, and each peer's time as a multiple of `nn`'s."""
    median = {name: statistics.median(times) / cell.steps * 1e6 for name, times in seconds.items()}
    peers = [name for name in PEERS if name in seconds]

    def times_as_long(name: str) -> str:
        return " ".join(f"{ratio(seconds[name], seconds[own]):.2f}×" for own in OWN)

    columns = [
        f"{cell}",
        f"{threads}",
        *(f"{median[name]:,.1f}" for name in ("floor", *OWN)),
        *(f"{median[name]:,.1f} ({times_as_long(name)})" for name in peers),
        *(f"**{min((ratio(seconds[name], seconds[own]) for name in peers), default=math.nan):.2f}×**" for own in OWN),
        *(f"{ratio(seconds[own], seconds['floor']):.2f}×" for own in OWN),
    ]
    return "| " + " | ".join(columns) + " |"


def grid(cells: list[Cell], starts: int, rounds: int, peers: list[str], threads: list[int]) -> Iterator[str]:
    """The table, line by line."""
    titles = ["network", "threads", "floor", *OWN, *(NAMES[name] for name in peers)]
    titles += [f"fastest peer / {own}" for own in OWN] + [f"{own} / floor" for own in OWN]
    yield "| " + " | ".join(titles) + " |"
    yield "|---" * len(titles) + "|"
    for cell in cells:
        for count in threads:
            yield row(cell, count, measure(cell, count, starts, rounds, ["floor", *OWN, *peers]))


def machine() -> str:
    """The machine and the versions that were measured."""
    there = describe_machine()
    versions = ", ".join(
        f"{package} {version(package)}"
        for package in ["numpy", "numba", "scipy", *PEERS.values()]
        if installed(package)
    )
    return (
        f"{there['machine']['model']}, {there['machine']['cores']} cores (a virtual machine, shared with others); "
        f"Python {platform.python_version()}, {versions}; {there['machine']['blas']}; {time.strftime('%Y-%m-%d')}."
    )


@click.command()
@click.option(
    "--starts", default=3, show_default=True, type=click.IntRange(1), help="Times that each trainer is started."
)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Turns that it takes each time.")
@click.option("--cell", type=click.IntRange(0, len(GRID) - 1), multiple=True, help="Only this row of the grid.")
@click.option(
    "--part", type=click.Choice(["grid", "operations", "growth", "accuracy"]), multiple=True, help="Only this."
)
@click.option("--data-dir", type=click.Path(), help="MNIST's four files, for the time to accuracy; without it skipped.")
@click.option("--write", is_flag=True, help="Write RESULTS.md and growth.png as well (of all parts).")
def main(
    starts: int, rounds: int, cell: tuple[int, ...], part: tuple[str, ...], data_dir: str | None, write: bool
) -> None:
    """Time `nn` and its peers side by side: about 15 minutes on two cores for everything."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    peers = [name for name in TRAINERS if name in PEERS and installed(PEERS[name])]
    lines_written: list[str] = []

    def write_lines(lines: Iterator[str]) -> None:
        for line in lines:
            lines_written.append(line)
            click.echo(line)

    if not part or "grid" in part:
        write_lines(iter([ABOUT_THE_GRID.format(starts=starts, rounds=rounds)]))
        write_lines(grid([GRID[i] for i in cell] or GRID, starts, rounds, peers, [1, 2] if cores > 1 else [1]))
    if not part or "operations" in part:
        write_lines(operations.table(GRID[:2]))
    if not part or "growth" in part:
        write_lines(growth.table(HERE / "growth.png" if write else None))
    if data_dir is not None and (not part or "accuracy" in part):
        write_lines(to_accuracy.table(Path(data_dir), "torch" in peers))
    if write:
        heading = f"# Measured\n\n{machine()}\n\n"
        (HERE / "RESULTS.md").write_text(heading + "\n".join(lines_written) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
