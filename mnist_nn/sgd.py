"""Stochastic gradient descent: the step downhill along −∇C."""

from dataclasses import dataclass

import numpy as np

from .activation import Array
from .backprop import Gradient
from .network import Network


@dataclass(frozen=True)
class SGD:
    """The step rule, in the convention of torch.optim.SGD (Polyak's momentum, coupled L2):

        g ← ∂C/∂w + l2 · w      (weights only; l2 · w is the gradient of (l2/2) Σ w²)
        v ← momentum · v + g
        w ← w − learning_rate · v

    Without momentum v is g itself: w ← w − learning_rate · ∂C/∂w, the chapter's step.
    """

    momentum: float = 0.0
    l2: float = 0.0

    def new_velocity(self, network: Network) -> Array:
        """A zero v for a network; empty where there is no momentum to remember."""
        return np.zeros_like(network.parameters) if self.momentum else network.parameters[:0].copy()

    def step(
        self, network: Network, gradient: Gradient, velocity: Array, learning_rate: float, scratch: Array | None = None
    ) -> None:
        """One step in place. `velocity` is updated; `scratch`, as long as the parameters, saves an allocation.

        With l2 the gradient is given its term in place; otherwise it is only read.
        """
        if scratch is None:
            scratch = np.empty_like(network.parameters)
        if self.l2:
            for l in network.layers:
                penalty = scratch[: network.w[l].size].reshape(network.w[l].shape)
                np.multiply(network.w[l], self.l2, out=penalty)
                np.add(gradient.dC_dw[l], penalty, out=gradient.dC_dw[l])
        if self.momentum:
            np.multiply(velocity, self.momentum, out=velocity)
            np.add(velocity, gradient.vector, out=velocity)
        else:
            velocity = gradient.vector
        np.multiply(velocity, learning_rate, out=scratch)
        np.subtract(network.parameters, scratch, out=network.parameters)
