"""Training steps with NumPy and SciPy's BLAS: forward, then backprop and the step, for each mini-batch."""

from collections.abc import Sequence

import numpy as np

from ..chapter.backprop import BackwardPass
from ..chapter.cost import Cost
from ..chapter.network import ForwardPass, Network, forward
from ..examples.dataset import Batches, Examples, Labels
from .state import Optimizer

Buffers = dict[int, tuple[ForwardPass, BackwardPass]]  # keyed by batch size; all share one gradient


class NumpySteps:
    """Takes training steps with NumPy. `buffers` has the gradient that the optimizer needs (`gradient_for`)."""

    def __init__(self, network: Network, cost: Cost, optimizer: Optimizer, batches: Batches, buffers: Buffers) -> None:
        self._network, self._cost, self._optimizer = network, cost, optimizer
        self._batches, self._buffers = batches, buffers
        self._scratch = np.empty_like(network.parameters) if optimizer.l2 else None

    def __call__(self, examples: Examples, rows: Labels, sizes: Sequence[int], learning_rate: float) -> None:
        """Take one step for each batch of the examples at these rows. The last batch may be smaller."""
        network, cost, optimizer, scratch = self._network, self._cost, self._optimizer, self._scratch
        self._batches.examples = examples
        for x, y in self._batches.batches(rows):
            forward_pass, backward_pass = self._buffers[x.shape[1]]
            forward(network, x, out=forward_pass)
            optimizer.backprop_and_step(network, cost, forward_pass, y, backward_pass, learning_rate, scratch)
