"""One of several processes of `nn`, with a fault in one of them: `mpi_child.py FAULT RANK ARGUMENT…`.

The process of this rank has the fault. The others run the command as it is.
"""

import errno
import importlib.metadata
import os
import signal
import sys
from collections.abc import Callable
from itertools import count

from nn_cli.__main__ import main
from nn_cli.launcher import launched

from mnist_nn.training import loop, steps

STEP = 30  # of a process; the fault strikes before the first epoch of 16 steps has ended twice


def strike_in_training(act: Callable[[], object]) -> None:
    """Act between two batches."""
    calls, take = count(1), steps.ShardedGradient.backprop

    def struck(self: steps.ShardedGradient, *arguments: object) -> None:
        if next(calls) == STEP:
            act()
        take(self, *arguments)  # type: ignore[arg-type]

    steps.ShardedGradient.backprop = struck  # type: ignore[assignment, method-assign]


def fail() -> None:
    raise MemoryError("struck")


def fill_the_disk() -> None:
    """Let every later write to the disk fail."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    os.fsync = full


def pretend_another_version() -> None:
    importlib.metadata.version = lambda package: "9.9"  # type: ignore[assignment]


def take_other_data() -> None:
    sys.argv.extend(["--data-dir", os.environ["OTHER_DATA"]])


FAULTS: dict[str, Callable[[], object]] = {
    "none": lambda: None,
    "error": lambda: strike_in_training(fail),
    "kill": lambda: strike_in_training(lambda: os.kill(os.getpid(), signal.SIGKILL)),
    "term": lambda: strike_in_training(lambda: os.kill(os.getpid(), signal.SIGTERM)),
    "disk": lambda: strike_in_training(fill_the_disk),
    "version": pretend_another_version,
    "data": take_other_data,
    "threads": lambda: sys.argv.append("--set=training.threads=2"),
}

if __name__ == "__main__":
    loop.SLICE_STEPS = 5  # so that a signal stops a run in the middle of an epoch
    fault, rank = sys.argv.pop(1), int(sys.argv.pop(1))
    if launched().rank == rank:
        FAULTS[fault]()
    main()
