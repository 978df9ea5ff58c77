"""What a run was computed with, for run.json."""

import os
import platform
from importlib.metadata import version
from typing import Any

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def describe_machine() -> dict[str, Any]:
    """Versions, processor, BLAS and its threads."""
    import numpy as np

    build: Any = np.show_config(mode="dicts")
    blas = build["Build Dependencies"]["blas"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = [os.environ[name] for name in THREADS if os.environ.get(name)]
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
            "blas": f"{blas['name']} {blas['version']}",
            "threads": limits[0] if limits else cores,
        },
    }
