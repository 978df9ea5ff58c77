"""Measure how training scales with threads, processes and machines: `python tests/benchmarks/scaling.py`.

It needs the extras `bench` and `mpi`, an MPI (`pip install mpich`), and two cores. Each trainer of a cell starts anew in
every round, and the rounds go through all trainers in turn. With --write the results go to SCALING.md and scaling.png.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import log2
from pathlib import Path

import click
import numpy as np
from compare import machine
from work import Cell

from mnist_nn import read_config
from mnist_nn.chapter.network import number_of_parameters
from mnist_nn.configuration.recipes import recipe_names
from mnist_nn.training.threads import flops_per_step

HERE = Path(__file__).parent
MPIEXEC = Path(sys.executable).parent / "mpiexec"
EPOCH = 50_000  # examples
WIDTHS = [(784, 100, 10), (784, 1024, 1024, 10), (784, 2500, 2000, 1500, 1000, 500, 10)]
BATCHES = [64, 256, 1024, 2048, 8192]
SECONDS = 0.5  # for about so long a turn trains
TURNS = 3
PORT = "29577"
# A trainer's name, its processes, and the threads of each.
TRAINERS = {
    "one thread": ("nn", 1, 1),
    "two BLAS threads": ("nn", 1, 2),
    "two shards in two threads": ("shards", 1, 2),
    "two processes": ("shards", 2, 1),
    "PyTorch, one thread": ("ddp", 1, 1),
    "PyTorch DDP, two processes": ("ddp", 2, 1),
}
Gbit = 1e9 / 8  # bytes in a second


def steps_for(sizes: tuple[int, ...], m: int) -> int:
    """A number of steps that takes about SECONDS on one thread."""
    return max(1, round(SECONDS * 6e10 / flops_per_step(sizes, m)))


def measure(name: str, cell: Cell, processes: int, threads: int) -> list[tuple[float, float]]:
    """The seconds of a step, and its seconds in the exchange, for each turn of a trainer that is started anew."""
    command = [
        sys.executable,
        str(HERE / "scaling_worker.py"),
        name,
        json.dumps(asdict(cell)),
        str(threads),
        str(TURNS),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": PORT}
    if name == "ddp":
        trainers = [
            subprocess.Popen(
                command,
                env=environment | {"RANK": str(rank), "WORLD_SIZE": str(processes)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(processes)
        ]
        outputs = [trainer.communicate() for trainer in trainers]
        out, err = outputs[0]
    else:
        launcher = [str(MPIEXEC), "-n", str(processes)] if processes > 1 else []
        done = subprocess.run([*launcher, *command], env=environment, capture_output=True, text=True, check=False)
        out, err = done.stdout, done.stderr
    if not out.startswith("["):
        raise click.ClickException(f"{name} did not train {cell}: {err}")
    return [(seconds / cell.steps, exchange / cell.steps) for seconds, exchange in json.loads(out)]


def table(widths: Sequence[tuple[int, ...]], batches: Sequence[int], rounds: int) -> Iterator[str]:
    """Seconds for an epoch of 50,000 examples, line by line."""
    yield (
        "| network | batch | "
        + " | ".join(TRAINERS)
        + " | exchange | bytes sent a step | 2 processes / 1 | DDP / 2 processes |"
    )
    yield "|---" * (len(TRAINERS) + 6) + "|"
    for sizes in widths:
        for m in batches:
            cell = Cell(sizes, m, steps_for(sizes, m))
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in TRAINERS}
            for _ in range(rounds):
                for title, (name, processes, threads) in TRAINERS.items():
                    found[title] += measure(name, cell, processes, threads)
            step = {title: statistics.median(seconds for seconds, _ in turns) for title, turns in found.items()}
            share = statistics.median(exchange / seconds for seconds, exchange in found["two processes"])
            columns = [
                "-".join(map(str, sizes)),
                f"{m:,}",
                *(f"{step[title] * EPOCH / m:.2f}" for title in TRAINERS),
                f"{100 * share:.0f} %",
                f"{4 * number_of_parameters(sizes):,}",
                f"**{step['one thread'] / step['two processes']:.2f}×**",
                f"**{step['PyTorch DDP, two processes'] / step['two processes']:.2f}×**",
            ]
            yield "| " + " | ".join(columns) + " |"


def exchanges(rounds: int) -> Iterator[str]:
    """The exchange alone, beside MPI's Allreduce, line by line."""
    yield "| parameters | in fixed order, ms | `Allreduce(IN_PLACE)`, ms | ratio |"
    yield "|---|---|---|---|"
    for sizes in WIDTHS:
        n = number_of_parameters(sizes)
        cell = Cell(sizes, 1, max(5, round(2e8 / (4 * n))))
        turns: dict[str, list[float]] = {"exchange": [], "allreduce": []}
        for _ in range(rounds):
            for name, seconds in turns.items():
                seconds += [turn for turn, _ in measure(name, cell, 2, 1)]
        own, theirs = (statistics.median(turns[name]) * 1e3 for name in turns)
        yield f"| {n:,} | {own:.3f} | {theirs:.3f} | {own / theirs:.2f} |"


