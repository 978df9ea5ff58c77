"""Is the gradient right? Nudge parameters and compare what the cost does with what backpropagation says.

The numerical derivative is the five-point central difference

    ∂C/∂θ ≈ [C(θ−2h) − 8 C(θ−h) + 8 C(θ+h) − C(θ+2h)] / 12h        (error of order h⁴)

in float64, from the forward pass alone: it knows nothing of backpropagation.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .activation import Array
from .backprop import Gradient
from .cost import Cost
from .network import ForwardPass, Network, forward

NUDGES = (1e-3, 1e-4, 1e-5, 1e-6)  # h; the first that crosses no kink of a relu
TOLERANCE = 1e-6  # for the relative error
FLOOR = 1e-3  # of the largest |∂C/∂θ|: smaller entries are compared against this much instead of themselves


@dataclass(frozen=True)
class GradientCheck:
    """The outcome; `worst` is (layer, j, k) of the entry with the largest error, k None for a bias."""

    parameters: int
    max_relative_error: float
    worst: tuple[int, int, int | None]

    @property
    def passed(self) -> bool:
        return self.max_relative_error <= TOLERANCE


def check_gradient(
    network: Network, cost: Cost, x: Array, y: Array, gradient: Gradient, indices: Iterable[int] | None = None
) -> GradientCheck:
    """Hold `gradient` against numerical derivatives, for the parameters at `indices` of the vector (or all).

    x (n_0, m) and y (n_L, m) are the batch; network and batch must be float64 (ValueError otherwise). The error
    of an entry is |backprop − numerical| relative to the larger of the two, but at least FLOOR times the largest
    entry of the gradient: a relative error alone would fail right entries that are near zero.
    """
    if network.parameters.dtype != np.float64:
        raise ValueError("gradients are checked in float64; use network.astype(np.float64)")
    nudged = network.astype(np.float64)  # a copy
    passed = ForwardPass.empty(network, x.shape[1])
    indices = range(gradient.vector.size) if indices is None else indices
    derivatives = {index: _derivative(nudged, cost, x, y, index, passed) for index in indices}
    checked, numerical = np.array(list(derivatives)), np.array(list(derivatives.values()))
    analytic = gradient.vector[checked]
    floor = FLOOR * np.nanmax(np.abs(gradient.vector), initial=0.0) + np.finfo(np.float64).tiny
    errors = np.abs(analytic - numerical) / np.maximum(np.maximum(np.abs(analytic), np.abs(numerical)), floor)
    worst = int(errors.argmax())  # NaN counts as the largest
    return GradientCheck(len(checked), float(errors[worst]), locate(network, int(checked[worst])))


def sample_parameters(network: Network, random: np.random.Generator, per_layer: int) -> list[int]:
    """Indices into the parameter vector: up to `per_layer` weights and as many biases of each layer, at random."""
    indices: list[int] = []
    start = 0
    for l in network.layers:
        for size in (network.w[l].size, network.b[l].size):
            drawn = random.choice(size, min(per_layer, size), replace=False)
            indices += (start + np.sort(drawn)).tolist()
            start += size
    return indices


def locate(network: Network, index: int) -> tuple[int, int, int | None]:
    """The (layer, j, k) of an entry of the parameter vector; k is None for a bias."""
    for l in network.layers:
        n, n_prev = network.w[l].shape
        if index < n * n_prev:
            return l, index // n_prev, index % n_prev
        index -= n * n_prev
        if index < n:
            return l, index, None
        index -= n
    raise IndexError("beyond the last parameter")


def _derivative(network: Network, cost: Cost, x: Array, y: Array, index: int, passed: ForwardPass) -> float:
    kinks = [l for l in network.layers if network.activation[l].name == "relu"]
    value = network.parameters[index]

    def nudge_to(theta: float) -> tuple[float, list[bytes]]:
        network.parameters[index] = theta
        with np.errstate(over="ignore"):
            forward(network, x, out=passed)
        C = float(cost.C(passed.a[network.L], y).mean())
        return C, [(passed.z[l] > 0).tobytes() for l in kinks]

    for h in NUDGES:
        costs, sides = zip(*(nudge_to(value + step * h) for step in (-2, -1, 1, 2)), strict=True)
        if all(side == sides[0] for side in sides):
            break
    network.parameters[index] = value
    return float((costs[0] - 8 * costs[1] + 8 * costs[2] - costs[3]) / (12 * h))
