"""How a network came to be: the network before training, the snapshots on the way, and the metrics of each epoch."""

from dataclasses import dataclass
from pathlib import Path

from ..chapter.network import Network
from ..runs.checkpoint import Checkpoint, load_checkpoint
from ..runs.run_directory import RunDirectory, numbers
from ..training.state import initialized_network

CURVES = ("step", "train_cost", "train_accuracy", "validation_cost", "validation_accuracy")


@dataclass(frozen=True)
class History:
    """The course of a training, as far as its run directory tells it.

    `moment` says which state of the training the report shows. `snapshots` has each kept state with its step, and
    `metrics` has the columns of metrics.csv by name, None without a run directory.
    """

    moment: str
    fresh: Network
    snapshots: list[tuple[int, Checkpoint]]
    metrics: dict[str, list[float | None]] | None


def read_history(checkpoint: Checkpoint, directory: Path | None) -> History:
    """Return the history of a checkpoint. `directory` is its run directory, or None without one.

    Raises CheckpointError where a snapshot is damaged, RunError where metrics.csv is.
    """
    epoch = checkpoint.state.epoch
    moment = f"trained: epoch {epoch}" if epoch or checkpoint.state.step else "before training"
    fresh = initialized_network(checkpoint.config)
    if directory is None:
        return History(moment, fresh, [], None)
    run = RunDirectory(directory)
    rows = [numbers(row) for row in run.metrics()]
    return History(
        moment,
        fresh,
        [(step, load_checkpoint(file)) for step, file in run.snapshots()],
        {name: [row[name] for row in rows] for name in CURVES} if rows else None,
    )
