"""Stochastic gradient descent: the step downhill along −∇C."""

from dataclasses import dataclass

import numpy as np

from .activation import Array
from .backprop import BackwardPass, Gradient, backprop
from .cost import Cost
from .network import ForwardPass, Network, aligned_zeros, weights_within

WHOLE = slice(None)


def penalize(w: Array, eta_l2: float, scratch: Array, eta_dC_dw: Array) -> None:
    """η ∂C/∂w ← η ∂C/∂w + η · l2 · w, in place. `scratch` is a vector with at least as many elements as w."""
    penalty = scratch[: w.size].reshape(w.shape)
    np.multiply(w, eta_l2, penalty)
    np.add(eta_dC_dw, penalty, eta_dC_dw)


def remember(velocity: Array, momentum: float, eta_gradient: Array) -> None:
    """v ← momentum · v + η ∇C, in place."""
    np.multiply(velocity, momentum, velocity)
    np.add(velocity, eta_gradient, velocity)


def descend(parameters: Array, step: Array) -> None:
    """w ← w − step, in place, for all weights and biases. The step is η ∇C, or with momentum v."""
    np.subtract(parameters, step, parameters)


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, with momentum: each step v keeps a share of the step before.

        v ← momentum · v + η ∇C
        w ← w − v

    Without momentum v is η ∇C itself, the chapter's step. `l2` adds l2 · w, the derivative of (l2/2) Σ w², to ∂C/∂w.
    It adds nothing to ∂C/∂b.

    This is Polyak's momentum in the form of Sutskever et al. (2013) and of Keras. torch.optim.SGD computes
    v ← momentum · v + ∇C and w ← w − η v, which is the same as long as η does not change.
    """

    momentum: float = 0.0
    l2: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether a step is the chapter's: w ← w − η ∇C, without momentum and l2."""
        return not (self.momentum or self.l2)

    def velocity_size(self, parameters: int) -> int:
        """The length of v for this number of parameters: 0 without momentum, because then v is not stored."""
        return parameters if self.momentum else 0

    def new_velocity(self, network: Network) -> Array:
        """A v of zeros for this network."""
        return aligned_zeros(self.velocity_size(network.parameters.size), network.parameters.dtype)

    def step(
        self,
        network: Network,
        eta_gradient: Gradient,
        velocity: Array,
        learning_rate: float,
        scratch: Array | None = None,
        part: slice = WHOLE,
    ) -> None:
        """Take one step in place, from η ∇C: a gradient computed by `backprop` with `scale=learning_rate`.

        The network and `velocity` (v) are changed in place. With l2 `eta_gradient` is changed, too. `scratch` is used
        with l2 only: a vector as long as the parameters, which saves an allocation. `part` is the part of the vectors
        to change, by default all. Raises ValueError where the velocity does not fit the network.
        """
        parameters, step = network.parameters, eta_gradient.vector
        if self.l2:
            if scratch is None:
                scratch = np.empty_like(parameters)
            for w in weights_within(part, network.sizes):
                penalize(parameters[w], learning_rate * self.l2, scratch[w], step[w])
        if self.momentum:
            if velocity.shape != parameters.shape:
                raise ValueError(f"velocity has shape {velocity.shape}, but the parameters have {parameters.shape}")
            remember(velocity[part], self.momentum, step[part])
            step = velocity
        descend(parameters[part], step[part])

    def gradient_for(self, network: Network, velocity: Array) -> Gradient:
        """The gradient that `backprop_and_step` needs: laid over the parameters, or over v, or without v a new one."""
        if self.is_plain:
            return Gradient(network, network.parameters)
        return Gradient(network, velocity if self.momentum else None)

    def backprop_and_step(
        self,
        network: Network,
        cost: Cost,
        passed: ForwardPass,
        y: Array,
        out: BackwardPass,
        learning_rate: float,
        scratch: Array | None = None,
    ) -> None:
        """Backpropagate (see `backprop`) and take the same step, up to rounding, in fewer passes over the parameters.

        The gradient of `out` must be that of `gradient_for`. So the sums over the examples are added where they go: in
        a plain step straight into the parameters.
        """
        if self.is_plain:
            backprop(network, cost, passed, y, out, scale=-learning_rate, keep=1.0)
            return
        v = backprop(network, cost, passed, y, out, scale=learning_rate, keep=self.momentum).gradient
        if self.l2:
            if scratch is None:
                scratch = np.empty_like(network.parameters)
            for l in network.layers:
                penalize(network.w[l], learning_rate * self.l2, scratch, v.dC_dw[l])
        descend(network.parameters, v.vector)
