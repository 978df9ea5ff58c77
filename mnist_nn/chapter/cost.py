"""Cost functions C_k of one example, each directly above its derivative ∂C_k/∂a^(L).

`z`, `a` and the desired outputs `y` belong to the output layer. They have shape (n_L, m): n_L neurons, and one column
for each of m examples. The cost of a batch is the average over its examples: C = (1/m) Σ_k C_k.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from .activation import Activation, ActivationName, Array

CostName = Literal["squared_error", "cross_entropy"]


def squared_error(z: Array, a: Array, y: Array) -> Array:
    """C_k = Σ_j (a_j − y_j)² of each example, shape (m,): the chapter's cost, without a factor ½."""
    difference = a - y
    C: Array = np.sum(difference * difference, axis=0)
    return C


def squared_error_dC_da(a: Array, y: Array, out: Array) -> Array:
    """∂C_k/∂a_j = 2 (a_j − y_j). Returns `out`, shape (n_L, m)."""
    np.subtract(a, y, out)
    return np.add(out, out, out)


def cross_entropy(z: Array, a: Array, y: Array) -> Array:
    """C_k = −Σ_j [y_j ln a_j + (1 − y_j) ln(1 − a_j)] of each example, shape (m,), where a = σ(z) is the sigmoid.

    C_k is computed from z, because ln a and ln(1 − a) lose their digits where a rounds to 0 or 1. For the
    sigmoid −ln a = max(−z, 0) + ln(1 + e^(−|z|)), and −ln(1 − a) = max(z, 0) + ln(1 + e^(−|z|)).
    """
    terms = y * np.maximum(-z, 0) + (1 - y) * np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    C: Array = np.sum(terms, axis=0)
    return C


def cross_entropy_dC_da(a: Array, y: Array, out: Array) -> Array:
    """∂C_k/∂a_j = (a_j − y_j) / (a_j (1 − a_j)). Returns `out`, shape (n_L, m)."""
    tiny = np.finfo(a.dtype).tiny
    np.multiply(a, 1 - a, out)
    np.maximum(out, tiny, out=out)  # where a rounds to 0 or 1, divide by the smallest float and not by 0
    return np.divide(a - y, out, out)


def cross_entropy_dC_dz(a: Array, y: Array, out: Array) -> Array:
    """∂C_k/∂z_j = σ′(z_j) ∂C_k/∂a_j = a_j − y_j: the a_j (1 − a_j) of σ′ cancels. Returns `out`, (n_L, m)."""
    return np.subtract(a, y, out)


class Cost(NamedTuple):
    """A cost and its derivatives.

    `per_example(z, a, y)` gives C_k of each example, and `dC_da(a, y, out)` gives ∂C_k/∂a. `dC_dz(a, y, out)` gives
    ∂C_k/∂z in one formula, for a cost in which σ′ cancels. (Where a rounds to 0 or 1, σ′ · ∂C_k/∂a would be 0 · ∞.)
    A cost with `dC_dz` fits only one activation of the output layer, named by `output`.
    """

    name: CostName
    per_example: Callable[[Array, Array, Array], Array]
    dC_da: Callable[[Array, Array, Array], Array]
    dC_dz: Callable[[Array, Array, Array], Array] | None = None
    output: ActivationName | None = None

    def refuse_other_output(self, activation: Activation) -> None:
        """Raise ValueError for an output layer whose activation this cost does not fit."""
        if self.output is not None and activation.name != self.output:
            raise ValueError(f"{self.name} needs {self.output} outputs, not {activation.name}: choose another cost")


COSTS: dict[CostName, Cost] = {
    "squared_error": Cost("squared_error", squared_error, squared_error_dC_da),
    "cross_entropy": Cost(
        "cross_entropy", cross_entropy, cross_entropy_dC_da, dC_dz=cross_entropy_dC_dz, output="sigmoid"
    ),
}
