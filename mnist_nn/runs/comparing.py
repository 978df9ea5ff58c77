"""Runs side by side: a record of each, the settings in which they differ, and runs that differ in the seed alone.

A setting is one key of the configuration with its sections, such as `training.learning_rate`, and its value.
"""

import hashlib
import json
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from ..configuration.messages import first_problem, shorten
from ..configuration.reader import read_config
from ..configuration.schema import Config, Section
from ..errors import ConfigError, RunError
from ..training.state import EpochResult
from .description import RunDescription
from .epoch_table import Row
from .evaluations import RecordedEvaluation, read_evaluations
from .run_directory import RunDirectory, numbers

SEED = "seed"
MOST = {"train_accuracy": 1, "validation_accuracy": 1, "seconds": 1e9}  # that a row of metrics.csv can hold
VALIDATION = {"validation_cost", "validation_accuracy"}  # are empty where nothing is held out
NOT_COMPARED = {"data.dir"}  # says where the examples are, not which they are; each machine may have its own

RecordStatus = Literal["running", "stopped", "interrupted", "finished", "diverged", "damaged"]
Settings = dict[str, Any]


@dataclass(frozen=True)
class RunRecord:
    """What a run is and how it stands.

    A run is `stopped` if its process was killed: run.json says "running", but no process holds its lock. A `damaged`
    run has the reason in `damage`, and holds what could be read. `epochs` are the completed ones, `seconds` their
    training time. `best` is the best of them, None before the first. `evaluations` are the recorded ones; if these
    alone are damaged, only `damage` says so, because the run itself is whole.
    """

    path: Path
    status: RecordStatus = "damaged"
    recipe: str = ""
    number: int = 0
    started: str = ""
    data: str = ""  # the digest of the examples
    settings: Settings = field(default_factory=dict, repr=False)  # empty for a damaged configuration
    epochs: int = 0
    seconds: float = 0.0
    best: EpochResult | None = None
    damage: str = ""
    evaluations: Sequence[RecordedEvaluation] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """The name of the run directory."""
        return self.path.name or self.path.resolve().name

    @property
    def accuracy_on(self) -> Literal["validation", "train"] | None:
        """The examples of `accuracy`: the training examples where nothing is held out. None before the first epoch."""
        if self.best is None:
            return None
        return "train" if self.best.validation_accuracy is None else "validation"

    @property
    def accuracy(self) -> float | None:
        """The accuracy of the best epoch, from 0 to 1, on the examples held out. None before the first epoch."""
        return None if self.best is None else self.best.quality[0]

    @property
    def test(self) -> RecordedEvaluation | None:
        """The last evaluation of the best epoch on the test set of the run's own data source. None without any."""
        epoch, source = self.best and self.best.epoch, self.settings.get("data.source")
        for one in reversed(self.evaluations):
            if (one.split, one.checkpoint, one.epoch, one.source) == ("test", "best", epoch, source):
                return one
        return None

    @property
    def test_accuracy(self) -> float | None:
        """The accuracy of `test`, from 0 to 1. None without any."""
        return None if self.test is None else self.test.accuracy


