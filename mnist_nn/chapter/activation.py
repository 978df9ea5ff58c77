"""Activation functions a = σ(z), each directly above its derivative ∂a/∂z = σ′(z).

Every σ′ takes a = σ(z), not z, because a is already computed, and each σ′ is a short formula in a.
All functions take arrays of any shape, write the result into `out` and return `out`.
In NumPy `np.add(z, b, z)` writes z + b into its last argument, z.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

# Zero-dimensional arrays, because NumPy takes longer to handle Python's numbers 1 and 0.
ONE, ZERO = np.ones((), np.float32), np.zeros((), np.float32)

ActivationName = Literal["sigmoid", "tanh", "relu", "identity"]


def sigmoid(z: Array, out: Array) -> Array:
    """σ(z) = 1 / (1 + e^(−z)).

    Below z ≈ −88 (in float32) e^(−z) overflows to infinity. σ(z) is then 0, its limit, and NumPy warns of an overflow.
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
    return z.clip(0, None, out)  # np.maximum takes `out` by name only in NumPy, by position only in Numba


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
    """An activation function with its derivative and its inverse.

    `sigma(z, out)` gives a, `sigma_prime(a, out)` gives ∂a/∂z, and `inverse(a)` gives the z with σ(z) = a.
    `has_kink` tells whether σ′ jumps at z = 0. There a difference quotient means nothing.
    """

    name: ActivationName
    sigma: Callable[[Array, Array], Array]
    sigma_prime: Callable[[Array, Array], Array]
    inverse: Callable[[float], float]
    has_kink: bool = False


ACTIVATIONS: dict[ActivationName, Activation] = {
    "sigmoid": Activation("sigmoid", sigmoid, sigmoid_prime, lambda a: float(np.log(a / (1 - a)))),
    "tanh": Activation("tanh", tanh, tanh_prime, lambda a: float(np.arctanh(a))),
    "relu": Activation("relu", relu, relu_prime, lambda a: a, has_kink=True),
    "identity": Activation("identity", identity, identity_prime, lambda a: a),
}
