"""One interface for training steps: taken by NumPy, in shards, or by code that Numba compiled."""

from collections.abc import Sequence
from typing import Protocol

from ..chapter.activation import Array
from ..chapter.backprop import BackwardPass
from ..chapter.cost import COSTS
from ..chapter.network import ForwardPass, Network
from ..configuration.schema import Config
from ..examples.dataset import Batches, Examples, Labels
from .numpy_steps import NumpySteps
from .sharded_gradient import ShardedGradient
from .sharded_steps import ShardedSteps
from .state import optimizer_for
from .workers import Workers


class Steps(Protocol):
    """Takes training steps: changes a network and its velocity in place."""

    def __call__(self, examples: Examples, rows: Labels, sizes: Sequence[int], learning_rate: float) -> None:
        """Take one step for each batch of the examples at these rows.

        `sizes` are the sizes of the batches. All are equal, but the last may be smaller. Where several processes take
        the steps together, `rows` are this process's share of each batch.
        """


def make_steps(
    config: Config, network: Network, velocity: Array, training: Examples, m: int, workers: Workers
) -> Steps:
    """Make the steps that a configuration asks for, with batches of m of the training examples.

    Raises ConfigError for compiled steps where Numba is missing.
    """
    cost, optimizer, shards = COSTS[config.cost], optimizer_for(config.training), config.training.shards or 1
    if shards > 1:
        gradient = ShardedGradient(network, cost, training, m, shards, workers)
        return ShardedSteps(network, velocity, optimizer, gradient, workers)
    into = optimizer.gradient_for(network, velocity)
    sizes = {m, len(training) % m} - {0}
    buffers = {size: (ForwardPass.empty(network, size), BackwardPass.empty(network, size, into)) for size in sizes}
    batches = Batches(training, m, network.parameters.dtype)
    if not config.training.compiled:
        return NumpySteps(network, cost, optimizer, batches, buffers)
    from .compiled_steps import CompiledSteps  # Numba is optional, and slow to import

    # Only SGD is compiled; the schema must refuse `compiled` for any other optimizer.
    return CompiledSteps(network, cost, optimizer, batches, buffers)
