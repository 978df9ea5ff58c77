"""The steps of training behind one call, by NumPy or compiled by Numba: forward, backprop, step for each mini-batch."""

from collections.abc import Collection
from typing import Protocol

import numpy as np

from ..chapter.activation import Array
from ..chapter.backprop import BackwardPass, Gradient, backprop
from ..chapter.cost import COSTS, Cost
from ..chapter.network import ForwardPass, Network, forward
from ..chapter.sgd import SGD
from ..configuration.schema import Config
from ..examples.dataset import Batches, Labels
from .state import optimizer_for

Buffers = dict[int, tuple[ForwardPass, BackwardPass]]  # by batch size, with one gradient for all


class Steps(Protocol):
    """Takes the steps of training, in place."""

    def __call__(self, batches: Batches, rows: Labels, velocity: Array, learning_rate: float) -> None:
        """Take one step for each batch of the examples at these rows. The last batch may be smaller."""


def make_steps(config: Config, network: Network, batch_sizes: Collection[int]) -> Steps:
    """The steps that a configuration asks for. Raises ConfigError where it asks for compiled ones without Numba."""
    gradient = Gradient(network)
    buffers = {m: (ForwardPass.empty(network, m), BackwardPass.empty(network, m, gradient)) for m in batch_sizes}
    parts = network, COSTS[config.cost], optimizer_for(config.training), buffers
    if not config.training.compiled:
        return NumpySteps(*parts)
    from .compiled import CompiledSteps  # Numba takes a while to import, and is an extra

    return CompiledSteps(*parts)


class NumpySteps:
    """The steps by NumPy. Between `backprop` and the optimizer's step there is nothing but the gradient."""

    def __init__(self, network: Network, cost: Cost, sgd: SGD, buffers: Buffers) -> None:
        self._network, self._cost, self._sgd, self._buffers = network, cost, sgd, buffers
        self._scratch = np.empty_like(network.parameters) if sgd.l2 else None

    def __call__(self, batches: Batches, rows: Labels, velocity: Array, learning_rate: float) -> None:
        network, cost, sgd, scratch = self._network, self._cost, self._sgd, self._scratch
        for x, y in batches.batches(rows):
            forward_pass, backward_pass = self._buffers[x.shape[1]]
            forward(network, x, out=forward_pass)
            backprop(network, cost, forward_pass, y, out=backward_pass, scale=learning_rate)
            sgd.step(network, backward_pass.gradient, velocity, learning_rate, scratch)
