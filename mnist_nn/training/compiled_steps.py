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
from ..chapter.backprop import to_parameters, to_previous_layer, to_weighted_sum, weigh
from ..chapter.cost import COSTS, Cost
from ..chapter.network import ByLayer, Network, weighted_sum
from ..chapter.sgd import SGD, descend, penalize, remember
from ..errors import ConfigError
from ..examples.dataset import Batches, Examples, Labels
from .compiled_cache import remove_unverified, sha256, write_digests
from .numpy_steps import Buffers

try:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Environment variable 'NUMBA")  # Numba cannot read it, and would ignore it
        import numba
        import scipy.linalg.cython_blas  # type: ignore[import-untyped] # noqa: F401 - Numba's matrix products need it
        from numba.extending import overload
except ImportError as error:
    raise ConfigError(
        f"training.compiled: true: needs Numba and SciPy ({error}); "
        "pip install 'numba>=0.61' 'scipy>=1.13', or train anew with --set training.compiled=false"
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


@overload(np.matmul)
def _matmul(a, b, out):  # type: ignore[no-untyped-def]
    """Define np.matmul for Numba, which lacks it. For two matrices it equals np.dot."""
    return lambda a, b, out: np.dot(a, b, out)


def steps(  # type: ignore[no-untyped-def]
    x_rows, y_rows, m, w, b, z, a, dC_da, da_dz, dC_dz, eta_dC_dw, eta_dC_db, dz_db, share,
    parameters, eta_gradient, scratch, velocity, momentum, eta_l2,
):  # fmt: skip
    """Take one step for every m rows, in the order of `forward`, `backprop` and `SGD.step`, with their names.

    Arguments keyed by layer are tuples whose item 0 is not used. Without momentum `velocity` is empty. The first layer
    is written out separately because Numba gives its input another type: its input is stored example by example, the
    input of every other layer neuron by neuron.
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
            weigh(dC_dz[L], share)
        else:
            derivative(a[L], y, dC_da[L])
            weigh(dC_da[L], share)
            sigma_prime_L(a[L], da_dz[L])
            to_weighted_sum(da_dz[L], dC_da[L], dC_dz[L])
        for l in range(L, 1, -1):
            to_parameters(dC_dz[l], a[l - 1], dz_db, eta_dC_dw[l], eta_dC_db[l])
            to_previous_layer(w[l], dC_dz[l], dC_da[l - 1])
            sigma_prime(a[l - 1], da_dz[l - 1])
            to_weighted_sum(da_dz[l - 1], dC_da[l - 1], dC_dz[l - 1])
        to_parameters(dC_dz[1], x, dz_db, eta_dC_dw[1], eta_dC_db[1])
        if eta_l2:
            for l in range(1, L + 1):
                penalize(w[l], eta_l2, scratch, eta_dC_dw[l])
        if len(velocity):
            remember(velocity, momentum, eta_gradient)
            descend(parameters, velocity)
        else:
            descend(parameters, eta_gradient)


class CompiledSteps:
    """The compiled `steps` for one network and cost. The constructor compiles, unless Numba's cache has the result.

    There is a cache only after `keep_compiled_code`.
    """

    def __init__(self, network: Network, cost: Cost, sgd: SGD, batches: Batches, buffers: Buffers) -> None:
        """`buffers` is keyed by batch size. All batches have the largest size; only the last may be smaller."""
        require_compiler()
        cost.refuse_other_output(network.activation[network.L])
        self._number = network.parameters.dtype.type  # with a Python float Numba would compute in float64
        self._momentum, self._l2 = self._number(sgd.momentum), sgd.l2
        self._batches, self._buffers, self._m = batches, buffers, max(buffers)
        scratch = np.empty_like(network.parameters) if sgd.l2 else network.parameters[:0]

        def arguments(m: int) -> tuple[Any, ...]:
            passed, back = buffers[m]
            forward = map(_by_layer, (network.w, network.b, passed.z, passed.a))
            backward = map(_by_layer, (back.dC_da, back.da_dz, back.dC_dz, back.gradient.dC_dw, back.gradient.dC_db))
            return m, *forward, *backward, back.dz_db, back.share, network.parameters, back.gradient.vector, scratch

        self._arguments = {m: arguments(m) for m in buffers}
        no_examples = (np.empty((0, n), network.parameters.dtype) for n in (network.sizes[0], network.sizes[-1]))
        no_velocity, eta_l2 = network.parameters[:0], self._number(0)
        self._steps = _compile(
            network, cost, (*no_examples, *self._arguments[self._m], no_velocity, self._momentum, eta_l2)
        )

    def __call__(
        self, examples: Examples, rows: Labels, sizes: Sequence[int], velocity: Array, learning_rate: float
    ) -> None:
        """Take one step for each batch of the examples at these rows. The last batch may be smaller."""
        eta_l2 = self._number(learning_rate * self._l2)
        self._batches.examples = examples
        for x_rows, y_rows in self._batches.chunks(rows):
            whole, rest = len(x_rows) // self._m * self._m, len(x_rows) % self._m
            for m, x, y in ((self._m, x_rows[:whole], y_rows[:whole]), (rest, x_rows[whole:], y_rows[whole:])):
                if len(x):
                    self._buffers[m][1].share.fill(learning_rate / m)
                    self._steps(x, y, *self._arguments[m], velocity, self._momentum, eta_l2)


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
        "weigh": weigh,
        "to_weighted_sum": to_weighted_sum,
        "to_parameters": to_parameters,
        "to_previous_layer": to_previous_layer,
        "penalize": penalize,
        "remember": remember,
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
