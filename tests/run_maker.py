"""Run directories for tests, made without training."""

import json
from pathlib import Path
from typing import Any

from mnist_nn import Config, initial_state, save_checkpoint
from mnist_nn.runs.epoch_table import Row
from mnist_nn.runs.run_directory import RunDirectory

SMALL: dict[str, Any] = {"network": {"sizes": [4, 3, 2]}}


def make_run(
    path: str | Path,
    config: dict[str, Any] | None = None,
    *,
    accuracies: tuple[float, ...] = (0.5,),
    held_out: bool = True,
    **description: Any,
) -> Path:
    """Make a run with an epoch of 1.5 seconds for each accuracy. `description` has keys of run.json."""
    settings = Config.model_validate(SMALL | (config or {}))
    run = RunDirectory.create(Path(path), settings, initial_state(settings), {"recipe": "small"})
    run.metrics_table.write([epoch_row(i, accuracy, held_out) for i, accuracy in enumerate(accuracies, 1)])
    describe(run.path, **{"status": "finished", **description})
    return run.path


def epoch_row(epoch: int, accuracy: float, held_out: bool) -> Row:
    """A row of metrics.csv. The accuracy is that of the examples held out, if there are any."""
    validation = ("0.25", repr(accuracy)) if held_out else ("", "")
    names = ("epoch", "step", "learning_rate", "train_cost", "train_accuracy", "validation_cost", "validation_accuracy")
    values = (str(epoch), str(10 * epoch), "0.1", "0.25", repr(0.125 if held_out else accuracy), *validation)
    return {**dict(zip(names, values, strict=True)), "seconds": "1.500"}


def describe(path: Path, **description: Any) -> None:
    """Change keys of a run's run.json. A value of ... removes the key."""
    file = path / "run.json"
    values = json.loads(file.read_text()) | description
    file.write_text(json.dumps({key: value for key, value in values.items() if value is not ...}))


def make_measurable_run(
    path: str | Path,
    digits: Path,
    settings: dict[str, Any] | None = None,
    *,
    accuracy: float = 0.5,
    hidden: int = 12,
    **description: Any,
) -> Path:
    """Make a run for the digits in a directory, with an untrained network as its checkpoint `best`."""
    values = {"data": {"source": "idx", "dir": str(digits), "validation": 50}, "network": {"sizes": [784, hidden, 10]}}
    for section, changed in (settings or {}).items():
        values[section] = values.get(section, {}) | changed if isinstance(changed, dict) else changed
    config = Config.model_validate(values)
    run = make_run(path, values, accuracies=(accuracy,), **description)
    state = initial_state(config)
    state.epoch = 1
    save_checkpoint(run / "checkpoints" / "best.safetensors", config, state)
    return run