@dataclass(frozen=True)
class Group:
    """Runs on the same examples that differ in the seed alone. At least one, in the order in which they were given."""

    records: Sequence[RunRecord]

    @property
    def settings(self) -> Settings:
        """The settings that all these runs share. The seed is none of them."""
        return {key: value for key, value in self.records[0].settings.items() if key != SEED}

    @property
    def data(self) -> str:
        """The digest of the examples."""
        return self.records[0].data

    @property
    def accuracies(self) -> list[float]:
        """The best accuracies of the runs that have completed an epoch."""
        return [record.accuracy for record in self.records if record.accuracy is not None]

    @property
    def mean(self) -> float | None:
        """The mean of the accuracies. None if there are none."""
        return mean(self.accuracies)

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation of the accuracies, with n − 1. None for fewer than two."""
        return deviation(self.accuracies)

    @property
    def test_accuracies(self) -> list[float]:
        """The test accuracies of the runs that were measured on the test set."""
        return [record.test_accuracy for record in self.records if record.test_accuracy is not None]


def mean(values: Sequence[float]) -> float | None:
    """The mean. None without any value."""
    return statistics.fmean(values) if values else None


def deviation(values: Sequence[float]) -> float | None:
    """The sample standard deviation, with n − 1. None for fewer than two values."""
    return statistics.stdev(values) if len(values) > 1 else None


def read_records(directory: Path) -> list[RunRecord]:
    """The run `directory`, or the runs directly in it, in the order in which they were started; damaged runs last.

    Raises RunError where there is no run.
    """
    if not directory.is_dir():
        raise RunError(
            f"{directory}: there is no such directory; make a run with `nn train quickstart`, or name a directory that "
            "holds runs"
        )
    if RunDirectory(directory).exists:
        return [read_record(RunDirectory(directory))]
    runs = runs_in(directory)
    if not runs:
        raise RunError(
            f"{directory}: there are no runs here yet; make one with `nn train quickstart`, or name a run directory"
        )
    return sorted(map(read_record, runs), key=lambda r: (r.status == "damaged", r.number, r.started, r.name))


def runs_in(directory: Path) -> list[RunDirectory]:
    """The runs directly in a directory, in any order, damaged runs too. Raises RunError where it cannot be read."""
    try:
        return [RunDirectory(path) for path in directory.iterdir() if _is_listed(path)]
    except OSError as error:
        raise RunError(f"{directory}: cannot be read: {error.strerror}") from None


def _is_listed(path: Path) -> bool:
    """Whether a directory is a run, even if its run.json is no file. Half-made runs have hidden names."""
    file = RunDirectory(path).description_file
    return not path.name.startswith(".") and (file.exists() or file.is_symlink())


def read_record(run: RunDirectory) -> RunRecord:
    """The record of a run. A run that cannot be read, or not as a whole, gives a record with the status "damaged"."""
    found: dict[str, Any] = {}
    try:
        described = RunDescription.model_validate(run.description())
        found = {
            "recipe": described.recipe,
            "number": described.number,
            "started": described.started,
            "data": str(described.data.get("sha256", "")),
        }
        found |= {"settings": settings_of(_config_of(run, described))}
        results = _results_of(run)
        found |= {
            "epochs": len(results),
            "seconds": math.fsum(result.seconds for result in results),
            "best": max(results, key=lambda result: result.quality, default=None),
        }
        killed = described.status == "running" and not run.is_held()
        found |= {"status": "stopped" if killed else described.status}
        found |= {"evaluations": tuple(read_evaluations(run))}
    except (RunError, ConfigError) as error:
        found |= {"damage": str(error)}
    return RunRecord(run.path, **found)


def _config_of(run: RunDirectory, described: RunDescription) -> Config:
    """The configuration in run.json. Runs of older versions have it in config.yaml only, which takes longer to read."""
    if described.config is None:
        return read_config(run.config_file)
    try:
        return Config.model_validate_json(json.dumps(described.config))
    except ValidationError as error:
        raise RunError(f"{run.description_file}: does not describe a run: {first_problem(error, 'config')}") from None


def _results_of(run: RunDirectory) -> list[EpochResult]:
    """The rows of metrics.csv. Raises RunError for figures that no training can bring."""
    with run.metrics_table.damage_named():
        return [_result(row) for row in run.metrics_table.read()]


def _result(row: Row) -> EpochResult:
    values: dict[str, Any] = numbers(row)
    missing = {name for name, value in values.items() if value is None} if None in values.values() else VALIDATION
    if missing != VALIDATION:
        raise ValueError(f"epoch {row['epoch']}: {min(missing)} is missing")
    for name, most in MOST.items():
        value = values[name]
        if value is not None and not 0 <= value <= most:
            raise ValueError(f"epoch {row['epoch']}: {name} is {shorten(row[name])}")
    return EpochResult(**values)


@cache
def setting_keys() -> tuple[str, ...]:
    """All keys of a configuration with their sections, in the order of config.yaml. `data.dir` is left out."""
    return tuple(key for key in _keys_in(Config) if key not in NOT_COMPARED)


def _keys_in(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for key, found in section.model_fields.items():
        inner = found.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from _keys_in(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def settings_of(config: Config) -> Settings:
    """The value of every key in `setting_keys`, as plain numbers, texts, lists and dicts."""
    values = config.model_dump()
    settings = {}
    for key in setting_keys():
        value: Any = values
        for part in key.split("."):
            value = value[part]
        settings[key] = value
    return settings


def differing_keys(records: Iterable[RunRecord]) -> list[str]:
    """The keys in which the configurations of these runs differ, in the order of config.yaml."""
    first, *others = [record.settings for record in records if record.settings] or [{}]
    return [key for key in first if any(settings[key] != first[key] for settings in others)]


def group_by_setting(records: Iterable[RunRecord]) -> list[Group]:
    """Runs that differ in the seed alone, together; the group with the highest mean accuracy first.

    Damaged runs are left out.
    """
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        if record.status != "damaged":
            shared = [record.settings | {SEED: None}, record.data]
            groups.setdefault(json.dumps(shared), []).append(record)
    found = [Group(together) for together in groups.values()]
    return sorted(found, key=lambda group: -1.0 if group.mean is None else group.mean, reverse=True)


def setting_text(value: Any) -> str:
    """The value of a setting in a few characters: 784-30-10, null, true, step(every=10, factor=0.1).

    Tables of numbers, such as `data.inputs`, are told apart by the beginning of a digest: 4×2 #0a1b2c.
    """
    match value:
        case None | bool():
            return json.dumps(value)
        case [int(), *_]:
            return "-".join(map(str, value))
        case [[*columns], *_]:
            return f"{len(value)}×{len(columns)} {_digest(value)}"
        case {"name": name, **rest}:
            return f"{name}({', '.join(f'{key}={inner}' for key, inner in rest.items())})"
        case dict():
            return f"given {_digest(value)}"
    return str(value)


def _digest(value: Any) -> str:
    return "#" + hashlib.sha256(json.dumps(value).encode()).hexdigest()[:6]
