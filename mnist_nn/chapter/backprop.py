"""Backpropagation: the chapter's chain rule, for a whole batch at once.

For every layer, from the last to the first:

    ∂C/∂z_j^(l)     = σ′(z_j^(l)) ∂C/∂a_j^(l)
    ∂C/∂w_jk^(l)    = a_k^(l−1) ∂C/∂z_j^(l)             as ∂z_j/∂w_jk = a_k
    ∂C/∂b_j^(l)     = 1 · ∂C/∂z_j^(l)                   as ∂z_j/∂b_j  = 1
    ∂C/∂a_k^(l−1)   = Σ_j w_jk^(l) ∂C/∂z_j^(l)          as ∂z_j/∂a_k  = w_jk, over every path j
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..product import N, T, product
from .activation import Array
from .cost import Cost
from .network import (
    ByLayer,
    ForwardPass,
    Network,
    SetOnce,
    aligned_zeros,
    empty_columns,
    layer_views,
    require_columns,
)


class Gradient(SetOnce):
    """∇C as one vector, laid out like `Network.parameters`, with views into it.

    dC_dw[l] has shape (n_l, n_(l−1)) and dC_db[l] (n_l, 1). Both are averages over the batch, times the `scale` that
    you passed to `backprop`. A `vector` that you pass is used without a copy; by default it is a new one of zeros. A
    copy has a vector of its own.
    """

    def __init__(self, network: Network, vector: Array | None = None) -> None:
        if vector is None:
            vector = aligned_zeros(network.parameters.size, network.parameters.dtype)
        self._lay_out(network.sizes, vector)

    def _lay_out(self, sizes: tuple[int, ...], vector: Array) -> None:
        self.sizes, self.vector = sizes, vector
        self.dC_dw, self.dC_db = layer_views(sizes, vector)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.sizes, self.vector)

    def __repr__(self) -> str:
        return f"Gradient({'-'.join(map(str, self.sizes))}, norm {float(np.linalg.norm(self.vector)):.3g})"


def _rebuilt(sizes: tuple[int, ...], vector: Array) -> Gradient:
    """A gradient with a copy of this vector, and views into that copy."""
    gradient = Gradient.__new__(Gradient)
    gradient._lay_out(sizes, vector.copy())
    return gradient


@dataclass(frozen=True)
class BackwardPass:
    """The results of backpropagation for m examples: arrays of shape (n_l, m) for each layer, and the gradient.

    Column k belongs to example k: dC_da[l] is ∂C_k/∂a^(l), dC_dz[l] is ∂C_k/∂z^(l), and da_dz[l] is σ′(z^(l)).
    dC_da[L] is not computed for a cost that gives ∂C_k/∂z^(L) directly (see `Cost.dC_dz`).
    """

    dC_da: ByLayer
    da_dz: ByLayer
    dC_dz: ByLayer
    gradient: Gradient
    dz_db: Array  # shape (m, 1): 1 for every example

    @classmethod
    def empty(cls, network: Network, m: int, gradient: Gradient | None = None) -> "BackwardPass":
        """Buffers for m examples. You can pass them to `backprop` for every batch of this size."""
        dC_da, da_dz, dC_dz = (empty_columns(network, m) for _ in range(3))
        dz_db = np.ones((m, 1), network.parameters.dtype)
        return cls(dC_da, da_dz, dC_dz, gradient or Gradient(network), dz_db)


def to_weighted_sum(da_dz: Array, dC_da: Array, dC_dz: Array) -> None:
    """∂C/∂z^(l) = ∂a^(l)/∂z^(l) · ∂C/∂a^(l), with ∂a/∂z = σ′(z)."""
    np.multiply(da_dz, dC_da, dC_dz)


def to_previous_layer(w: Array, dC_dz: Array, dC_da_prev: Array) -> None:
    """∂C/∂a_k^(l−1) = Σ_j w_jk^(l) ∂C/∂z_j^(l), over every path j."""
    product(w.T, N, dC_dz, N, dC_da_prev)


def to_parameters(
    dC_dz: Array, a_prev: Array, dz_db: Array, dC_dw: Array, dC_db: Array, times: float, keep: float
) -> None:
    """∂C/∂w^(l) = ∂C/∂z^(l) a^(l−1) and ∂C/∂b^(l) = ∂C/∂z^(l) · 1, each summed over the examples.

    The sums are multiplied by `times`, and added to `keep` times what dC_dw and dC_db held.
    """
    product(a_prev, N, dC_dz, T, dC_dw.T, times, keep)
    product(dC_dz, N, dz_db, N, dC_db, times, keep)


def backprop(
    network: Network,
    cost: Cost,
    passed: ForwardPass,
    y: Array,
    out: BackwardPass | None = None,
    *,
    scale: float = 1.0,
    keep: float = 0.0,
) -> BackwardPass:
    """∇C of a batch and every derivative on the way, from its forward pass and the desired outputs y (n_L, m).

    C = (1/m) Σ_k C_k. So the sums over the examples are multiplied by 1/m: ∂C/∂w = (1/m) Σ_k ∂C_k/∂w.

    With `out` (see `BackwardPass.empty`) nothing is allocated, and the gradient becomes keep · gradient + scale · ∇C.
    It can be laid over any vector, such as the parameters: with keep 1 and scale −η they take the step w ← w − η ∇C.
    Raises ValueError for a cost that does not fit the output layer, and for a forward pass or a y that does not fit the
    network. With `out` these two are not checked.
    """
    L, w, a = network.L, network.w, passed.a
    if cost.output is not None:
        cost.refuse_other_output(network.activation[L])
    if out is None:
        if (sizes := tuple(len(a[l]) for l in sorted(a))) != network.sizes:
            raise ValueError(f"the forward pass is of a network of sizes {sizes}, not {network.sizes}")
        require_columns("y", y, network, network.sizes[L], a[L].shape[1])
        out = BackwardPass.empty(network, y.shape[1])
    dC_da, da_dz, dC_dz = out.dC_da, out.da_dz, out.dC_dz
    dC_dw, dC_db = out.gradient.dC_dw, out.gradient.dC_db
    share = scale / y.shape[1]

    if cost.dC_dz is None:
        cost.dC_da(a[L], y, dC_da[L])
    for l in reversed(network.layers):
        network.activation[l].sigma_prime(a[l], da_dz[l])
        if l == L and cost.dC_dz is not None:
            cost.dC_dz(a[L], y, dC_dz[L])
        else:
            to_weighted_sum(da_dz[l], dC_da[l], dC_dz[l])
        if l > 1:
            to_previous_layer(w[l], dC_dz[l], dC_da[l - 1])  # before w[l] moves, where the gradient lies over it
        to_parameters(dC_dz[l], a[l - 1], out.dz_db, dC_dw[l], dC_db[l], share, keep)
    return out
