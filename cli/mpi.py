"""Workers in several processes, connected by MPI (https://www.mpi-forum.org), through mpi4py."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import mpi4py
import numpy as np

from mnist_nn.chapter.activation import Array
from mnist_nn.training.tree_sum import add_processes
from mnist_nn.training.workers import Workers

mpi4py.rc.thread_level = "funneled"  # only the main thread of a process talks to others

with warnings.catch_warnings():
    warnings.simplefilter("ignore", RuntimeWarning)  # of another MPI's launcher, which `connected` refuses
    from mpi4py import MPI  # it starts MPI


class MPIWorkers(Workers):
    """The threads of this process, and the other processes of MPI's COMM_WORLD."""

    def __init__(self) -> None:
        super().__init__()
        self._comm = MPI.COMM_WORLD
        self.rank, self.processes = self._comm.Get_rank(), self._comm.Get_size()
        self._received: dict[tuple[int, Any], Array] = {}

    def add(self, vector: Array) -> None:
        """Replace the vector by the sum of the vectors of all processes, in place, in the order of the tree."""
        kind = (vector.size, vector.dtype)
        if kind not in self._received:
            self._received[kind] = np.empty_like(vector)
        with _losses_explained():
            add_processes(vector, self.rank, self.processes, self._exchange, self._received[kind])

    def _exchange(self, sent: Array, partner: int, received: Array) -> None:
        self._comm.Sendrecv(sent, partner, 0, received, partner, 0)

    def gather(self, mine: Any) -> list[Any]:
        """Return what each process passed, in the order of the processes."""
        with _losses_explained():
            return self._comm.allgather(mine)

    def abort(self, code: int) -> None:
        """End all processes with this exit code."""
        self._comm.Abort(code)


@contextmanager
def _losses_explained() -> Iterator[None]:
    """Raise ClickException if another process cannot be reached."""
    try:
        yield
    except MPI.Exception as error:
        raise click.ClickException(
            f"another process is lost ({str(error).splitlines()[-1].strip()}); what was saved is intact: "
            "continue with `nn train --resume`"
        ) from None


def library() -> str:
    """Return the name of the MPI library, such as "MPICH 4.2"."""
    (name, version) = MPI.get_vendor()
    return f"{name} {'.'.join(map(str, version))}"
