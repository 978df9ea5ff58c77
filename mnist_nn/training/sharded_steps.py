"""Training steps whose gradient is computed in shards: the same bits on any number of threads and processes."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from ..chapter.activation import Array
from ..chapter.network import Network
from ..examples.dataset import Examples, Labels
from ..examples.shuffling import cut
from .sharded_gradient import ShardedGradient
from .state import Optimizer
from .workers import Workers


class ShardedSteps:
    """Takes training steps with all workers. Threads also share the addition and the step, block by block."""

    def __init__(
        self, network: Network, velocity: Array, optimizer: Optimizer, gradient: ShardedGradient, workers: Workers
    ) -> None:
        self._network, self._velocity, self._optimizer = network, velocity, optimizer
        self._gradient, self._workers = gradient, workers
        self._scratch = np.empty_like(network.parameters) if optimizer.l2 else None

    def __call__(self, examples: Examples, rows: Labels, sizes: Sequence[int], learning_rate: float) -> None:
        """Take one step for each batch. The batches have these sizes, and `rows` are this process's rows of them."""
        network, velocity, optimizer = self._network, self._velocity, self._optimizer
        gradient, workers = self._gradient, self._workers

        def step(block: slice) -> None:
            optimizer.step(network, gradient.value, velocity, learning_rate, self._scratch, block)

        def add_and_step(block: slice) -> None:
            gradient.add_shards(block)
            step(block)

        shares = [cut(m, workers.rank, workers.processes) for m in sizes]
        ends = accumulate((share.stop - share.start for share in shares), initial=0)
        for m, (start, end) in zip(sizes, pairwise(ends), strict=True):
            if workers.processes == 1:
                gradient.backprop(examples, rows[start:end], m, learning_rate)
                workers.run(add_and_step, gradient.blocks)  # while a block is in the cache
            else:
                gradient(examples, rows[start:end], m, learning_rate)
                workers.run(step, gradient.blocks)
