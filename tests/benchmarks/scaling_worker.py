"""One trainer of the scaling benchmark, in one process or in several: `scaling_worker.py NAME CELL-AS-JSON THREADS TURNS`.

Process 0 prints a JSON list with an entry for each turn: the seconds of the cell's steps, and the seconds of these that
were spent in the exchange. All trainers train float32, with the squared error averaged over the batch, sigmoid layers
and plain SGD.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits
from work import LEARNING_RATE, Cell, digits

Turn = Callable[[], tuple[float, float]]
EXAMPLES = 20_000


def nn_trainer(cell: Cell, threads: int, shards: int) -> tuple[int, Turn]:
    """`nn`, under `mpiexec` or alone. With one shard the threads are the BLAS's."""
    from nn_cli.launcher import launched

    from mnist_nn import Config, Examples, initial_state
    from mnist_nn.examples.shuffling import Shuffling
    from mnist_nn.training.loop import Loop
    from mnist_nn.training.workers import Workers

    workers = Workers()
    if launched().processes > 1:
        from nn_cli.mpi import MPIWorkers

        workers = MPIWorkers()
    threadpool_limits(threads if shards == 1 else 1, user_api="blas")
    workers.use_threads(1 if shards == 1 else threads)
    training = {"batch_size": cell.m, "learning_rate": LEARNING_RATE, "shards": shards}
    config = Config.model_validate({"network": {"sizes": list(cell.sizes)}, "training": training})
    state, examples = initial_state(config), Examples.from_labels(*digits(EXAMPLES), cell.sizes[-1])
    loop, exchanging, add = Loop(config, state, examples, workers), [0.0], workers.add

    def timed_add(vector: Any) -> None:
        start = time.perf_counter()
        add(vector)
        exchanging[0] += time.perf_counter() - start

    workers.add = timed_add  # type: ignore[method-assign]
    shuffling = Shuffling(0, EXAMPLES, cell.m, cell.steps, workers.rank, workers.processes)
    slices = shuffling.slices(epochs=10**6)

    def turn() -> tuple[float, float]:
        workers.gather(None)  # all begin together
        exchanging[0], start, left = 0.0, time.perf_counter(), cell.steps
        while left > 0:
            part = next(slices)
            loop.run(part, examples, part.rows, LEARNING_RATE)
            left -= part.last - part.first
        return (time.perf_counter() - start) / (cell.steps - left) * cell.steps, exchanging[0]

    return workers.rank, turn


def ddp_trainer(cell: Cell, threads: int) -> tuple[int, Turn]:
    """PyTorch's DistributedDataParallel over gloo, in as many processes as WORLD_SIZE says. Inputs are floats."""
    import torch
    from torch import distributed

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    distributed.init_process_group("gloo")
    rank, processes = distributed.get_rank(), distributed.get_world_size()
    layers: list[torch.nn.Module] = []
    for n_prev, n in pairwise(cell.sizes):
        layers += [torch.nn.Linear(n_prev, n), torch.nn.Sigmoid()]
    network = torch.nn.parallel.DistributedDataParallel(torch.nn.Sequential(*layers))
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    images, labels = digits(EXAMPLES)
    x = torch.from_numpy(images.reshape(EXAMPLES, -1).astype(np.float32) / 255)
    y = torch.from_numpy(np.eye(cell.sizes[-1], dtype=np.float32)[labels])

    def turn() -> tuple[float, float]:
        order = torch.randperm(EXAMPLES)
        distributed.barrier()
        start = time.perf_counter()
        for step in range(cell.steps):
            first = step * cell.m % (EXAMPLES - cell.m + 1)
            rows = order[first : first + cell.m].tensor_split(processes)[rank]
            optimizer.zero_grad()
            loss = ((network(x[rows]) - y[rows]) ** 2).sum(1).mean()
            loss.backward()
            optimizer.step()
        return time.perf_counter() - start, 0.0

    return rank, turn


def exchange(cell: Cell, own: bool) -> tuple[int, Turn]:
    """The exchange alone, of a vector as long as the parameters: `nn`'s, or MPI's Allreduce, as many times as steps."""
    from mpi4py import MPI
    from nn_cli.mpi import MPIWorkers

    from mnist_nn.chapter.network import aligned_zeros, number_of_parameters

    workers, vector = MPIWorkers(), aligned_zeros(number_of_parameters(cell.sizes), np.float32)

    def turn() -> tuple[float, float]:
        MPI.COMM_WORLD.Barrier()
        start = time.perf_counter()
        for _ in range(cell.steps):
            if own:
                workers.add(vector)
            else:
                MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, vector)
        return (seconds := time.perf_counter() - start), seconds

    return workers.rank, turn


def main() -> None:
    name, cell, threads, turns = sys.argv[1], Cell(**json.loads(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4])
    trainers: dict[str, Callable[[], tuple[int, Turn]]] = {
        "nn": lambda: nn_trainer(cell, threads, shards=1),
        "shards": lambda: nn_trainer(cell, threads, shards=2),
        "ddp": lambda: ddp_trainer(cell, threads),
        "exchange": lambda: exchange(cell, own=True),
        "allreduce": lambda: exchange(cell, own=False),
    }
    rank, turn = trainers[name]()
    turn()  # to warm up
    measured = [turn() for _ in range(turns)]
    if rank == 0:
        print(json.dumps(measured), flush=True)
    if name == "ddp":
        os._exit(0)  # gloo's threads would hold the process for a while


if __name__ == "__main__":
    main()
