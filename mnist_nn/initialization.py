"""Initial weights and biases, by named scheme.

Weights w_jk^(l) are drawn with a standard deviation (or range) that depends on n_in = n_(l−1) and n_out = n_l;
biases start at 0 unless said otherwise.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from .network import Network

InitName = Literal["standard_normal", "lecun_normal", "glorot_uniform", "he_normal"]


def standard_normal(network: Network, random: np.random.Generator) -> None:
    """Weights and biases N(0, 1), as in Nielsen's network.py (Neural Networks and Deep Learning, chapter 1).

    Drawn in its order, too: all biases, then all weights.
    """
    for l in network.layers:
        network.b[l][:] = random.standard_normal(network.b[l].shape)
    for l in network.layers:
        network.w[l][:] = random.standard_normal(network.w[l].shape)


def lecun_normal(network: Network, random: np.random.Generator) -> None:
    """Weights N(0, 1/n_in) (LeCun, Bottou, Orr, Müller: Efficient BackProp, 1998)."""
    for l in network.layers:
        network.w[l][:] = random.standard_normal(network.w[l].shape) / np.sqrt(network.sizes[l - 1])


def glorot_uniform(network: Network, random: np.random.Generator) -> None:
    """Weights uniform within ±√(6 / (n_in + n_out)) (Glorot and Bengio 2010)."""
    for l in network.layers:
        limit = np.sqrt(6 / (network.sizes[l - 1] + network.sizes[l]))
        network.w[l][:] = random.uniform(-limit, limit, network.w[l].shape)


def he_normal(network: Network, random: np.random.Generator) -> None:
    """Weights N(0, 2/n_in), for relu (He, Zhang, Ren, Sun 2015)."""
    for l in network.layers:
        network.w[l][:] = random.standard_normal(network.w[l].shape) * np.sqrt(2 / network.sizes[l - 1])


SCHEMES: dict[InitName, Callable[[Network, np.random.Generator], None]] = {
    "standard_normal": standard_normal,
    "lecun_normal": lecun_normal,
    "glorot_uniform": glorot_uniform,
    "he_normal": he_normal,
}


def initialize(network: Network, scheme: InitName, random: np.random.Generator) -> None:
    """Fill the network's parameters in place, drawing from `random` in float64 whatever its precision."""
    network.parameters.fill(0)
    SCHEMES[scheme](network, random)
