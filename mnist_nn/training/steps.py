"""One interface for training steps, taken either by NumPy or by code that Numba compiled."""

from collections.abc import Collection
from typing import Protocol

from ..chapter.activation import Array
from ..chapter.backprop import BackwardPass, Gradient
from ..chapter.cost import COSTS
from ..chapter.network import ForwardPass, Network
from ..chapter.sgd import SGD
from ..configuration.schema import Config
from ..examples.dataset import Batches, Labels
from .numpy_steps import NumpySteps
from .state import optimizer_for


class Steps(Protocol):
    """Takes training steps, in place."""

    def __call__(self, batches: Batches, rows: Labels, velocity: Array, learning_rate: float) -> None:
        """Take one step for each batch of the examples at these rows. The last batch may be smaller."""


def make_steps(config: Config, network: Network, batch_sizes: Collection[int]) -> Steps:
    """Make the steps that a configuration asks for. Raises ConfigError for compiled steps where Numba is missing."""
    gradient = Gradient(network)
    buffers = {m: (ForwardPass.empty(network, m), BackwardPass.empty(network, m, gradient)) for m in batch_sizes}
    cost = COSTS[config.cost]
    if not config.training.compiled:
        return NumpySteps(network, cost, optimizer_for(config.training), buffers)
    from .compiled_steps import CompiledSteps  # Numba is optional, and slow to import

    # Only SGD is compiled; the schema must refuse `compiled` for any other optimizer.
    return CompiledSteps(network, cost, SGD(config.training.momentum, config.training.l2), buffers)
