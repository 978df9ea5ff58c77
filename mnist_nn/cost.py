"""Cost functions C_k of one example, each directly above its derivative ∂C_k/∂a^(L).

`a` (the output layer) and `y` (the desired output) have shape (n_L, m), one example per column. The cost of
a batch is the average of its columns: C = (1/m) Σ_k C_k.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from .activation import Array

CostName = Literal["squared_error", "cross_entropy"]


def squared_error(a: Array, y: Array) -> Array:
    """C_k = Σ_j (a_j − y_j)², the chapter's cost, without a factor ½. Returns shape (m,)."""
    difference = a - y
    C: Array = np.sum(difference * difference, axis=0)
    return C


def squared_error_dC_da(a: Array, y: Array, out: Array) -> Array:
    """∂C_k/∂a_j = 2 (a_j − y_j). Returns `out`, shape (n_L, m)."""
    np.subtract(a, y, out)
    return np.add(out, out, out)


def cross_entropy(z: Array, y: Array) -> Array:
    """C_k = −Σ_j [y_j ln a_j + (1 − y_j) ln(1 − a_j)] with a = σ(z), the sigmoid. Returns shape (m,).

    Computed from z, as −ln a = max(−z, 0) + ln(1 + e^(−|z|)) and −ln(1 − a) = max(z, 0) + ln(1 + e^(−|z|)): where a
    rounds to 0 or 1, its own logarithm is lost.
    """
    terms = y * np.maximum(-z, 0) + (1 - y) * np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    C: Array = np.sum(terms, axis=0)
    return C


def cross_entropy_dC_da(a: Array, y: Array, out: Array) -> Array:
    """∂C_k/∂a_j = (a_j − y_j) / (a_j (1 − a_j)). Returns `out`, shape (n_L, m)."""
    tiny = np.finfo(a.dtype).tiny
    np.multiply(a, 1 - a, out)
    np.maximum(out, tiny, out=out)
    return np.divide(a - y, out, out)


def cross_entropy_dC_dz(a: Array, y: Array, out: Array) -> Array:
    """∂C_k/∂z_j = σ′(z_j) ∂C_k/∂a_j = a_j − y_j: the a_j (1 − a_j) of σ′ cancels. Returns `out`, (n_L, m)."""
    return np.subtract(a, y, out)


class Cost(NamedTuple):
    """A cost and its derivatives.

    `C` is a function of (a, y); or of (z, y) where `dC_dz` is given: there σ′ of a sigmoid output cancels against
    ∂C_k/∂a, and the product of these two factors would be 0 · ∞ for a saturated neuron.
    """

    name: CostName
    C: Callable[[Array, Array], Array]
    dC_da: Callable[[Array, Array, Array], Array]
    dC_dz: Callable[[Array, Array, Array], Array] | None = None

    def of_each(self, z: Array, a: Array, y: Array) -> Array:
        """C_k of each example, shape (m,), from the output layer's z and a and the desired y, each (n_L, m)."""
        return self.C(a, y) if self.dC_dz is None else self.C(z, y)


COSTS: dict[CostName, Cost] = {
    "squared_error": Cost("squared_error", squared_error, squared_error_dC_da),
    "cross_entropy": Cost("cross_entropy", cross_entropy, cross_entropy_dC_da, cross_entropy_dC_dz),
}
