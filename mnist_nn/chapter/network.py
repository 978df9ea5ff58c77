"""The network: its weights and biases as one vector, and the forward pass.

Layers count as in the chapter's superscripts: 1..L for w, b and z, and 0..L for a. Layer 0 is the input.
Layer l has n_l neurons. A batch of m examples is a matrix with one example per column.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike

from ..product import N, T, order_for, product
from .activation import ACTIVATIONS, Activation, ActivationName, Array

ByLayer = dict[int, Array]


def number_of_parameters(sizes: Sequence[int]) -> int:
    """The number of weights and biases: n_l n_(l−1) + n_l for every layer l ≥ 1."""
    return sum(n * (n_prev + 1) for n_prev, n in pairwise(sizes))


def aligned_zeros(n: int, dtype: DTypeLike) -> Array:
    """A vector of n zeros, aligned to a cache line: this makes in-place arithmetic up to 1.4 times as fast."""
    line = 64  # bytes
    size = n * np.dtype(dtype).itemsize
    memory = np.zeros(size + line, np.uint8)
    start = -memory.ctypes.data % line
    return memory[start : start + size].view(dtype)


class FixedLayers(dict[int, Any]):
    """A dictionary by layer that cannot be changed."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("the layers of a network are fixed")

    def __setitem__(self, l: int, value: Any) -> None:
        self._refuse()

    __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # a copy stands alone


class LayerViews(FixedLayers):
    """Views into one vector, keyed by layer. An assignment to a layer writes into the vector."""

    def __setitem__(self, l: int, value: Any) -> None:
        self[l][...] = value


def layer_places(sizes: Sequence[int]) -> Iterator[tuple[int, slice, slice]]:
    """Yield each layer l with the places of w[l] and b[l] in a vector.

    The vector is laid out as the chapter's ∇C: (w1, b1, …, wL, bL).
    """
    end = 0
    for l in range(1, len(sizes)):
        start, middle = end, end + sizes[l] * sizes[l - 1]
        end = middle + sizes[l]
        yield l, slice(start, middle), slice(middle, end)


def layer_views(sizes: Sequence[int], vector: Array) -> tuple[LayerViews, LayerViews]:
    """The views w and b into a vector that is laid out as the chapter's ∇C.

    Both are keyed by layer: w[l] has shape (n_l, n_(l−1)) and b[l] (n_l, 1). Nothing is copied.
    """
    w: ByLayer = {}
    b: ByLayer = {}
    for l, weights, biases in layer_places(sizes):
        w[l] = vector[weights].reshape(sizes[l], sizes[l - 1])
        b[l] = vector[biases].reshape(sizes[l], 1)
    return LayerViews(w), LayerViews(b)


def weights_within(part: slice, sizes: Sequence[int]) -> Iterator[slice]:
    """Yield the places of weights, not biases, in this part of a vector, layer by layer."""
    first, last, _ = part.indices(number_of_parameters(sizes))
    for _, weights, _ in layer_places(sizes):
        start, stop = max(first, weights.start), min(last, weights.stop)
        if start < stop:
            yield slice(start, stop)


class SetOnce:
    """Base class: each attribute can be set only once, so that a vector and the views into it stay together."""

    def __setattr__(self, name: str, value: Any) -> None:
        if self.__dict__.get(name, value) is not value:
            raise AttributeError(f"{name} cannot be replaced; write into it, as in .{name}[:] = …")
        self.__dict__[name] = value


