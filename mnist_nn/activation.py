"""Activation functions a = σ(z), each directly above its derivative ∂a/∂z = σ′(z).

Every σ′ is written in terms of a = σ(z), which the forward pass has already computed; its argument is
therefore called `a`. All functions take any shape, write into `out` and return it.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

# As arrays, which NumPy takes up a third of a microsecond faster than Python's 1 and 0.
ONE, ZERO = np.ones((), np.float32), np.zeros((), np.float32)

ActivationName = Literal["sigmoid", "tanh", "relu", "identity"]


def sigmoid(z: Array, out: Array) -> Array:
    """σ(z) = 1 / (1 + e^(−z)).

    Below z ≈ −88 (float32) e^(−z) overflows to infinity and σ to 0, its limit; NumPy calls that an overflow.
    """
    np.negative(z, out)
    np.exp(out, out)
    np.add(out, ONE, out)
    return np.reciprocal(out, out)


def sigmoid_prime(a: Array, out: Array) -> Array:
    """σ′(z) = σ(z) (1 − σ(z)) = a (1 − a)."""
    np.subtract(ONE, a, out)
    return np.multiply(out, a, out)


def tanh(z: Array, out: Array) -> Array:
    """σ(z) = tanh z."""
    return np.tanh(z, out)


def tanh_prime(a: Array, out: Array) -> Array:
    """σ′(z) = 1 − tanh² z = 1 − a²."""
    np.multiply(a, a, out)
    return np.subtract(ONE, out, out)


def relu(z: Array, out: Array) -> Array:
    """σ(z) = max(z, 0)."""
    return z.clip(0, None, out)  # as NumPy wants np.maximum's `out` by name, and Numba by position


def relu_prime(a: Array, out: Array) -> Array:
    """σ′(z) = 1 where z > 0 (exactly where a > 0), else 0."""
    return np.greater(a, ZERO, out)


def identity(z: Array, out: Array) -> Array:
    """σ(z) = z, for exercises by hand."""
    out[...] = z
    return out


def identity_prime(a: Array, out: Array) -> Array:
    """σ′(z) = 1."""
    out.fill(1)
    return out


class Activation(NamedTuple):
    """σ and σ′. `sigma(z, out)` gives a; `sigma_prime(a, out)` gives ∂a/∂z."""

    name: ActivationName
    sigma: Callable[[Array, Array], Array]
    sigma_prime: Callable[[Array, Array], Array]


ACTIVATIONS: dict[ActivationName, Activation] = {
    "sigmoid": Activation("sigmoid", sigmoid, sigmoid_prime),
    "tanh": Activation("tanh", tanh, tanh_prime),
    "relu": Activation("relu", relu, relu_prime),
    "identity": Activation("identity", identity, identity_prime),
}
