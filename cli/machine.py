"""What a run was computed with, for run.json."""

import contextlib
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mnist_nn import Config


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What decides the last bits of a result and is not what it was, such as "numpy was 2.3.0 and is 2.4.1"."""
    found = []
    for part, keys in (
        ("versions", ("nn", "numpy", "numba", "scipy")),
        ("machine", ("processor", "model", "blas", "threads")),
    ):
        before, after = then.get(part, {}), now[part]
        found += [
            f"{key} was {before.get(key)} and is {after.get(key)}" for key in keys if before.get(key) != after.get(key)
        ]
    return found


def _processor_model() -> str:
    """The processor's name where the system tells it, else its kind."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _blas() -> Any:
    """The BLAS that NumPy has loaded, and SciPy where steps are compiled, as far as threadpoolctl knows it."""
    import numpy  # noqa: F401 - loads it
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController().select(user_api="blas")


def blas_threads() -> int | None:
    """How many threads the matrix products may use now; None of a BLAS that does not tell."""
    return max((library["num_threads"] for library in _blas().info()), default=None)


def kernels() -> list[str]:
    """For which processor the BLAS computes, such as SkylakeX, where it tells: other kernels give other last bits."""
    return sorted({library["architecture"] for library in _blas().info() if "architecture" in library})


def choose_threads(config: "Config") -> None:
    """For the rest of this command let the matrix products use the threads that the configuration asks for.

    Where it leaves that open, no more than the environment allows (OPENBLAS_NUM_THREADS and the like). Raises
    ConfigError where it asks for compiled steps and they cannot be had.
    """
    from mnist_nn.training.threads import threads_for

    if config.training.compiled:
        import mnist_nn.training.compiled_steps  # noqa: F401 - loads the BLAS of the compiled steps
    blas = _blas()
    available = max((library["num_threads"] for library in blas.info()), default=1)
    click.get_current_context().with_resource(blas.limit(limits=threads_for(config, available, kernels())))


def describe_machine(*, compiled: bool = False) -> dict[str, Any]:
    """Versions, processor, BLAS and the number of threads it may use; with those that compiled steps depend on."""
    import numpy as np

    build: Any = np.show_config(mode="dicts")
    blas = build.get("Build Dependencies", {}).get("blas", {})
    name = str(blas.get("name", "unknown"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "versions": {
            "nn": version("mnist-nn"),
            "python": platform.python_version(),
            "numpy": np.__version__,
            **({package: version(package) for package in ("numba", "scipy")} if compiled else {}),
        },
        "machine": {
            "platform": platform.platform(),
            "processor": platform.machine(),
            "model": _processor_model(),
            "cores": cores,
            "blas": " ".join(filter(None, [name, blas.get("version"), *kernels()])),
            "threads": blas_threads() or cores,
        },
    }
