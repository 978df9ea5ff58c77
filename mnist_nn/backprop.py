"""Backpropagation: the chapter's chain rule, for a whole batch at once.

For every layer, from the last to the first:

    ∂C/∂z_j^(l)     = σ′(z_j^(l)) ∂C/∂a_j^(l)
    ∂C/∂w_jk^(l)    = a_k^(l−1) ∂C/∂z_j^(l)             as ∂z_j/∂w_jk = a_k
    ∂C/∂b_j^(l)     = 1 · ∂C/∂z_j^(l)                   as ∂z_j/∂b_j  = 1
    ∂C/∂a_k^(l−1)   = Σ_j w_jk^(l) ∂C/∂z_j^(l)          as ∂z_j/∂a_k  = w_jk, over every path j
"""

from dataclasses import dataclass

import numpy as np

from .activation import Array
from .cost import Cost
from .network import ByLayer, ForwardPass, Network, layer_views


class Gradient:
    """∇C as one vector, laid out like `Network.parameters`, with views into it.

    dC_dw[l] has shape (n_l, n_(l−1)) and dC_db[l] (n_l, 1): the averages over the batch.
    """

    def __init__(self, network: Network) -> None:
        self.vector: Array = np.zeros_like(network.parameters)
        self.dC_dw, self.dC_db = layer_views(network.sizes, self.vector)


@dataclass(frozen=True)
class BackwardPass:
    """What backpropagation computes for m examples, each (n_l, m), and the gradient they add up to.

    Column k of dC_da[l] and dC_dz[l] is example k's share of ∂C/∂a^(l) and ∂C/∂z^(l), which is (1/m) ∂C_k/∂a^(l)
    and (1/m) ∂C_k/∂z^(l); da_dz[l] is σ′(z^(l)). dC_da[L] is not computed for a cost that gives ∂C_k/∂z^(L) at
    once (see `Cost.dC_dz`).
    """

    dC_da: ByLayer
    da_dz: ByLayer
    dC_dz: ByLayer
    gradient: Gradient

    @classmethod
    def empty(cls, network: Network, m: int, gradient: Gradient | None = None) -> "BackwardPass":
        """Buffers for a batch of m examples, to be handed to `backprop` again and again."""

        def buffers() -> ByLayer:
            dtype = network.parameters.dtype
            return {l: np.empty((network.sizes[l], m), dtype) for l in network.layers}

        return cls(buffers(), buffers(), buffers(), gradient or Gradient(network))


def backprop(
    network: Network, cost: Cost, passed: ForwardPass, y: Array, out: BackwardPass | None = None
) -> BackwardPass:
    """∇C of a batch from its forward pass and the desired outputs y, shape (n_L, m).

    C = (1/m) Σ_k C_k, so the chain begins with ∂C/∂C_k = 1/m; every sum over the examples below is then the
    average ∂C/∂w = (1/m) Σ_k ∂C_k/∂w. With `out` (see `BackwardPass.empty`) nothing is allocated.
    """
    L, w, a = network.L, network.w, passed.a
    m = y.shape[1]
    if out is None:
        out = BackwardPass.empty(network, m)
    dC_da, da_dz, dC_dz = out.dC_da, out.da_dz, out.dC_dz
    dC_dw, dC_db = out.gradient.dC_dw, out.gradient.dC_db

    if cost.dC_dz is None:
        cost.dC_da(a[L], y, dC_da[L])
        np.multiply(dC_da[L], 1 / m, out=dC_da[L])
    for l in reversed(network.layers):
        network.activation[l].sigma_prime(a[l], da_dz[l])
        if l == L and cost.dC_dz is not None:
            cost.dC_dz(a[L], y, dC_dz[L])
            np.multiply(dC_dz[L], 1 / m, out=dC_dz[L])
        else:
            np.multiply(da_dz[l], dC_da[l], out=dC_dz[l])
        np.matmul(dC_dz[l], a[l - 1].T, out=dC_dw[l])
        np.add.reduce(dC_dz[l], axis=1, keepdims=True, out=dC_db[l])
        if l > 1:
            np.matmul(w[l].T, dC_dz[l], out=dC_da[l - 1])
    return out
