"""One trainer in a separate process: `worker.py NAME CELL-AS-JSON THREADS`.

For each line on stdin it trains once and answers with the seconds. Every trainer does the same: float32, squared error
Σ (a − y)² averaged over the batch, sigmoid layers, and plain SGD. The examples are shuffled each time, and nothing is
evaluated. Each function notes its differences.
"""

import json
import os
import sys
import time
from itertools import pairwise
from typing import Any

import numpy as np
from work import LEARNING_RATE, Cell, Run, config, digits, floor, nn


def nn_trainer(cell: Cell, threads: int, compiled: bool = False) -> Run:
    """`nn`, with the number of threads that `nn train` would choose."""
    from nn_cli.machine import kernels
    from threadpoolctl import threadpool_limits

    from mnist_nn.training.threads import threads_for

    run = nn(cell, *digits(), compiled)  # this loads the BLAS, so that it can be limited
    threadpool_limits(threads_for(config(cell), threads, kernels()), user_api="blas")
    return run


def compiled_trainer(cell: Cell, threads: int) -> Run:
    """`nn` with `training.compiled`."""
    from nn_cli.machine import load_compiler

    load_compiler()
    return nn_trainer(cell, threads, compiled=True)


def floor_trainer(cell: Cell, threads: int) -> Run:
    return floor(cell)


def floats(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """All inputs as floats, for the peers. This saves them the conversion and takes 188 MB."""
    images, labels = digits()
    x = images.reshape(len(images), -1).astype(np.float32) / 255
    return x, np.eye(cell.sizes[-1], dtype=np.float32)[labels]


def torch_trainer(cell: Cell, threads: int) -> Run:
    """PyTorch in eager mode, as in its tutorials."""
    import torch

    torch.set_num_threads(threads)
    layers: list[torch.nn.Module] = []
    for n_prev, n in pairwise(cell.sizes):
        layers += [torch.nn.Linear(n_prev, n), torch.nn.Sigmoid()]
    network = torch.nn.Sequential(*layers)
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    x, y = map(torch.from_numpy, floats(cell))

    def run(steps: int) -> None:
        order = torch.randperm(len(x))
        for step in range(steps):
            rows = order[step * cell.m : (step + 1) * cell.m]
            optimizer.zero_grad()
            loss = ((network(x[rows]) - y[rows]) ** 2).sum(1).mean()
            loss.backward()
            optimizer.step()

    return run


def jax_trainer(cell: Cell, threads: int) -> Run:
    """JAX: all steps of a run in one compiled `lax.scan`, which reuses the parameters' memory."""
    from functools import partial

    import jax
    import jax.numpy as jnp

    x, y = map(jnp.asarray, floats(cell))
    random = np.random.default_rng(1)
    parameters = [
        (jnp.asarray(random.normal(0, n_prev**-0.5, (n_prev, n)), jnp.float32), jnp.zeros(n))
        for n_prev, n in pairwise(cell.sizes)
    ]

    def cost(parameters: Any, x: Any, y: Any) -> Any:
        for w, b in parameters:
            x = jax.nn.sigmoid(x @ w + b)
        return ((x - y) ** 2).sum(1).mean()

    @partial(jax.jit, donate_argnums=0)
    def train(parameters: Any, batches: Any) -> Any:
        def step(parameters: Any, rows: Any) -> Any:
            gradient = jax.grad(cost)(parameters, x[rows], y[rows])
            return jax.tree.map(lambda p, g: p - LEARNING_RATE * g, parameters, gradient), None

        return jax.lax.scan(step, parameters, batches)[0]

    def run(steps: int) -> None:
        nonlocal parameters
        order = random.permutation(len(x))[: steps * cell.m].reshape(steps, cell.m)
        parameters = jax.block_until_ready(train(parameters, jnp.asarray(order)))

    return run


def sklearn_trainer(cell: Cell, threads: int) -> Run:
    """scikit-learn's MLPRegressor, because it has the squared error. Linear outputs save it a little work."""
    from sklearn.neural_network import MLPRegressor

    x, y = floats(cell)
    model = MLPRegressor(
        hidden_layer_sizes=cell.sizes[1:-1], activation="logistic", solver="sgd", alpha=0, momentum=0, nesterovs_momentum=False,
        batch_size=cell.m, learning_rate_init=0.01,
    )  # fmt: skip

    def run(steps: int) -> None:
        model.partial_fit(x[: steps * cell.m], y[: steps * cell.m])  # one epoch over these examples, shuffled

    return run


TRAINERS = {
    "nn": nn_trainer,
    "compiled": compiled_trainer,
    "floor": floor_trainer,
    "jax": jax_trainer,
    "torch": torch_trainer,
    "sklearn": sklearn_trainer,
}


def main() -> None:
    name, threads = sys.argv[1], int(sys.argv[3])
    if hasattr(os, "sched_setaffinity"):  # every trainer obeys this limit; the first core handles interrupts
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    cell = Cell(**json.loads(sys.argv[2]))
    with np.errstate(all="ignore"):
        run = TRAINERS[name](cell, threads)
        run(cell.steps)  # to compile, and to warm up the caches
        print("ready", flush=True)
        for _ in sys.stdin:
            start = time.perf_counter()
            run(cell.steps)
            print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
