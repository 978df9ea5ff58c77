"""One trial of a sweep, in the process that an engine chose: train the run directory, or resume it.

Any process may do it, again and again: what is done is in the directory, and a resumed trial has the same bits.
"""

import platform
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..text import printable

if TYPE_CHECKING:
    from mnist_nn import Config
    from mnist_nn.runs.run_directory import RunDirectory
    from mnist_nn.training.state import TrainingState

LOOK = 0.2  # seconds between two looks for a request to stop, or at a lock

# The number of threads of the BLAS belongs to the whole process. So does this lock: one trial at a time.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Task:
    """What a process must know of a trial. All of it can be pickled."""

    sweep: Path  # absolute
    name: str
    recipe: str
    number: int
    config: dict[str, Any]


def train_trial(task: Task) -> None:
    """Train a trial until its end, or until the sweep is asked to stop. A trial that has ended is left as it is.

    A trial that diverges has ended. Raises the errors of `nn train`.
    """
    with _one_at_a_time, ExitStack() as held:
        _train(task, held)


def _train(task: Task, held: ExitStack) -> None:
    from mnist_nn import Config
    from mnist_nn.errors import DivergenceError, RunError
    from mnist_nn.runs.run_directory import RunDirectory
    from mnist_nn.sweeps.sweep_directory import SweepDirectory
    from mnist_nn.training.workers import Workers

    from ..loading import load_training
    from ..machine import choose_threads
    from ..recording import describe_training, record_training

    sweep, config, workers = SweepDirectory(task.sweep), Config.model_validate(task.config), Workers()
    if not sweep.exists:
        raise RunError(f"{task.sweep}: cannot be seen from this machine; put it on a disk that all machines share")
    if not sweep.is_held():
        raise RunError(
            f"{task.sweep}: its lock is not seen on {platform.node()}: the command has ended, or the disk carries no "
            "locks from one machine to another; use one that does, such as NFS 4"
        )
    stop = _watch(sweep.is_asked_to_stop)
    run = RunDirectory(task.sweep / task.name)
    while run.is_held() and not stop():  # by a process that outlived its command
        time.sleep(LOOK)
    if stop() or has_ended(run):
        return
    held.enter_context(choose_threads(config, workers))
    training, validation = load_training(config)
    description = describe_training(config, training, validation, workers)
    state = _begin(task, run, config, description, held)
    try:
        record_training(run, config, state, training, validation, workers, show=lambda _: None, stop=stop)
    except DivergenceError:
        return  # run.json says it


def has_ended(run: "RunDirectory") -> bool:
    """Whether nothing is left to do for a trial. Raises RunError if its run.json is damaged."""
    return run.exists and run.description().get("status") in ("finished", "diverged")


def _begin(
    task: Task, run: "RunDirectory", config: "Config", description: dict[str, Any], held: ExitStack
) -> "TrainingState":
    """Return the state in which training starts or continues. The run is held from here on."""
    from mnist_nn import initial_state, load_checkpoint
    from mnist_nn.errors import RunError
    from mnist_nn.runs.resuming import require_best

    if not run.exists:
        state = initial_state(config)
        named = {"recipe": printable(task.recipe), **description}
        run.create(run.path, config, state, named, number=task.number)
        held.enter_context(run.held())
        return state
    held.enter_context(run.held())
    checkpoint = load_checkpoint(run.checkpoint("last"))
    if _comparable(checkpoint.config) != _comparable(config):
        raise RunError(f"{run.path}: was trained with another configuration; remove it to train this trial anew")
    if run.description().get("data") != description["data"]:
        raise RunError(f"{run.path}: was trained on other data; every machine needs the same data")
    require_best(run, checkpoint.state)
    return checkpoint.state


def _comparable(config: "Config") -> dict[str, Any]:
    """Return the configuration without the place of its data, which each machine may have elsewhere."""
    values = config.plain()
    del values["data"]["dir"]
    return values


def _watch(is_asked: Callable[[], bool]) -> Callable[[], int]:
    """Return a function that returns 1 once the sweep is asked to stop. It looks a few times a second only."""
    looked, asked = -LOOK, 0

    def stop() -> int:
        nonlocal looked, asked
        if not asked and time.monotonic() >= looked + LOOK:
            looked, asked = time.monotonic(), int(is_asked())
        return asked

    return stop
