"""Measure how training scales with threads, processes and machines: `python tests/benchmarks/scaling.py`.

It needs the extras `bench` and `mpi`, an MPI (`pip install mpich`), and two cores. Each trainer of a cell starts anew in
every round, and the rounds go through all trainers in turn. With --write the results go to SCALING.md and scaling.png.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import log2
from pathlib import Path

import click
import numpy as np
from compare import machine
from nn_cli.sharding import WORTHWHILE
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

ABOUT_THE_TABLE = """\
## Two cores

Seconds for an epoch of 50,000 examples (float32, squared error, plain SGD; shuffle, gather, forward, backprop, exchange, step), from the median of
{turns} turns. "Exchange" is its share of the time of two processes, and the bytes are what each of the two sends in a step. The last columns are how many
times as fast two processes are as one thread, and as PyTorch's DDP over gloo in two processes.
"""
ABOUT_THE_EXCHANGE = """
## The exchange alone

Milliseconds to add a vector as long as the parameters over two processes of one machine.
"""
ABOUT_MACHINES = """
## When more machines pay

The time of a step on N machines, by the model t(N) = t(1)/N + 2 · bytes · (N − 1)/N / bandwidth + 2 log₂ N · latency, with the t(1) of one thread measured here
and 100, 30 and 5 µs of latency. It assumes at least 32 examples for each machine, because t(1)/N does not hold for fewer. Each cell has the best number of machines up to 64, and how many times as fast they are as one.
"""
ABOUT_THE_LINK = """
## Two machines, linked by 1 Gbit/s

