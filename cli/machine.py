"""The versions, processor and BLAS of a run, for run.json; and the number of threads."""

import contextlib
import os
import platform
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mnist_nn import Config
    from mnist_nn.training.workers import Workers


def differences(then: dict[str, Any], now: dict[str, Any], *, sharded: bool) -> list[str]:
    """Return the changes that may alter the last bits of a result, such as "numpy was 2.3.0 and is now 2.4.1".

    If the batches are cut into shards, the number of threads is not one of them.
    """
    found = []
    for part, keys in (
        ("versions", ("nn", "numpy", "scipy", "numba")),
        ("machine", ("processor", "model", "blas", *(() if sharded else ("threads",)))),
    ):
        before, after = then.get(part, {}), now[part]
        found += [
            f"{key} was {before.get(key)} and is now {after.get(key)}"
            for key in keys
            if before.get(key) != after.get(key)
        ]
    return found


def _processor_model() -> str:
    """Return the processor's name, or its architecture if the system does not give a name."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _blas() -> Any:
    """Return the loaded BLAS libraries that threadpoolctl knows: SciPy's, which multiplies, and NumPy's."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    import mnist_nn.product  # noqa: F401 - loads the BLAS

    return ThreadpoolController().select(user_api="blas")


def _core_set() -> set[int]:
    """Return the processor's cores that this process may use."""
    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def cores() -> int:
    """Return the number of the processor's cores that this process may use."""
    return len(_core_set())


def _share_of_cores(workers: "Workers") -> int:
    """Return how many cores this process may use, if the other processes on them take as many."""
    mine = (platform.node(), sorted(_core_set()))
    return max(1, cores() // workers.gather(mine).count(mine))


def blas_threads() -> int | None:
    """Return how many threads the matrix products may use now, or None if no BLAS reports a number."""
    return max((library["num_threads"] for library in _blas().info()), default=None)


def kernels() -> list[str]:
    """Return the kernels that the BLAS uses, such as SkylakeX. Other kernels give other last bits.

    Empty if the BLAS does not report them.
    """
    return sorted({library["architecture"] for library in _blas().info() if "architecture" in library})


def load_compiler() -> None:
    """Load Numba. It keeps the compiled steps in the user's cache directory.

    The environment variable NUMBA_CACHE_DIR names another directory. Raises ConfigError if Numba is missing or cannot
    compile.
    """
    from platformdirs import user_cache_path

    from mnist_nn.training.compiled_steps import keep_compiled_code, require_compiler

    require_compiler()
    keep_compiled_code(user_cache_path("nn", appauthor=False) / "compiled")


def choose_threads(config: "Config", workers: "Workers") -> AbstractContextManager[Any]:
    """Set the number of threads of this process. The BLAS gets its earlier number back at the end of the context.

    The number is `training.threads`. If the configuration does not set it, the number is chosen for the network, up
    to this process's share of the cores and to the limit of the environment (OPENBLAS_NUM_THREADS and similar
    variables). They are the threads of the matrix products, or of the shards if there are several: then each matrix
    product has one. Raises ConfigError if the configuration has compiled steps, but Numba cannot compile.
    """
    from mnist_nn.training.threads import threads_for

    if config.training.compiled:
        load_compiler()
    blas = _blas()
    available = max((library["num_threads"] for library in blas.info()), default=1)
    if workers.processes > 1:
        available = min(available, _share_of_cores(workers))
    threads = threads_for(config, available, kernels(), workers.processes)
    sharded = (config.training.shards or 1) > 1
    if sharded:
        workers.use_threads(threads)
    return cast(AbstractContextManager[Any], blas.limit(limits=1 if sharded else threads))


def describe_machine(workers: "Workers | None" = None, *, compiled: bool = False) -> dict[str, Any]:
    """Return the versions, the processor, the BLAS, and the numbers of threads and processes, for run.json.

    `compiled` adds the version of Numba, on which compiled steps depend.
    """
    import scipy  # type: ignore[import-untyped]

    build: Any = scipy.show_config(mode="dicts")
    blas = build.get("Build Dependencies", {}).get("blas", {})
    name = str(blas.get("name", "unknown"))
    here = cores()
    return {
        "versions": {
            "nn": version("mnist-nn"),
            "python": platform.python_version(),
            **{package: version(package) for package in ("numpy", "scipy", *(("numba",) if compiled else ()))},
        },
        "machine": {
            "platform": platform.platform(),
            "processor": platform.machine(),
            "model": _processor_model(),
            "cores": here,
            "blas": " ".join(filter(None, [name, blas.get("version"), *kernels()])),
            "threads": max(blas_threads() or here, workers.threads if workers else 1),
            "processes": workers.processes if workers else 1,
        },
    }
