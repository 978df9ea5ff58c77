"""The steps of training by NumPy: forward, backprop, step for each mini-batch."""

import numpy as np

from ..chapter.activation import Array
from ..chapter.backprop import BackwardPass, backprop
from ..chapter.cost import Cost
from ..chapter.network import ForwardPass, Network, forward
from ..chapter.sgd import SGD
from ..examples.dataset import Batches, Labels

Buffers = dict[int, tuple[ForwardPass, BackwardPass]]  # by batch size, with one gradient for all


class NumpySteps:
    """The steps by NumPy. Between `backprop` and the optimizer's step there is nothing but the gradient."""

    def __init__(self, network: Network, cost: Cost, sgd: SGD, buffers: Buffers) -> None:
        self._network, self._cost, self._sgd, self._buffers = network, cost, sgd, buffers
        self._scratch = np.empty_like(network.parameters) if sgd.l2 else None

    def __call__(self, batches: Batches, rows: Labels, velocity: Array, learning_rate: float) -> None:
        """Take one step for each batch of the examples at these rows. The last batch may be smaller."""
        network, cost, sgd, scratch = self._network, self._cost, self._sgd, self._scratch
        for x, y in batches.batches(rows):
            forward_pass, backward_pass = self._buffers[x.shape[1]]
            forward(network, x, out=forward_pass)
            backprop(network, cost, forward_pass, y, out=backward_pass, scale=learning_rate)
            sgd.step(network, backward_pass.gradient, velocity, learning_rate, scratch)
