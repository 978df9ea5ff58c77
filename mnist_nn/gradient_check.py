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

NUDGES = (1e-3, 1e-4, 1e-5, 1e-6)  # h, the largest that can be trusted: rounding weighs as 1/h
TOLERANCE = 1e-6  # of the relative error
ROUNDING = 100 * float(np.finfo(np.float64).eps)  # of a cost, relative


@dataclass(frozen=True)
class GradientCheck:
    """The outcome over `parameters` entries; `worst` is (layer, j, k) of the largest error, k None for a bias.

    `skipped` entries could not be judged: at every h a relu changes sides, or the cost bends too much.
    """

    parameters: int
    skipped: int
    max_relative_error: float
    worst: tuple[int, int, int | None] | None

    @property
    def passed(self) -> bool:
        return self.worst is not None and self.max_relative_error <= TOLERANCE


def check_gradient(
    network: Network, cost: Cost, x: Array, y: Array, gradient: Gradient, indices: Iterable[int] | None = None
) -> GradientCheck:
    """Hold `gradient` against numerical derivatives, for the parameters at `indices` of the vector (or all).

    x (n_0, m) and y (n_L, m) are the batch; network and batch must be float64 (ValueError otherwise). The error of
    an entry is |backprop − numerical| relative to the larger of the two, but at least to what rounding in C hides
    at this h: a relative error alone would fail right entries that are near zero.
    """
    if network.parameters.dtype != np.float64:
        raise ValueError("gradients are checked in float64; use network.astype(np.float64)")
    nudged = _Nudged(network, cost, x, y)
    errors: dict[int, float] = {}
    skipped = 0
    for index in range(gradient.vector.size) if indices is None else indices:
        error = _error(float(gradient.vector[index]), nudged, index)
        if error is None:
            skipped += 1
        else:
            errors[index] = error
    if not errors:
        return GradientCheck(0, skipped, 0.0, None)
    worst = list(errors)[int(np.argmax(list(errors.values())))]  # NaN counts as the largest
    return GradientCheck(len(errors), skipped, errors[worst], locate(network, worst))


def _error(analytic: float, nudged: "_Nudged", index: int) -> float | None:
    """The relative error at the first h that can be trusted; None where none can.

    An h can be trusted if no relu changes sides and the next smaller one gives the same derivative. Where the
    analytic one agrees anyway, that need not be asked.
    """
    previous: float | None = None  # the error at the h before
    numerical_before = 0.0
    for h in NUDGES:
        numerical, noise = nudged.derivative(index, h)
        if numerical is None:
            previous = None
            continue
        if previous is not None and abs(numerical - numerical_before) <= noise + TOLERANCE / 10 * abs(numerical):
            return previous
        scale = max(abs(analytic), abs(numerical), noise / TOLERANCE)
        previous = abs(analytic - numerical) / scale
        if previous <= TOLERANCE:
            return previous
        numerical_before = numerical
    return None


class _Nudged:
    """A copy of a network whose parameters can be nudged, and the cost of its batch then."""

    def __init__(self, network: Network, cost: Cost, x: Array, y: Array) -> None:
        self.network, self.cost, self.x, self.y = network.astype(np.float64), cost, x, y
        self.passed = ForwardPass.empty(network, x.shape[1])
        self.kinked = [l for l in network.layers if network.activation[l].name == "relu"]

    def derivative(self, index: int, h: float) -> tuple[float | None, float]:
        """∂C/∂θ by the central difference, None where a relu changes sides; and how much of it may be rounding."""
        value = self.network.parameters[index]
        costs, sides = zip(*(self._cost_at(index, value + step * h) for step in (-2, -1, 1, 2)), strict=True)
        self.network.parameters[index] = value
        noise = ROUNDING * max(map(abs, costs)) / h
        if any(side != sides[0] for side in sides):
            return None, noise
        return (costs[0] - 8 * costs[1] + 8 * costs[2] - costs[3]) / (12 * h), noise

    def _cost_at(self, index: int, theta: float) -> tuple[float, list[bytes]]:
        self.network.parameters[index] = theta
        with np.errstate(over="ignore"):
            z, a = forward(self.network, self.x, out=self.passed).z, self.passed.a
        C = self.cost.of_each(z[self.network.L], a[self.network.L], self.y).mean()
        return float(C), [(z[l] > 0).tobytes() for l in self.kinked]


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
