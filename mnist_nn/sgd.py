"""Stochastic gradient descent: the step downhill along −∇C."""

from dataclasses import dataclass

import numpy as np

from .activation import Array
from .backprop import Gradient
from .network import Network, aligned_zeros


def remember(velocity: Array, momentum: float, eta_gradient: Array) -> None:
    """v ← momentum · v + η ∇C, in place."""
    np.multiply(velocity, momentum, velocity)
    np.add(velocity, eta_gradient, velocity)


def descend(parameters: Array, step: Array) -> None:
    """w ← w − step, in place, for all weights and biases; the step is v, or η ∇C itself."""
    np.subtract(parameters, step, parameters)


def penalize(w: Array, l2: float, scratch: Array, dC_dw: Array) -> None:
    """∂C/∂w ← ∂C/∂w + l2 · w, in place; `scratch` is a vector with room for w."""
    penalty = scratch[: w.size].reshape(w.shape)
    np.multiply(w, l2, penalty)
    np.add(dC_dw, penalty, dC_dw)


@dataclass(frozen=True)
class SGD:
    """The step rule with Polyak's momentum, in the form of Sutskever et al. (2013) and of Keras:

        v ← momentum · v + η ∇C
        w ← w − v

    η, the learning rate, is in η ∇C already: `backprop` takes it into the chain as a constant factor, which saves a
    pass over all the parameters. Without momentum v is η ∇C itself, the chapter's step. (torch.optim.SGD has
    v ← momentum · v + ∇C and w ← w − η v: the same while η stays the same.)
    """

    momentum: float = 0.0

    def new_velocity(self, network: Network) -> Array:
        """A zero v for a network; empty where there is no momentum to remember."""
        return aligned_zeros(network.parameters.size if self.momentum else 0, network.parameters.dtype)

    def step(self, network: Network, eta_gradient: Gradient, velocity: Array) -> None:
        """One step in place, from η ∇C (see `backprop`'s `scale`), which is only read. `velocity` is updated."""
        if self.momentum:
            remember(velocity, self.momentum, eta_gradient.vector)
            descend(network.parameters, velocity)
        else:
            descend(network.parameters, eta_gradient.vector)


def add_l2(network: Network, gradient: Gradient, l2: float, scratch: Array | None = None) -> None:
    """Add l2 · w, the gradient of (l2/2) Σ w², to ∂C/∂w in place; biases are left alone.

    `scratch`, as long as the parameters, saves an allocation.
    """
    if scratch is None:
        scratch = np.empty_like(network.parameters)
    for l in network.layers:
        penalize(network.w[l], l2, scratch, gradient.dC_dw[l])
