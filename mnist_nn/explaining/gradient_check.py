"""Check a gradient: nudge each parameter, and compare the change of the cost with backpropagation's derivative.

The numerical derivative is the five-point central difference

    ∂C/∂θ ≈ [C(θ−2h) − 8 C(θ−h) + 8 C(θ+h) − C(θ+2h)] / 12h        (error of order h⁴)

in float64. It needs forward passes only, no backpropagation. Nudging w_jk^(l) or b_j^(l) by h changes only one number
of layer l: z_j^(l) changes by h a_k^(l−1) or by h. So all parameters of a neuron are nudged at once, each in its own
columns, and only the numbers that depend on z_j^(l) are computed again.

`differences_over_h` shows for one parameter how the choice of h matters.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ..chapter.activation import Array
from ..chapter.backprop import Gradient
from ..chapter.cost import Cost
from ..chapter.network import Network, forward, require_columns
from .parameter import Parameter

NUDGES = (1e-3, 1e-4, 1e-5, 1e-6)  # values of h, tried from the largest on: rounding errors grow as 1/h
STEPS = np.array([-2.0, -1.0, 1.0, 2.0])  # the four points of the difference, in units of h
TOLERANCE = 1e-6  # largest relative error that passes
ROUNDING = 100 * float(np.finfo(np.float64).eps)  # of a cost, relative
AT_ONCE = 2**16  # numbers in the largest array: half a megabyte, which fits a processor's cache

# The errors that `differences_over_h` allows. RELATIVE is far below any mistake worth finding, and correct derivatives
# stay below it for several h. ABSOLUTE is for derivatives near zero, which would fail by RELATIVE alone: costs near 1
# are rounded to 2e-16. At the best h, near 1e-5, this makes every derivative uncertain by about 1e-11.
RELATIVE = 1e-6
ABSOLUTE = 1e-10


@dataclass(frozen=True)
class GradientCheck:
    """The result of a gradient check. `worst` is the parameter with the largest error.

    `parameters` entries were judged. `skipped` entries could not be judged: at every h a neuron crosses the kink of its
    relu, or the cost curves too much.
    """

    parameters: int
    skipped: int
    max_relative_error: float
    worst: Parameter | None

    @property
    def passed(self) -> bool:
        return self.worst is not None and self.max_relative_error <= TOLERANCE


def check_gradient(
    network: Network,
    cost: Cost,
    x: Array,
    y: Array,
    gradient: Gradient,
    indices: Iterable[int] | None = None,
    report: Callable[[int], object] | None = None,
) -> GradientCheck:
    """Compare `gradient` with numerical derivatives, for the parameters at `indices` of the vector (default: all).

    x (n_0, m) and y (n_L, m) are the batch. Network and batch must be float64 (ValueError otherwise).
    The error of an entry is |backprop − numerical|, divided by the larger of the two. The divisor has a lower limit,
    because rounding errors in C would otherwise fail correct entries near zero.
    `report` is called repeatedly with the number of entries checked since its last call.
    """
    _refuse_misfits(network, cost, x, y, gradient)
    places = {
        index: Parameter.at(network, index) for index in (range(gradient.vector.size) if indices is None else indices)
    }

    def neuron(index: int) -> tuple[int, int]:
        return places[index].layer, places[index].j

    nudged = _Nudged(network, cost, x, y)
    errors: dict[int, float] = {}
    for (l, j), group in groupby(sorted(places, key=neuron), neuron):
        neuron_indices = list(group)
        size = nudged.at_once(l)
        for start in range(0, len(neuron_indices), size):
            entries = neuron_indices[start : start + size]
            dz_dtheta = nudged.dz_dtheta(l, [places[index].k for index in entries])
            judged, error = _errors(gradient.vector[entries], nudged, l, j, dz_dtheta)
            errors.update((entries[i], float(error[i])) for i in np.flatnonzero(judged))
            if report is not None:
                report(len(entries))
    skipped = len(places) - len(errors)
    if not errors:
        return GradientCheck(0, skipped, 0.0, None)
    worst = list(errors)[int(np.argmax(list(errors.values())))]  # NaN counts as the largest
    return GradientCheck(len(errors), skipped, errors[worst], places[worst])


@np.errstate(over="ignore", invalid="ignore")  # an infinite cost gives a derivative of NaN, never confirmed
def _errors(analytic: Array, nudged: "_Nudged", l: int, j: int, dz_dtheta: Array) -> tuple[NDArray[np.bool_], Array]:
    """Which of K parameters of neuron j can be judged, and their relative errors at the largest h that can be trusted.

    An h can be trusted if no relu crosses its kink and the next smaller h gives the same derivative. If the analytic
    derivative already agrees, no smaller h is tried. Shapes: analytic (K,), dz_dtheta (K, m), both results (K,).
    """
    judged = np.zeros(analytic.shape, np.bool_)
    previous, error = np.full((2, *analytic.shape), np.nan)  # at the previous h; NaN where it could not be computed
    for h in NUDGES:
        left = np.flatnonzero(~judged)
        if left.size == 0:
            break
        numerical, noise = nudged.derivative(l, j, dz_dtheta[left], h)
        confirmed = np.abs(numerical - previous[left]) <= noise + TOLERANCE / 10 * np.abs(numerical)
        least = noise / TOLERANCE + np.finfo(np.float64).tiny  # not 0 where C is 0
        scale = np.maximum.reduce([np.abs(analytic[left]), np.abs(numerical), least])
        error[left] = np.where(confirmed, error[left], np.abs(analytic[left] - numerical) / scale)
        judged[left] = confirmed | (error[left] <= TOLERANCE)
        previous[left] = numerical
    return judged, error


class _Nudged:
    """Computes how the cost of a batch changes when parameters of one neuron are nudged.

    z[l] and a[l] are the results of the forward pass without a nudge. Their shape is (n_l, 1, 1, m), so that they
    combine with nudged values of shape (n_l, s, K, m): s steps of K parameters at once.
    """

    def __init__(self, network: Network, cost: Cost, x: Array, y: Array) -> None:
        self.network, self.cost, self.y = network, cost, y[:, None, None]
        passed = forward(network, x)
        self.z = {l: z[:, None, None] for l, z in passed.z.items()}
        self.a = {l: a[:, None, None] for l, a in passed.a.items()}

    def at_once(self, l: int) -> int:
        """The number of parameters of a neuron in layer l that can be nudged at once within AT_ONCE."""
        widest = max(self.network.sizes[min(l + 1, self.network.L) :])
        of_one: int = widest * STEPS.size * self.y.shape[-1]
        return max(1, AT_ONCE // of_one)

    def dz_dtheta(self, l: int, inputs: list[int | None]) -> Array:
        """∂z_j/∂θ of K parameters, shape (K, m): a_k^(l−1) for each k in `inputs`, and 1 for None, the bias."""
        ones = np.ones(self.y.shape[-1])
        return np.array([ones if k is None else self.a[l - 1][k, 0, 0] for k in inputs])

    def derivative(self, l: int, j: int, dz_dtheta: Array, h: float) -> tuple[Array, Array]:
        """The numerical ∂C/∂θ of K parameters of neuron j, and an estimate of its rounding error.

        The derivative is NaN where a relu crosses its kink. dz_dtheta has shape (K, m), both results (K,).
        """
        C, kinked = self._costs(l, j, np.multiply.outer(STEPS * h, dz_dtheta))
        numerical = (C[0] - 8 * C[1] + 8 * C[2] - C[3]) / (12 * h)
        return np.where(kinked, np.nan, numerical), ROUNDING * np.abs(C).max(axis=0) / h

    def _costs(self, layer: int, j: int, dz_j: Array) -> tuple[Array, NDArray[np.bool_]]:
        """The costs when z_j of a layer changes by dz_j, and for which of the K parameters a relu crosses its kink.

        Shapes: dz_j (s, K, m), costs (s, K), crossings (K,). As z^(l+1) = w^(l+1) a^(l) + b^(l+1), z^(l+1) changes by
        w^(l+1) times the change of a^(l). In the nudged layer only neuron j changes.
        """
        network, L = self.network, self.network.L
        reached: list[int] | slice = [j]  # the neurons of layer l that change
        dz = dz_j[None]
        if layer == L:  # the cost needs all outputs, changed or not
            reached, dz = slice(None), np.multiply.outer(np.arange(network.sizes[L]) == j, dz_j)
        kinked = np.zeros(dz_j.shape[1], np.bool_)
        for l in range(layer, L + 1):
            z = self.z[l][reached] + dz
            a = network.activation[l].sigma(z, np.empty_like(z))
            if network.activation[l].has_kink:
                kinked |= ((z > 0) != (z[:, :1] > 0)).any(axis=(0, 1, 3))
            if l < L:
                dz = np.tensordot(network.w[l + 1][:, reached], a - self.a[l][reached], axes=1)
                reached = slice(None)
        return self.cost.per_example(z, a, self.y).mean(axis=-1), kinked


@dataclass(frozen=True)
class Difference:
    """The central difference [C(θ+h) − C(θ−h)] / 2h for one h, compared with backpropagation's derivative.

    `error` is |derivative − backprop|. `passed` means that the error is at most ABSOLUTE + RELATIVE times the larger of
    the two.
    """

    h: float
    derivative: float
    error: float
    passed: bool


def differences_over_h(
    network: Network, cost: Cost, x: Array, y: Array, gradient: Gradient, parameter: Parameter
) -> list[Difference]:
    """The central difference ∂C/∂θ ≈ [C(θ+h) − C(θ−h)] / 2h of one parameter for h = 1, 0.1, …, 1e-12.

    x (n_0, m) and y (n_L, m) are the batch. All must be float64 (ValueError otherwise).
    With a large h the cost curves between the two points, which makes an error that falls as h². With a small h,
    C(θ+h) and C(θ−h) differ only in their last digits, and rounding makes an error that rises as 1/h.
    """
    _refuse_misfits(network, cost, x, y, gradient)
    index = parameter.index(network)
    nudged, theta = network.astype(np.float64), float(network.parameters[index])
    backprop = float(gradient.vector[index])

    def C(theta: float) -> float:
        nudged.parameters[index] = theta
        passed = forward(nudged, x)
        return float(cost.per_example(passed.z[nudged.L], passed.a[nudged.L], y).mean())

    differences = []
    for h in (10.0**-power for power in range(13)):
        derivative = (C(theta + h) - C(theta - h)) / (2 * h)
        error = abs(derivative - backprop)
        allowed = ABSOLUTE + RELATIVE * max(abs(derivative), abs(backprop))
        differences.append(Difference(h, derivative, error, error <= allowed))
    return differences


def _refuse_misfits(network: Network, cost: Cost, x: Array, y: Array, gradient: Gradient) -> None:
    if network.parameters.dtype != np.float64:
        raise ValueError("gradients are checked in float64; use network.astype(np.float64)")
    cost.refuse_other_output(network.activation[network.L])
    require_columns("x", x, network, network.sizes[0])
    require_columns("y", y, network, network.sizes[-1], x.shape[1])
    if gradient.vector.shape != network.parameters.shape:
        raise ValueError(
            f"a gradient of shape {gradient.vector.shape} does not fit parameters of shape {network.parameters.shape}"
        )


def sample_parameters(network: Network, random: np.random.Generator, per_layer: int) -> list[int]:
    """Random indices into the parameter vector: up to `per_layer` weights and as many biases of each layer."""
    indices: list[int] = []
    start = 0
    for l in network.layers:
        for size in (network.w[l].size, network.b[l].size):
            drawn = random.choice(size, min(per_layer, size), replace=False)
            indices += (start + np.sort(drawn)).tolist()
            start += size
    return indices