class Network(SetOnce):
    """A multi-layer perceptron a^(l) = σ(w^(l) a^(l−1) + b^(l)), l = 1..L.

    `sizes` is (n_0, …, n_L). `parameters` is one contiguous vector of all weights and biases, by default of zeros.
    A vector that you pass is used without a copy. `w[l]` (n_l, n_(l−1)) and `b[l]` (n_l, 1) are views into
    `parameters`: writing into a view changes the vector. A copied or unpickled network has its own vector.
    Raises ValueError where the vector does not fit the sizes.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: ActivationName = "sigmoid",
        output: ActivationName = "sigmoid",
        dtype: DTypeLike = np.float32,
        parameters: Array | None = None,
    ) -> None:
        self.sizes = tuple(sizes)
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise ValueError(f"sizes {self.sizes}: a network needs two layers or more, and a neuron or more in each")
        if unknown := {activation, output} - ACTIVATIONS.keys():
            raise ValueError(f"activation {unknown.pop()!r} is none of {', '.join(ACTIVATIONS)}")
        self.L = len(self.sizes) - 1
        self.layers = range(1, self.L + 1)
        hidden = dict.fromkeys(self.layers, ACTIVATIONS[activation])
        self.activation: dict[int, Activation] = FixedLayers(hidden | {self.L: ACTIVATIONS[output]})
        if parameters is None:
            parameters = aligned_zeros(number_of_parameters(self.sizes), dtype)
        n = number_of_parameters(self.sizes)
        if parameters.shape != (n,) or parameters.dtype not in (np.float32, np.float64):
            raise ValueError(
                f"sizes {self.sizes} need a vector of {n} parameters, float32 or float64, "
                f"not {parameters.dtype} of shape {parameters.shape}"
            )
        self.parameters = parameters
        self.w, self.b = layer_views(self.sizes, parameters)

    def astype(self, dtype: DTypeLike) -> "Network":
        """A copy with parameters of another precision."""
        return _rebuilt(*self._parts(), dtype)

    def _parts(self) -> tuple[tuple[int, ...], ActivationName, ActivationName, Array]:
        return self.sizes, self.activation[1].name, self.activation[self.L].name, self.parameters

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, self._parts()

    def __repr__(self) -> str:
        return f"Network({'-'.join(map(str, self.sizes))}, {self.parameters.size:,} parameters)"


def _rebuilt(
    sizes: Sequence[int],
    activation: ActivationName,
    output: ActivationName,
    parameters: Array,
    dtype: DTypeLike | None = None,
) -> Network:
    """A network with a copy of these parameters, by default of the same precision, and views into that copy."""
    network = Network(sizes, activation=activation, output=output, dtype=dtype or parameters.dtype)
    network.parameters[:] = parameters
    return network


@dataclass(frozen=True)
class ForwardPass:
    """The results of a forward pass over m examples: z[l] and a[l], each (n_l, m). a[0] is the input."""

    z: ByLayer
    a: ByLayer

    @classmethod
    def empty(cls, network: Network, m: int) -> "ForwardPass":
        """Buffers for m examples. You can pass them to `forward` for every batch of this size."""
        return cls(z=empty_columns(network, m), a=empty_columns(network, m))


def empty_columns(network: Network, m: int) -> ByLayer:
    """A buffer (n_l, m) for each layer l ≥ 1, with a column for each example, in the order that is fastest."""
    order = order_for(m * max(w.size for w in network.w.values()))
    return {l: np.empty((network.sizes[l], m), network.parameters.dtype, order) for l in network.layers}


def weighted_sum(w: Array, a_prev: Array, b: Array, z: Array) -> None:
    """z^(l) = b^(l) + w^(l) a^(l−1), into z of shape (n_l, m)."""
    z[...] = b
    product(w.T, T, a_prev, N, z, 1.0, 1.0)


def forward(network: Network, x: Array, out: ForwardPass | None = None) -> ForwardPass:
    """Every z^(l) = w^(l) a^(l−1) + b^(l) and a^(l) = σ(z^(l)), computed from a^(0) = x of shape (n_0, m).

    Raises ValueError for an x whose shape or dtype does not fit the network. In a training loop you can pass `out`
    (see `ForwardPass.empty`). Then nothing is allocated, x is not checked, and NumPy may warn of an overflow (see
    `activation.sigmoid`).
    """
    if out is None:
        require_columns("x", x, network, network.sizes[0])
        with np.errstate(over="ignore"):
            return forward(network, x, ForwardPass.empty(network, x.shape[1]))
    z, a = out.z, out.a
    a[0] = x
    for l in network.layers:
        weighted_sum(network.w[l], a[l - 1], network.b[l], z[l])
        network.activation[l].sigma(z[l], a[l])
    return out


def require_columns(name: str, array: Array, network: Network, n: int, m: int | None = None) -> None:
    """Raise ValueError unless the array has shape (n, m), m ≥ 1, and the network's dtype."""
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name} is a {type(array).__name__}, not a NumPy array")
    expected, shape = f"({n}, {'m' if m is None else m})", array.shape
    if len(shape) != 2 or shape[0] != n or shape[1] < 1 or (m is not None and shape[1] != m):
        raise ValueError(f"{name} has shape {shape}, but this network needs {expected}: one example per column")
    if array.dtype != network.parameters.dtype:
        raise ValueError(
            f"{name} is {array.dtype}, the network {network.parameters.dtype}; use {name}.astype or network.astype"
        )
