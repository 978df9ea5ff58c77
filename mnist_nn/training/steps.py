"""The steps of training behind one call, whoever takes them: NumPy, or code compiled by Numba."""

from collections.abc import Collection
from typing import Protocol

from ..chapter.activation import Array
from ..chapter.backprop import BackwardPass, Gradient
from ..chapter.cost import COSTS
from ..chapter.network import ForwardPass, Network
from ..configuration.schema import Config
from ..examples.dataset import Batches, Labels
from .numpy_steps import NumpySteps
from .state import optimizer_for


class Steps(Protocol):
    """Takes the steps of training, in place."""

    def __call__(self, batches: Batches, rows: Labels, velocity: Array, learning_rate: float) -> None:
        """Take one step for each batch of the examples at these rows. The last batch may be smaller."""


def make_steps(config: Config, network: Network, batch_sizes: Collection[int]) -> Steps:
    """The steps that a configuration asks for. Raises ConfigError where it asks for compiled steps without Numba."""
    gradient = Gradient(network)
    buffers = {m: (ForwardPass.empty(network, m), BackwardPass.empty(network, m, gradient)) for m in batch_sizes}
    parts = network, COSTS[config.cost], optimizer_for(config.training), buffers
    if not config.training.compiled:
        return NumpySteps(*parts)
    from .compiled_steps import CompiledSteps  # Numba takes a while to import, and is an extra

    return CompiledSteps(*parts)
