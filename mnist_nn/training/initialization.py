"""Initial weights and biases, by named scheme.

Weights w_jk^(l) are drawn with a standard deviation (or range) that depends on n_in = n_(l−1) and n_out = n_l;
biases start at 0 unless said otherwise.
"""

from collections.abc import Callable

import numpy as np

from ..chapter.activation import Array
from ..chapter.network import Network
from ..configuration.schema import InitName


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


def centred(network: Network, random: np.random.Generator) -> None:
    """Hidden z begin around 0, alike in every layer whatever σ is, and outputs at the base rate 1/n_L (one output: ½).

    With inputs of mean square 1 the variance of z is 1; pixels of digits have about 0.1, and z begins smaller.
    A neuron a = σ(z) whose z is N(0, 1) lies around σ(0), at a mean square distance s² = E[(σ(z) − σ(0))²]. So
    the layer above gets weights N(0, 1/(n_in s²)), for relu He's 2/n_in, and biases −σ(0) Σ_k w_jk, which take
    away what the σ(0) of all its inputs add up to: −½ Σ_k w_jk below a sigmoid. The first layer and the last
    have weights N(0, 1/n_in); to the last one's biases σ⁻¹(1/n_L) is added. Outputs that begin at ½ are nine
    times out of ten wrong by as much, and the first steps may drive all of them to 0, where σ′ leaves no way back.
    """
    lecun_normal(network, random)
    for l in network.layers[1:]:
        centre, s = _centre_and_spread(network.activation[l - 1].sigma)
        if l < network.L:
            network.w[l][:] /= s
        network.b[l][:] = -centre * network.w[l].sum(axis=1, keepdims=True)
    base_rate = 1 / max(network.sizes[-1], 2)
    network.b[network.L][:] += network.activation[network.L].inverse(base_rate)


def _centre_and_spread(sigma: Callable[[Array, Array], Array]) -> tuple[float, float]:
    """σ(0), and the root of E[(σ(z) − σ(0))²] for z of N(0, 1)."""
    z, probability = np.polynomial.hermite_e.hermegauss(100)  # quadrature by Gauss and Hermite
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
    """Fill the network's parameters in place, drawing from `random` in float64 whatever its precision."""
    network.parameters.fill(0)
    SCHEMES[scheme](network, random)
