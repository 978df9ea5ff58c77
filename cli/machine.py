"""What a run was computed with, for run.json."""

import os
import platform
from importlib.metadata import version
from typing import Any

THREADS = {"openblas": "OPENBLAS_NUM_THREADS", "mkl": "MKL_NUM_THREADS", "accelerate": "VECLIB_MAXIMUM_THREADS"}


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
            "cores": cores,
            "blas": f"{name} {blas.get('version', '')}".strip(),
            "threads": limits[0] if limits else cores,
        },
    }