Two network namespaces of one machine, linked by a virtual cable that lets 1 Gbit/s through. No latency is added: this kernel cannot (it has no netem).
"""


def steps_for(sizes: tuple[int, ...], m: int) -> int:
    """A number of steps that takes about SECONDS on one thread."""
    return max(1, round(SECONDS * 6e10 / flops_per_step(sizes, m)))


def command(name: str, cell: Cell, threads: int = 1) -> list[str]:
    """The command that starts a process of a trainer."""
    worker = str(HERE / "scaling_worker.py")
    return [sys.executable, worker, name, json.dumps(asdict(cell)), str(threads), str(TURNS)]


def measure(name: str, cell: Cell, processes: int, threads: int) -> list[tuple[float, float]]:
    """The seconds of a step, and its seconds in the exchange, for each turn of a trainer that is started anew."""
    parts = command(name, cell, threads)
    if name == "ddp":
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": PORT, "WORLD_SIZE": str(processes)}
        others = [subprocess.Popen(parts, env=os.environ | meeting | {"RANK": str(n)}) for n in range(1, processes)]
        found = run(parts, cell, meeting | {"RANK": "0"})
        for other in others:
            other.wait()
        return found
    return run([*([str(MPIEXEC), "-n", str(processes)] if processes > 1 else []), *parts], cell)


def run(launched: list[str], cell: Cell, environment: dict[str, str] | None = None) -> list[tuple[float, float]]:
    """The seconds of a step, and of its exchange, for each turn that the launched trainer reports."""
    done = subprocess.run(launched, env=os.environ | (environment or {}), capture_output=True, text=True, check=False)
    if not done.stdout.startswith("["):
        raise click.ClickException(f"{' '.join(launched)} did not train: {done.stderr}")
    return [(seconds / cell.steps, exchange / cell.steps) for seconds, exchange in json.loads(done.stdout)]


def table(widths: Sequence[tuple[int, ...]], batches: Sequence[int], rounds: int) -> Iterator[str]:
    """Seconds for an epoch of 50,000 examples, line by line."""
    yield (
        "| network | batch | "
        + " | ".join(TRAINERS)
        + " | exchange | bytes sent | one thread / two processes | DDP / two processes |"
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


def best_number(compute: float, parameters: int, m: int, bandwidth: float, latency: float) -> tuple[int, float]:
    """The fastest number of machines, up to 64, and how many times as fast as one it is."""
    possible = [N for N in (1, 2, 4, 8, 16, 32, 64) if N == 1 or m >= WORTHWHILE * N]
    times = {N: predicted(compute, parameters, N, bandwidth, latency) for N in possible}
    fastest = min(times, key=lambda N: times[N])
    return fastest, times[1] / times[fastest]


def recipes(rounds: int) -> Iterator[str]:
    """For each recipe the bytes and the time of a step, and the number of machines that pays, line by line."""
    yield "| recipe | batch | bytes of ∇C | a step on one thread, ms | " + " | ".join(NETWORKS) + " |"
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
            N, gain = best_number(compute, n, m, bandwidth, latency)
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


def link() -> Iterator[str]:
    """Two processes in two network namespaces, linked by 1 Gbit/s, beside the model's prediction, line by line."""
    ends = [("nn-a", "nn-left", "10.99.0.1/24"), ("nn-b", "nn-right", "10.99.0.2/24")]
    try:
        for space, _, _ in ends:
            ip("netns", "add", space)
        ip("link", "add", "nn-left", "netns", "nn-a", "type", "veth", "peer", "name", "nn-right", "netns", "nn-b")
        for space, device, address in ends:
            ip("-n", space, "addr", "add", address, "dev", device)
            ip("-n", space, "link", "set", "lo", "up")
            ip("-n", space, "link", "set", device, "up")
            limit = ["tbf", "rate", "1gbit", "burst", "256kb", "latency", "100ms"]
            subprocess.run(
                ["ip", "netns", "exec", space, "tc", "qdisc", "add", "dev", device, "root", *limit], check=True
            )

        time.sleep(1)  # until the link is up

        def on_both(name: str, cell: Cell) -> float:
            """The median seconds of a step."""
            processes = [
                ["-n", "1", "ip", "netns", "exec", space, "env", f"UCX_NET_DEVICES={device}", *command(name, cell)]
                for space, device, _ in ends
            ]
            environment = {"MPIR_CVAR_NOLOCAL": "1", "UCX_TLS": "tcp", "UCX_LOG_LEVEL": "error"}
            launched = [str(MPIEXEC), *processes[0], ":", *processes[1]]
            return statistics.median(seconds for seconds, _ in run(launched, cell, environment))

        latency = on_both("exchange", Cell((1, 1), 1, 200)) / 2
        yield f"A message takes {latency * 1e6:.0f} µs.\n"
        yield "| network | batch | one process, s | two, predicted, s | two, measured, s | measured / predicted |"
        yield "|---|---|---|---|---|---|"
        for sizes, m in [(WIDTHS[0], 64), *((WIDTHS[1], m) for m in (64, 1024, 8192)), (WIDTHS[2], 2048)]:
            cell = Cell(sizes, m, min(50, steps_for(sizes, m)))
            alone = statistics.median(seconds for seconds, _ in measure("nn", cell, 1, 1))
            expected = predicted(alone, number_of_parameters(sizes), 2, Gbit, latency)
            found = on_both("shards", cell)
            columns = ["-".join(map(str, sizes)), f"{m:,}", *(f"{s:.4f}" for s in (alone, expected, found))]
            yield f"| {' | '.join(columns)} | {found / expected:.2f} |"
    finally:
        for space, _, _ in ends:
            subprocess.run(["ip", "netns", "delete", space], check=False)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@click.command()
@click.option(
    "--rounds", default=2, show_default=True, type=click.IntRange(1), help="Times that each trainer is started."
)
@click.option("--part", type=click.Choice(["table", "exchange", "recipes", "link"]), multiple=True, help="Only this.")
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
        show(ABOUT_THE_TABLE.format(turns=TURNS * rounds))
        for line in table([WIDTHS[i] for i in width] or WIDTHS, BATCHES, rounds):
            show(line)
    if not part or "exchange" in part:
        show(ABOUT_THE_EXCHANGE, *exchanges(rounds))
    if not part or "recipes" in part:
        show(ABOUT_MACHINES, *recipes(rounds))
        if write:
            show("\n![times as fast as one machine, for three networks and four batch sizes](scaling.png)")
    if "link" in part or (write and not part):
        show(ABOUT_THE_LINK, *link())
    if write:
        plot(HERE / "scaling.png")
        (HERE / "SCALING.md").write_text(f"# Measured\n\n{machine()}\n\n" + "\n".join(written) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
