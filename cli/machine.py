"""What a run was computed with, for run.json."""

import contextlib
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

THREADS = {"openblas": "OPENBLAS_NUM_THREADS", "mkl": "MKL_NUM_THREADS", "accelerate": "VECLIB_MAXIMUM_THREADS"}


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What decides the last bits of a result and is not what it was, such as "numpy was 2.3.0 and is 2.4.1"."""
    found = []
    for part, keys in (("versions", ("nn", "numpy")), ("machine", ("processor", "model", "blas", "threads"))):
        before, after = then.get(part, {}), now[part]
        found += [f"{key} was {before.get(key)} and is {after[key]}" for key in keys if before.get(key) != after[key]]
    return found


def _processor_model() -> str:
    """The processor's name where the system tells it, else its kind."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe_machine() -> dict[str, Any]:
    """Versions, processor, BLAS and the number of threads it may use."""
    import numpy as np

    build: Any = np.show_config(mode="dicts")
    blas = build.get("Build Dependencies", {}).get("blas", {})
    name = str(blas.get("name", "unknown"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    variables = [variable for key, variable in THREADS.items() if key in name] + ["OMP_NUM_THREADS"]
    limits = [int(os.environ[variable]) for variable in variables if os.environ.get(variable, "").isdecimal()]
    return {
        "versions": {
            "nn": version("mnist-nn"),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "machine": {
            "platform": platform.platform(),
            "processor": platform.machine(),
            "model": _processor_model(),
            "cores": cores,
            "blas": f"{name} {blas.get('version', '')}".strip(),
            "threads": limits[0] if limits else cores,
        },
    }