def predicted(compute: float, parameters: int, machines: int, bandwidth: float, latency: float) -> float:
    """The seconds of a step on N machines: compute/N + 2 · bytes · (N − 1)/N / bandwidth + latency · 2 log₂ N."""
    sent = 2 * 4 * parameters * (machines - 1) / machines
    return compute / machines + sent / bandwidth + latency * 2 * log2(machines)


NETWORKS = {"1 Gbit/s": (Gbit, 100e-6), "10 Gbit/s": (10 * Gbit, 30e-6), "100 Gbit/s": (100 * Gbit, 5e-6)}


def best_number(compute: float, parameters: int, bandwidth: float, latency: float) -> tuple[int, float]:
    """The fastest number of machines, up to 64, and how many times as fast as one it is."""
    times = {N: predicted(compute, parameters, N, bandwidth, latency) for N in (1, 2, 4, 8, 16, 32, 64)}
    fastest = min(times, key=lambda N: times[N])
    return fastest, times[1] / times[fastest]


def recipes(rounds: int) -> Iterator[str]:
    """For each recipe the bytes and the time of a step, and the number of machines that pays, line by line."""
    yield "| recipe | batch | parameters sent a step, bytes | a step on one thread, ms | " + " | ".join(NETWORKS) + " |"
    yield "|---" * (4 + len(NETWORKS)) + "|"
    seen: dict[tuple[tuple[int, ...], int], float] = {}
    cases = [
        (name, tuple(config.network.sizes), config.training.batch_size)
        for name in recipe_names()
        if (config := read_config(name)).network.sizes[0] == 784
    ]
    cases += [("best, larger batches", (784, 1024, 1024, 10), m) for m in (512, 4096)]
    for name, sizes, m in cases:
        cell, n = Cell(sizes, m, steps_for(sizes, m)), number_of_parameters(sizes)
        if (sizes, m) not in seen:
            seen[sizes, m] = statistics.median(s for _ in range(rounds) for s, _ in measure("nn", cell, 1, 1))
        compute = seen[sizes, m]
        advice = []
        for bandwidth, latency in NETWORKS.values():
            N, gain = best_number(compute, n, bandwidth, latency)
            advice.append("1 machine" if N == 1 else f"{N} machines, {gain:.1f}×")
        yield f"| {name} | {m:,} | {4 * n:,} | {compute * 1e3:.3g} | " + " | ".join(advice) + " |"


def plot(picture: Path) -> None:
    """Draw how many times as fast N machines are, by the model, for each network and batch."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    machines = np.array([1, 2, 4, 8, 16, 32, 64])
    figure, panels = plt.subplots(1, len(NETWORKS), figsize=(10, 3.4), layout="constrained", sharey=True)
    sizes = WIDTHS[1]
    colours = ["#0072B2", "#E69F00", "#009E73", "#CC79A7"]
    computes = {
        m: statistics.median(s for s, _ in measure("nn", Cell(sizes, m, steps_for(sizes, m)), 1, 1))
        for m in (64, 512, 4096, 32_768 // 4)
    }
    for panel, (title, (bandwidth, latency)) in zip(panels, NETWORKS.items(), strict=True):
        panel.loglog(machines, machines, color="#999999", linestyle=":", label="as many times")
        for (m, compute), colour in zip(computes.items(), colours, strict=True):
            gain = [compute / predicted(compute, number_of_parameters(sizes), N, bandwidth, latency) for N in machines]
            panel.loglog(machines, gain, "o-", color=colour, markersize=3, label=f"batch {m:,}")
        panel.set_title(title)
        panel.set_xlabel("machines")
        panel.set_xticks(machines, [str(N) for N in machines])
        panel.set_yticks([0.1, 1, 10, 64], ["0.1", "1", "10", "64"])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("times as fast as one")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(picture, dpi=100)


@click.command()
@click.option(
    "--rounds", default=2, show_default=True, type=click.IntRange(1), help="Times that each trainer is started."
)
@click.option("--part", type=click.Choice(["table", "exchange", "recipes"]), multiple=True, help="Only this.")
@click.option("--width", type=click.IntRange(0, len(WIDTHS) - 1), multiple=True, help="Only this network.")
@click.option("--write", is_flag=True, help="Write SCALING.md and scaling.png as well.")
def main(rounds: int, part: tuple[str, ...], width: tuple[int, ...], write: bool) -> None:
    """Time `nn` on threads and processes beside PyTorch DDP: about 25 minutes on two cores for everything."""
    written: list[str] = []

    def show(*lines: str) -> None:
        for line in lines:
            written.append(line)
            click.echo(line)

    if not part or "table" in part:
        show("## Two cores\n")
        for line in table([WIDTHS[i] for i in width] or WIDTHS, BATCHES, rounds):
            show(line)
    if not part or "exchange" in part:
        show("\n## The exchange alone, between two processes of one machine\n", *exchanges(rounds))
    if not part or "recipes" in part:
        show("\n## When more machines pay\n", *recipes(rounds))
    if write:
        plot(HERE / "scaling.png")
        (HERE / "SCALING.md").write_text(f"# Measured\n\n{machine()}\n\n" + "\n".join(written) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
