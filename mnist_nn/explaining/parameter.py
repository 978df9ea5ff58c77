"""One parameter of a network: its place, its name, its value."""

from dataclasses import dataclass
from typing import Literal

from ..chapter.network import Network, number_of_parameters


@dataclass(frozen=True, order=True)
class Parameter:
    """The weight w_jk^(layer) from neuron k of the layer below to neuron j. With k None: the bias b_j^(layer)."""

    layer: int
    j: int
    k: int | None = None

    @classmethod
    def at(cls, network: Network, index: int) -> "Parameter":
        """The parameter at this index of the network's vector: the inverse of `index`. Raises IndexError outside it."""
        if index < 0:
            raise IndexError("before the first parameter")
        for l in network.layers:
            n, n_prev = network.w[l].shape
            if index < n * n_prev:
                return cls(l, index // n_prev, index % n_prev)
            index -= n * n_prev
            if index < n:
                return cls(l, index)
            index -= n
        raise IndexError("beyond the last parameter")

    def index(self, network: Network) -> int:
        """The parameter's index in the network's vector of parameters."""
        n, n_prev = network.sizes[self.layer], network.sizes[self.layer - 1]
        start = number_of_parameters(network.sizes[: self.layer])
        return start + (n * n_prev + self.j if self.k is None else self.j * n_prev + self.k)

    def value(self, network: Network) -> float:
        """The parameter's value in the network."""
        return float(network.parameters[self.index(network)])

    @property
    def letter(self) -> Literal["w", "b"]:
        """w for a weight, b for a bias."""
        return "b" if self.k is None else "w"

    @property
    def name(self) -> str:
        """A readable name: w(2)[4,12], or b(2)[4]."""
        return f"b({self.layer})[{self.j}]" if self.k is None else f"w({self.layer})[{self.j},{self.k}]"
