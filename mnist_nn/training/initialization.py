"""Initial weights and biases, by named scheme.

Weights w_jk^(l) are drawn with a standard deviation (or range) that depends on n_in = n_(l−1) and n_out = n_l.
Biases start at 0 unless a scheme says otherwise.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from ..chapter.activation import Array
from ..chapter.network import Network
from ..configuration.schema import InitName


def standard_normal(network: Network, random: np.random.Generator) -> None:
    """Weights and biases N(0, 1), as in Nielsen's network.py (Neural Networks and Deep Learning, chapter 1).

    They are drawn in the same order as there: all biases, then all weights.
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


def centred(network: Network, random: np.random.Generator) -> None:
    """Start z around 0 with equal spread in every hidden layer, and outputs at the base rate 1/n_L (one output: ½).

    First layer: weights N(0, 1/n_in). Inputs of mean square 1 then give z of variance 1. (Pixels of digits have a mean
    square of about 0.1, so z starts smaller.)

    Hidden layers above: if z is N(0, 1), a = σ(z) lies around σ(0), at a mean square distance s² = E[(σ(z) − σ(0))²].
    So the next layer gets weights N(0, 1/(n_in s²)); for relu this is He's 2/n_in. Its biases −σ(0) Σ_k w_jk cancel the
    part of z that comes from σ(0). With sigmoid neurons below, they are −½ Σ_k w_jk.

    Last layer: weights N(0, 1/n_in), biases −σ(0) Σ_k w_jk + σ⁻¹(1/n_L). Outputs that start at ½ would be too large by
    ½ nine times out of ten. The first steps might then drive all outputs to 0, where σ′ is too small to return.
    """
    lecun_normal(network, random)
    for l in network.layers[1:]:
        centre, s = _centre_and_spread(network.activation[l - 1].sigma)
        if l < network.L:
            network.w[l][:] /= s
        network.b[l][:] = -centre * network.w[l].sum(axis=1, keepdims=True)
    base_rate = 1 / max(network.sizes[-1], 2)
    network.b[network.L][:] += network.activation[network.L].inverse(base_rate)


@cache
def _centre_and_spread(sigma: Callable[[Array, Array], Array]) -> tuple[float, float]:
    """σ(0), and the square root of E[(σ(z) − σ(0))²] where z is N(0, 1)."""
    z, probability = np.polynomial.hermite_e.hermegauss(100)  # Gauss-Hermite quadrature
    a, centre = sigma(z, np.empty_like(z)), float(sigma(np.zeros(1), np.empty(1))[0])
    return centre, float(np.sqrt(np.average((a - centre) ** 2, weights=probability)))


SCHEMES: dict[InitName, Callable[[Network, np.random.Generator], None]] = {
    "standard_normal": standard_normal,
    "lecun_normal": lecun_normal,
    "glorot_uniform": glorot_uniform,
    "he_normal": he_normal,
    "centred": centred,
}


def initialize(network: Network, scheme: InitName, random: np.random.Generator) -> None:
    """Fill the network's parameters in place. Random numbers are drawn in float64, whatever the network's dtype."""
    network.parameters.fill(0)
    SCHEMES[scheme](network, random)
