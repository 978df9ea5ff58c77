"""The steps of training compiled by Numba: an option, which pays where they are small.

What is compiled is the chapter's own source: the functions of `activation`, `cost`, `network`, `backprop` and `sgd`.
Only the order of a step, and the chain's factors multiplied one with another, are stated here once more, as Numba does
not know the dictionaries of layers over which `forward` and `backprop` go.
"""

import hashlib
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from .activation import ACTIVATIONS, Array
from .backprop import BackwardPass, to_parameters, to_previous_layer
from .cost import COSTS, Cost
from .errors import ConfigError
from .network import ByLayer, ForwardPass, Network, weighted_sum
from .sgd import descend, penalize, remember

try:
    import numba
    import scipy.linalg.cython_blas  # type: ignore[import-untyped] # noqa: F401 - the products that Numba calls
    from numba.extending import overload
except ImportError as error:
    raise ConfigError(
        f"training.compiled: true: needs Numba and SciPy ({error}); "
        "pip install 'numba>=0.61' 'scipy>=1.13', or train anew with --set training.compiled=false"
    ) from error

# What `steps` calls by these names depends on the network and its cost: `_compile` replaces them.
sigma, sigma_prime = ACTIVATIONS["sigmoid"].sigma, ACTIVATIONS["sigmoid"].sigma_prime  # of the hidden layers
sigma_L, sigma_prime_L = sigma, sigma_prime  # of the output layer
derivative, derivative_is_by_z = COSTS["squared_error"].dC_da, False  # of the cost, by a^(L) or by z^(L)


@overload(np.matmul)
def _matmul(a, b, out):  # type: ignore[no-untyped-def]
    """For Numba, which has no np.matmul: of matrices it is np.dot."""
    return lambda a, b, out: np.dot(a, b, out)


def steps(  # type: ignore[no-untyped-def]
    x_rows, y_rows, m, w, b, z, a, dC_da, da_dz, dC_dz, dC_dw, dC_db, dz_db, dC_dC_k,
    parameters, gradient, scratch, velocity, momentum, eta_l2,
):  # fmt: skip
    """A step for each m rows, as `Loop.run` does it: `forward`, `backprop`, `add_l2` and `SGD.step`, under their names.

    What goes by layer is a tuple, in which place 0 is not used; without momentum `velocity` is empty. The first layer
    stands apart, as its input is stored by example and the others by neuron, which to Numba are two types.
    """
    L = len(w) - 1
    for start in range(0, len(x_rows), m):
        x, y = x_rows[start : start + m].T, y_rows[start : start + m].T
        weighted_sum(w[1], x, b[1], z[1])
        for l in range(2, L + 1):
            sigma(z[l - 1], a[l - 1])
            weighted_sum(w[l], a[l - 1], b[l], z[l])
        sigma_L(z[L], a[L])
        if derivative_is_by_z:
            derivative(a[L], y, dC_dz[L])
            np.multiply(dC_dz[L], dC_dC_k, dC_dz[L])
        else:
            derivative(a[L], y, dC_da[L])
            np.multiply(dC_da[L], dC_dC_k, dC_da[L])
            sigma_prime_L(a[L], da_dz[L])
            np.multiply(da_dz[L], dC_da[L], dC_dz[L])
        for l in range(L, 1, -1):
            to_parameters(dC_dz[l], a[l - 1], dz_db, dC_dw[l], dC_db[l])
            to_previous_layer(w[l], dC_dz[l], dC_da[l - 1])
            sigma_prime(a[l - 1], da_dz[l - 1])
            np.multiply(da_dz[l - 1], dC_da[l - 1], dC_dz[l - 1])
        to_parameters(dC_dz[1], x, dz_db, dC_dw[1], dC_db[1])
        if eta_l2:
            for l in range(1, L + 1):
                penalize(w[l], eta_l2, scratch, dC_dw[l])
        if len(velocity):
            remember(velocity, momentum, gradient)
            descend(parameters, velocity)
        else:
            descend(parameters, gradient)


