"""Training steps compiled by Numba: an optional extra that is faster for small networks.

Numba compiles the functions of `activation`, `cost`, `network`, `backprop` and `sgd` unchanged. This file contains no
arithmetic, only the order in which a step calls these functions. It repeats that order because Numba cannot compile
the dictionaries keyed by layer in `forward` and `backprop`.
"""

import contextlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from ..chapter.activation import ACTIVATIONS, Array
from ..chapter.backprop import to_parameters, to_previous_layer, to_weighted_sum
from ..chapter.cost import COSTS, Cost
from ..chapter.network import ByLayer, Network, weighted_sum
from ..chapter.sgd import SGD, descend, penalize
from ..errors import ConfigError
from ..examples.dataset import Batches, Examples, Labels
from .compiled_cache import remove_unverified, sha256, write_digests
from .numpy_steps import Buffers

try:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Environment variable 'NUMBA")  # Numba cannot read it, and would ignore it
        import numba

        from . import compiled_product  # noqa: F401 - it teaches Numba the product
except ImportError as error:
    raise ConfigError(
        f"training.compiled: true: needs Numba ({error}); "
        "pip install 'numba>=0.61', or train anew with --set training.compiled=false"
    ) from error
except Exception as error:  # Numba refuses the value of an environment variable, such as NUMBA_NUM_THREADS=0
    (reason, *_) = [line for line in str(error).splitlines() if line.strip()] or [""]
    raise ConfigError(
        f"training.compiled: true: Numba cannot be loaded ({type(error).__name__}: {reason.strip()}); "
        "correct the environment variables that begin with NUMBA_, or train anew with --set training.compiled=false"
    ) from error

# Placeholders: `_compile` replaces these names with the functions of the actual network and cost.
sigma, sigma_prime = ACTIVATIONS["sigmoid"].sigma, ACTIVATIONS["sigmoid"].sigma_prime  # of the hidden layers
sigma_L, sigma_prime_L = sigma, sigma_prime  # of the output layer
derivative, derivative_is_by_z = COSTS["squared_error"].dC_da, False  # of the cost, by a^(L) or by z^(L)

numba_settings: Any = numba.config  # Any, because Numba gives it its attributes when it is imported


def require_compiler() -> None:
    """Raise ConfigError where Numba's compiler is switched off: NumPy would run the steps, with other last bits."""
    if numba_settings.DISABLE_JIT:
        raise ConfigError(
            "training.compiled: true: NUMBA_DISABLE_JIT switches Numba's compiler off; "
            "unset this environment variable, or train anew with --set training.compiled=false"
        )


def keep_compiled_code(directory: Path) -> None:
    """Let Numba keep compiled steps in this directory, unless NUMBA_CACHE_DIR named one already.

    Without a directory every process compiles anew.
    """
    numba_settings.CACHE_DIR = numba_settings.CACHE_DIR or str(directory)


def steps(  # type: ignore[no-untyped-def]
    x, y, times, keep, eta_l2, m, w, b, z, a, dC_da, da_dz, dC_dz, dC_dw, dC_db, dz_db, parameters, step, scratch
):
    """Take one step for every m rows, in the order of `forward` and `SGD.backprop_and_step`, with their names.

    Arguments keyed by layer are tuples whose item 0 is not used. x, y, z, a and the derivatives by z and a have a row
    for each example. `step` is η ∇C or v. It is empty where the gradient lies over the parameters.
    """
    L = len(w) - 1
    for start in range(0, len(x), m):
        x_T, y_T = x[start : start + m].T, y[start : start + m].T
        for l in range(1, L + 1):
            a_prev = x_T if l == 1 else a[l - 1].T
            weighted_sum(w[l], a_prev, b[l], z[l].T)
            if l < L:
                sigma(z[l], a[l])
        sigma_L(z[L], a[L])
        if derivative_is_by_z:
            derivative(a[L].T, y_T, dC_dz[L].T)
        else:
            derivative(a[L].T, y_T, dC_da[L].T)
            sigma_prime_L(a[L], da_dz[L])
            to_weighted_sum(da_dz[L], dC_da[L], dC_dz[L])
        for l in range(L, 0, -1):
            a_prev = x_T if l == 1 else a[l - 1].T
            if l > 1:
                to_previous_layer(w[l], dC_dz[l].T, dC_da[l - 1].T)
            to_parameters(dC_dz[l].T, a_prev, dz_db, dC_dw[l], dC_db[l], times, keep)
            if l > 1:
                sigma_prime(a[l - 1], da_dz[l - 1])
                to_weighted_sum(da_dz[l - 1], dC_da[l - 1], dC_dz[l - 1])
        if eta_l2:
            for l in range(1, L + 1):
                penalize(w[l], eta_l2, scratch, dC_dw[l])
        if len(step):
            descend(parameters, step)


