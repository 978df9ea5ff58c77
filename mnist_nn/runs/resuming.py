"""What may change when a run is continued: the number of epochs, and nothing else."""

from collections.abc import Sequence
from shlex import quote

from ..configuration.changes import changes
from ..configuration.reader import read_config
from ..configuration.schema import Config
from ..errors import ConfigError, RunError
from ..training.state import TrainingState
from .checkpoint import Checkpoint, load_checkpoint
from .run_directory import RunDirectory


def settings_to_resume(run: RunDirectory, checkpoint: Checkpoint, overrides: Sequence[str] = ()) -> Config:
    """The configuration to continue a run with: the run's own, with overrides such as "training.epochs=40".

    Raises ConfigError where anything but the number of epochs differs from the configuration that the run was started
    with, or where the run has more epochs already.
    """
    asked, started = read_config(run.config_file, overrides), checkpoint.config
    for key, now, then in changes(asked.plain(), started.plain()):
        if key != "training.epochs":
            raise ConfigError(
                f"{key}: {now}: this run was started with {then}, and only training.epochs can be changed; train anew"
            )
    epochs, state = asked.training.epochs, checkpoint.state
    if epochs < state.epoch:
        raise ConfigError(f"training.epochs: {epochs}: this run has already completed {state.epoch} epochs")
    if epochs == state.epoch and state.step:
        raise ConfigError(f"training.epochs: {epochs}: this run has already begun epoch {epochs + 1}; ask for as many")
    return asked


def require_best(run: RunDirectory, state: TrainingState) -> None:
    """Raise RunError where the checkpoint of the best epoch is missing, CheckpointError where it is damaged."""
    best, file = state.best, run.checkpoint("best")
    if best is None:
        return
    if not file.exists():
        raise RunError(
            f"{file}: is missing, but epoch {best.epoch} was the best so far; restore the file, or train anew with "
            f"`nn train {quote(str(run.config_file))}`"
        )
    if load_checkpoint(file).state.epoch < best.epoch:
        raise RunError(f"{file}: is not the checkpoint of epoch {best.epoch}, the best so far; restore it")
