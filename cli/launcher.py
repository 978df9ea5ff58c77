"""What `mpiexec` or `srun` tells its processes, before MPI is loaded."""

import os
from dataclasses import dataclass

# Environment variables with the number of processes and with the rank of this one: Open MPI, MPICH and others, srun.
LAUNCHERS = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("PMI_SIZE", "PMI_RANK"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
)
LOCAL_RANKS = ("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")


@dataclass(frozen=True)
class Launched:
    """The number of processes, the rank of this one, and its rank among those of its host."""

    processes: int = 1
    rank: int = 0
    local_rank: int = 0


def launched() -> Launched:
    """Return what the launcher set in the environment. Without a launcher there is one process."""
    for size, rank in LAUNCHERS:
        if (processes := _number(size)) is not None and (own := _number(rank)) is not None:
            local = next((n for name in LOCAL_RANKS if (n := _number(name)) is not None), 0)
            return Launched(processes, own, local)
    return Launched()


def _number(name: str) -> int | None:
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else None