class CompiledSteps:
    """The compiled `steps` for one network and cost. The constructor compiles, unless Numba's cache has the result.

    There is a cache only after `keep_compiled_code`.
    """

    def __init__(self, network: Network, cost: Cost, sgd: SGD, batches: Batches, buffers: Buffers) -> None:
        """`buffers` is keyed by batch size. All batches have the largest size; only the last may be smaller."""
        require_compiler()
        cost.refuse_other_output(network.activation[network.L])
        self._number = network.parameters.dtype.type
        self._sgd, self._batches, self._m = sgd, batches, max(buffers)
        nothing = network.parameters[:0]
        step = nothing if sgd.is_plain else buffers[self._m][1].gradient.vector
        scratch = np.empty_like(network.parameters) if sgd.l2 else nothing

        def arguments(m: int) -> tuple[Any, ...]:
            back = buffers[m][1]
            dtype = network.parameters.dtype
            rows = [_by_layer({l: np.empty((m, network.sizes[l]), dtype) for l in network.layers}) for _ in range(5)]
            parts = map(_by_layer, (back.gradient.dC_dw, back.gradient.dC_db))
            w, b = map(_by_layer, (network.w, network.b))
            return m, w, b, *rows, *parts, back.dz_db, network.parameters, step, scratch

        self._arguments = {m: arguments(m) for m in buffers}
        no_examples = (np.empty((0, n), network.parameters.dtype) for n in (network.sizes[0], network.sizes[-1]))
        self._steps = _compile(network, cost, (*no_examples, *self._factors(self._m, 0.0), *self._arguments[self._m]))

    def __call__(self, examples: Examples, rows: Labels, sizes: Sequence[int], learning_rate: float) -> None:
        """Take one step for each batch of the examples at these rows. The last batch may be smaller."""
        self._batches.examples = examples
        for x_rows, y_rows in self._batches.chunks(rows):
            whole, rest = len(x_rows) // self._m * self._m, len(x_rows) % self._m
            for m, x, y in ((self._m, x_rows[:whole], y_rows[:whole]), (rest, x_rows[whole:], y_rows[whole:])):
                if len(x):
                    self._steps(x, y, *self._factors(m, learning_rate), *self._arguments[m])

    def _factors(self, m: int, learning_rate: float) -> tuple[Any, Any, Any]:
        """The factors of `steps`, as `SGD.backprop_and_step` chooses them. All have the precision of the network."""
        number = self._number  # with a Python float Numba would compute in float64
        if self._sgd.is_plain:
            return number(-learning_rate / m), number(1), number(0)
        return number(learning_rate / m), number(self._sgd.momentum), number(learning_rate * self._sgd.l2)


def _by_layer(arrays: ByLayer) -> tuple[Array, ...]:
    """A tuple with the array of layer l as item l. Item 0 is not used, and holds an array of the same type."""
    layers = sorted(arrays.keys() - {0})
    return arrays[1], *(arrays[l] for l in layers)


def _compile(network: Network, cost: Cost, arguments: tuple[Any, ...]) -> Any:
    """Compile `steps` with this network's activations and this cost, by calling it once with `arguments`."""
    hidden, output = network.activation[1], network.activation[network.L]
    parts: dict[str, Any] = {
        "sigma": hidden.sigma,
        "sigma_prime": hidden.sigma_prime,
        "sigma_L": output.sigma,
        "sigma_prime_L": output.sigma_prime,
        "derivative": cost.dC_dz or cost.dC_da,
        "weighted_sum": weighted_sum,
        "to_weighted_sum": to_weighted_sum,
        "to_parameters": to_parameters,
        "to_previous_layer": to_previous_layer,
        "penalize": penalize,
        "descend": descend,
    }
    own = {name: numba.njit(part, error_model="numpy") for name, part in parts.items()}  # x/0 is infinite, not an error
    own["derivative_is_by_z"] = cost.dC_dz is not None
    made: Any = FunctionType(steps.__code__, {**globals(), **own}, steps.__name__)
    # Numba's cache identifies a function by its name and file. This function depends on several files, so its name
    # contains a digest of them.
    made.__qualname__ = f"steps_{hidden.name}_{output.name}_{cost.name}_{_digest(steps, *parts.values())}"
    if numba_settings.CACHE_DIR:
        try:
            compiled = numba.njit(made, error_model="numpy", cache=True)
            directory = Path(compiled.stats.cache_path)
            if directory.is_relative_to(numba_settings.CACHE_DIR):  # otherwise it cannot be written
                remove_unverified(directory, made.__qualname__)
                compiled(*arguments)
                with contextlib.suppress(OSError):  # files without a digest are not used
                    write_digests(directory, made.__qualname__)
                return compiled
        except Exception:  # the cache cannot be read or written; any other error is raised again below
            pass
    compiled = numba.njit(made, error_model="numpy")
    compiled(*arguments)
    return compiled


def _digest(*functions: Any) -> str:
    """A digest of the source files of these functions."""
    sources = sorted({function.__code__.co_filename for function in functions})
    return sha256(b"".join(Path(source).read_bytes() for source in sources))[:16]
