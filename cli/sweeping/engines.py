"""Engines: what carries the trials to processes. Each is a `concurrent.futures.Executor`, and none knows of trials."""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import click

from ..launcher import launched
from ..text import note

CONNECT = 10  # seconds to wait for a scheduler


@dataclass(frozen=True)
class Engine:
    """An executor, and whether it still answers. A lost executor never completes what it was given."""

    executor: Executor
    is_alive: Callable[[], bool] = lambda: True

    def finish(self) -> None:
        """Wait for all trials. They end soon if the sweep is asked to stop."""
        if self.is_alive():
            self.executor.shutdown()


@contextlib.contextmanager
def local(jobs: int) -> Iterator[Engine]:
    """Yield an engine with `jobs` processes on this machine.

    Each of its threads has a process of its own. So a process that dies takes only its own trial with it, and the
    thread starts another.
    """
    from multiprocessing import get_context

    own = threading.local()
    pools: list[ProcessPoolExecutor] = []

    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        if getattr(own, "pool", None) is None:
            own.pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin_process)
            pools.append(own.pool)
        try:
            return own.pool.submit(function, *arguments).result()
        except BrokenExecutor:
            own.pool = None
            raise

    class Processes(ThreadPoolExecutor):
        def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
            return super().submit(run, function, *arguments, **named)

    try:
        with Processes(jobs) as executor:
            yield Engine(executor)
    finally:
        for pool in pools:
            pool.shutdown()


def _begin_process() -> None:
    """Let the command decide when this process ends, although Ctrl-C reaches all processes of a terminal."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process at once if the command is killed. What its trial has saved is resumed later."""
    import multiprocessing

    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def mpi() -> Iterator[Engine | None]:
    """Yield process 0 an engine over the other processes of the launcher. They work, and then get None."""
    if launched().processes < 2:
        raise click.UsageError("--on mpi: needs a launcher and at least 2 processes: mpiexec -n 3 nn sweep … --on mpi")
    if launched().rank:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        from mpi4py import MPI
        from mpi4py.futures import MPICommExecutor
    except (ImportError, RuntimeError) as error:
        raise click.ClickException(f"--on mpi: MPI cannot be loaded: {error}; pip install 'mnist-nn[mpi]'") from None
    with MPICommExecutor(MPI.COMM_WORLD, root=0) as executor:
        yield Engine(cast(Executor, executor)) if executor else None


@contextlib.contextmanager
def dask(on: str) -> Iterator[Engine]:
    """Yield an engine over the workers of a Dask scheduler. Raises ClickException if there is none."""
    address = f"tcp://{on.partition('://')[2]}"
    try:
        from distributed import Client
    except ImportError:
        raise click.ClickException(f"--on {on}: Dask is missing; pip install 'mnist-nn[dask]'") from None
    logging.disable()  # what is lost is told once, by the command
    try:
        client: Any = Client(address, timeout=CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise click.ClickException(
            f"--on {on}: no scheduler answers there: {error}; start one with `dask scheduler`"
        ) from None
    try:
        _require_equal(client)
        yield Engine(client.get_executor(pure=False), lambda: bool(client.status == "running"))
    finally:
        client.close(timeout=CONNECT)
        logging.disable(logging.NOTSET)


def _versions() -> dict[str, str]:
    """Return the versions that must be the same everywhere."""
    from importlib.metadata import version

    return {"nn": version("mnist-nn"), "numpy": version("numpy")}


def _require_equal(client: Any) -> None:
    """Raise ClickException if a worker has other versions. Say so if there are no workers, or too few processes."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        note("waiting for workers: start some with `dask worker`, on machines that see this directory")
        return
    for address, worker in workers.items():
        if worker["nthreads"] > 1:
            note(f"note: worker {address} trains one trial at a time; start workers with --nthreads 1 to use all cores")
            break
    expected = _versions()
    for address, found in client.run(_versions, on_error="return").items():
        if isinstance(found, BaseException):
            raise click.ClickException(f"worker {address}: {found}; install the same nn there")
        for key, value in expected.items():
            if found[key] != value:
                raise click.ClickException(
                    f"worker {address}: {key} is {found[key]}, but {value} here; both must be the same"
                )
