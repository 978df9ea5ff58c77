"""Several processes that train one run together, started by `mpiexec` or `srun`.

All come to the same places of the program together. Process 0 alone prints, writes and holds the lock. If one process
fails, all end. MPI is loaded only if a launcher has set its environment variables.
"""

import contextlib
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .failure import EXIT_FAILURE, Failure, SharedFailure, explain, report
from .interruption import SIGNALS, Interrupted
from .launcher import Launched, launched

if TYPE_CHECKING:
    from mnist_nn.training.workers import Workers

    from .mpi import MPIWorkers

PATIENCE = 0.3  # seconds; where all processes have the same error or signal, process 0 has the first word
LAST_WORD = 0.05  # seconds until a line on stderr has passed through the launcher
GRACE = 60.0  # seconds for the launcher to end this process

Loaded = TypeVar("Loaded")


@contextmanager
def connected() -> Iterator["Workers"]:
    """Yield this process's workers, connected with the other processes of the launcher if there are any.

    Only process 0 prints. An error that leaves the block on one process alone ends them all.
    """
    here = launched()
    if here.processes == 1:
        from mnist_nn.training.workers import Workers

        yield Workers()
        return
    workers = _connect(here)
    try:
        with contextlib.ExitStack() as stack:
            if workers.rank:
                silence = stack.enter_context(Path(os.devnull).open("w"))
                stack.enter_context(contextlib.redirect_stdout(silence))
                stack.enter_context(contextlib.redirect_stderr(silence))
            yield workers
    except BaseException as error:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # nothing may come between an error and the end of all processes
        if not isinstance(error, SharedFailure) and not (isinstance(error, Interrupted) and error.reported):
            _abort(workers, error)
        failure = explain(error)
        if workers.rank == 0 and failure is not None:
            report(failure)
        workers.gather(None)  # a launcher may kill the others as soon as one has left
        sys.exit(failure.code if failure else EXIT_FAILURE)


def _connect(here: Launched) -> "MPIWorkers":
    """Load MPI. If it cannot be loaded, or is not the launcher's MPI, explain that once on each host, and exit."""
    try:
        from .mpi import MPIWorkers, library

        workers = MPIWorkers()
        if workers.processes == here.processes:
            return workers
        reason = f"mpi4py uses {library()}, which sees {workers.processes}; start them with the mpiexec of that MPI"
    except (ImportError, RuntimeError) as error:
        (first, *_) = str(error).splitlines() or [type(error).__name__]
        reason = f"MPI cannot be loaded: {first}; pip install mpi4py, and also mpich where the machine has no MPI"
    if here.local_rank == 0:
        host = f"{_name(here.rank, platform.node())}: " if here.rank else ""
        report(Failure(f"{host}a launcher started {here.processes} processes, but {reason}", EXIT_FAILURE))
    sys.exit(EXIT_FAILURE)


def _abort(workers: "MPIWorkers", error: BaseException) -> None:
    """Explain an error of this process, and end all processes."""
    if workers.rank:
        time.sleep(PATIENCE)
    failure = explain(error)
    if failure is None:
        sys.excepthook(type(error), error, error.__traceback__)
        failure = Failure("an error of nn itself", EXIT_FAILURE)
    code = report(Failure(f"{_name(workers.rank, platform.node())}: {failure.message}", failure.code))
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    time.sleep(LAST_WORD)
    workers.abort(code)
    time.sleep(GRACE)
    os._exit(code)


def _name(rank: int, host: str) -> str:
    return f"process {rank} on {host}"


@contextmanager
def together(workers: "Workers") -> Iterator[None]:
    """Let all processes leave the block together. If it fails on one, it fails on all, with the same message."""
    if workers.processes == 1:
        yield
        return
    failure = None
    try:
        yield
    except Exception as error:
        failure = explain(error)
        if failure is None:
            raise
    failures = workers.gather((failure, platform.node()))
    for rank, (failure, host) in enumerate(failures):
        if failure is not None:
            if all(other == failure for other, _ in failures):
                raise SharedFailure(failure)
            raise SharedFailure(Failure(f"{_name(rank, host)}: {failure.message}", failure.code))


def in_turn(workers: "Workers", load: Callable[[], Loaded]) -> Loaded:
    """Call a function on process 0 first, then on the others, which may find what process 0 has downloaded."""
    loaded: list[Loaded] = []
    for turn in (True, False):
        with together(workers):
            if turn is (workers.rank == 0):
                loaded.append(load())
    return loaded[0]


def require_equal(workers: "Workers", facts: dict[str, Any]) -> None:
    """Fail on all processes if a fact differs between them. The message names the first process that differs."""
    from mnist_nn.configuration.changes import changes

    (first, first_host), *others = workers.gather((facts, platform.node()))
    for rank, (found, host) in enumerate(others, 1):
        for key, other, expected in changes(found, first):
            message = f"{_name(rank, host)}: {key} is {other}, but {expected} in {_name(0, first_host)}"
            raise SharedFailure(Failure(f"{message}; all processes need the same", EXIT_FAILURE))