class CompiledSteps:
    """`steps` for one network, cost and set of buffers. Making it compiles, unless Numba's cache has it already."""

    def __init__(
        self,
        network: Network,
        cost: Cost,
        momentum: float,
        l2: float,
        buffers: dict[int, tuple[ForwardPass, BackwardPass]],
    ) -> None:
        """`buffers` by batch size, with one gradient for all; the largest is that of all batches but the last."""
        self._number = network.parameters.dtype.type  # with a Python float Numba would compute in float64
        self._momentum, self._l2 = self._number(momentum), l2
        self._buffers, self._m = buffers, max(buffers)
        scratch = np.empty_like(network.parameters) if l2 else network.parameters[:0]

        def arguments(m: int) -> tuple[Any, ...]:
            passed, back = buffers[m]
            forward = map(_by_layer, (network.w, network.b, passed.z, passed.a))
            backward = map(_by_layer, (back.dC_da, back.da_dz, back.dC_dz, back.gradient.dC_dw, back.gradient.dC_db))
            return m, *forward, *backward, back.dz_db, back.dC_dC_k, network.parameters, back.gradient.vector, scratch

        self._arguments = {m: arguments(m) for m in buffers}
        no_examples = (np.empty((0, n), network.parameters.dtype) for n in (network.sizes[0], network.sizes[-1]))
        no_velocity, eta_l2 = network.parameters[:0], self._number(0)
        self._steps = _compile(
            network, cost, (*no_examples, *self._arguments[self._m], no_velocity, self._momentum, eta_l2)
        )

    def __call__(self, x_rows: Array, y_rows: Array, velocity: Array, learning_rate: float) -> None:
        """A step for each batch of these examples, which are one per row; the last batch may be smaller."""
        whole, rest = len(x_rows) // self._m * self._m, len(x_rows) % self._m
        eta_l2 = self._number(learning_rate * self._l2)
        for m, x, y in ((self._m, x_rows[:whole], y_rows[:whole]), (rest, x_rows[whole:], y_rows[whole:])):
            if len(x):
                self._buffers[m][1].dC_dC_k.fill(learning_rate / m)
                self._steps(x, y, *self._arguments[m], velocity, self._momentum, eta_l2)


def _by_layer(arrays: ByLayer) -> tuple[Array, ...]:
    """Those of layers 1..L in places 1..L; something of their type in place 0, which is not used."""
    layers = sorted(arrays.keys() - {0})
    return arrays[1], *(arrays[l] for l in layers)


def _compile(network: Network, cost: Cost, arguments: tuple[Any, ...]) -> Any:
    """`steps` with this network's activations and this cost, for arguments of these types; called once with them."""
    hidden, output = network.activation[1], network.activation[network.L]
    parts: dict[str, Any] = {
        "sigma": hidden.sigma,
        "sigma_prime": hidden.sigma_prime,
        "sigma_L": output.sigma,
        "sigma_prime_L": output.sigma_prime,
        "derivative": cost.dC_dz or cost.dC_da,
        "weighted_sum": weighted_sum,
        "to_parameters": to_parameters,
        "to_previous_layer": to_previous_layer,
        "penalize": penalize,
        "remember": remember,
        "descend": descend,
    }
    own = {name: numba.njit(part, error_model="numpy") for name, part in parts.items()}  # x/0 is infinite, no error
    own["derivative_is_by_z"] = cost.dC_dz is not None
    made: Any = FunctionType(steps.__code__, {**globals(), **own}, steps.__name__)
    # Numba's cache knows a function by its name and its own file, and this one is made of several.
    made.__qualname__ = f"steps_{hidden.name}_{output.name}_{cost.name}_{_digest(steps, *parts.values())}"
    try:
        compiled = numba.njit(made, error_model="numpy", cache=True)
        compiled(*arguments)
    except Exception:  # there is no place for the cache, or it is damaged; an error of another kind comes up again
        compiled = numba.njit(made, error_model="numpy")
        compiled(*arguments)
    return compiled


def _digest(*functions: Any) -> str:
    """Of the files in which they are written."""
    sources = sorted({function.__code__.co_filename for function in functions})
    return hashlib.sha256(b"".join(Path(source).read_bytes() for source in sources)).hexdigest()[:16]
