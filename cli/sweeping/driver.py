"""Hands the trials of a sweep to an executor, repeats those that fail, and tells what becomes of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import click

from ..failure import explain
from ..runs import shell_quoted
from .engines import Engine
from .trial import Task, has_ended, train_trial

if TYPE_CHECKING:
    from mnist_nn.sweeps.plan import Trial
    from mnist_nn.sweeps.sweep_directory import SweepDirectory

SWEEPS = Path("sweeps")  # where sweeps are
ATTEMPTS = 3  # of a trial
TICK = 0.5  # seconds between two events at most


@dataclass(frozen=True)
class Ended:
    """A trial that has ended. `reason` says why it failed; it is empty for a trial that was trained."""

    trial: "Trial"
    reason: str = ""


def run_trials(engine: Engine, sweep: "SweepDirectory", trials: "Sequence[Trial]") -> Iterator[Ended | None]:
    """Train trials, and yield each as it ends; None while there is nothing new.

    A trial that fails ATTEMPTS times has failed. Trials that the sweep asks to stop are not yielded. Raises
    ClickException if the engine is lost.
    """
    done: SimpleQueue[tuple[Trial, Future[None]]] = SimpleQueue()
    failures: Counter[str] = Counter()

    def submit(trial: "Trial") -> None:
        task = Task(sweep.path.absolute(), trial.name, trial.recipe, trial.number, trial.config.plain())
        engine.executor.submit(train_trial, task).add_done_callback(lambda future: done.put((trial, future)))

    for trial in trials:
        submit(trial)
    waiting = len(trials)
    while waiting:
        try:
            trial, future = done.get(timeout=TICK)
        except Empty:
            if not engine.is_alive():
                raise click.ClickException(
                    f"the scheduler is lost; what was saved is intact: continue with `{resume_command(sweep)}`"
                ) from None
            yield None
            continue
        reason = _failure_of(future, sweep, trial)
        if reason:
            failures[trial.name] += 1
            if failures[trial.name] < ATTEMPTS:
                submit(trial)
                continue
        waiting -= 1
        if reason or ended(sweep, trial):
            yield Ended(trial, reason)


def _failure_of(future: "Future[None]", sweep: "SweepDirectory", trial: "Trial") -> str:
    """Return why a trial has failed, in one line. Empty if it has ended, or if it was asked to stop."""
    try:
        future.result()
    except BrokenExecutor:
        reason = "its process was killed, perhaps because the memory was full"
    except (Exception, CancelledError) as error:
        failure = explain(error)
        reason = failure.message if failure else f"{type(error).__name__}: {error}"
    else:
        reason = f"{sweep.path}: is another directory there; put it on a disk that all machines share"
    return "" if ended(sweep, trial) or sweep.is_asked_to_stop() else " ".join(reason.split())


def resume_command(sweep: "SweepDirectory") -> str:
    """Return the command that finishes a sweep."""
    path = sweep.path
    return f"nn sweep --resume {shell_quoted(Path(path.name) if path.parent == SWEEPS else path)}"


def ended(sweep: "SweepDirectory", trial: "Trial") -> bool:
    """Whether nothing is left to do for a trial. A damaged trial has not ended: it will fail, and be named."""
    from mnist_nn.errors import RunError

    try:
        return has_ended(sweep.run(trial))
    except RunError:  # a damaged run.json
        return False
