"""A run directory: the resolved configuration, the metrics, the checkpoints and a description of the run.

config.yaml                    the complete configuration; training with it repeats the run
metrics.csv                    one row per epoch
gradients.csv                  one row per epoch (from 0) and layer, if training.gradient_norms is true
evaluations.csv                one row per evaluation, see `evaluations`
checkpoints/last.safetensors   the state at the last save
checkpoints/best.safetensors   the state after the best epoch so far
snapshots/<step>.safetensors   if training.snapshots asks for them: the state after so many steps of training, counted
                               from its start and written with nine digits or more. Each is a checkpoint. Where early
                               stopping or a divergence ends the run, the snapshots of later steps are missing
run.json                       status, versions, machine, data digests, final figures, fingerprint; the configuration
                               once more, because JSON is read 100 times faster than YAML
.lock                          locked by the process that trains
.evaluations.lock              locked by the process that writes evaluations.csv, for an instant
"""

import contextlib
import math
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from data_scripts.files import create_directory, remove_leftovers, write_atomically

from ..configuration.reader import MAX_BYTES
from ..configuration.schema import Config
from ..configuration.writer import to_yaml
from ..errors import RunError
from ..training.state import EpochResult, GradientNorms, TrainingState
from .checkpoint import save_checkpoint
from .description import read_description, recorded, write_description
from .epoch_table import EpochTable, Row
from .lock import is_locked, locked

MAX_NUMBER = 2**53 - 1  # of a run; whoever reads run.json may take it for a floating-point number
HOUR = 3600  # seconds after which a half-made run directory belongs to no living process
SNAPSHOT = re.compile(r"([0-9]{9,})\.safetensors")  # the name of a snapshot, with its step

CheckpointName = Literal["best", "last"]


def now() -> str:
    """The current date and time in UTC, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class RunDirectory:
    """The paths and files of one run."""

    path: Path

    @property
    def config_file(self) -> Path:
        return self.path / "config.yaml"

    @property
    def description_file(self) -> Path:
        return self.path / "run.json"

    @property
    def _lock(self) -> Path:
        return self.path / ".lock"

    @property
    def exists(self) -> bool:
        """Whether the directory holds a run."""
        return self.description_file.is_file()

    def checkpoint(self, name: CheckpointName) -> Path:
        return self.path / "checkpoints" / f"{name}.safetensors"

    @property
    def snapshots_directory(self) -> Path:
        return self.path / "snapshots"

    def snapshot(self, step: int) -> Path:
        """The file of the snapshot after so many steps of training."""
        return self.snapshots_directory / f"{step:09d}.safetensors"

    def snapshots(self) -> list[tuple[int, Path]]:
        """The snapshots that there are, each with its step, in the order of the steps. Raises OSError."""
        try:
            names = {file.name for file in self.snapshots_directory.iterdir()}
        except FileNotFoundError:
            return []
        steps = sorted({int(match[1]) for match in map(SNAPSHOT.fullmatch, names) if match})
        return [(step, file) for step in steps if (file := self.snapshot(step)).name in names]

    @classmethod
    def create(
        cls,
        path: Path,
        config: Config,
        state: TrainingState,
        description: dict[str, Any],
        number: int | None = None,
    ) -> "RunDirectory":
        """Make a new run directory, and write everything that is known before training.

        `number` orders the runs beside each other. By default it is one more than the highest number there.

        The directory appears at once, with all its files: a process that dies earlier leaves nothing at `path`.
        Raises RunError where the directory exists already or cannot be made.
        """
        try:
            if path.exists() or path.is_symlink():
                raise _exists_already(path)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                cls(path).checkpoint("last").stat()  # raises OSError where this name would be too long
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):
                remove_leftovers(path.parent, older_than=HOUR)
        except FileExistsError as error:
            raise _cannot_be_made(path, f"{error.filename}: is not a directory") from None
        except OSError as error:
            culprit = f"{error.filename}: " if Path(str(error.filename)) in path.parents else ""
            raise _cannot_be_made(path, f"{culprit}{error.strerror}") from None
        except RecursionError:
            raise _cannot_be_made(path, "it is nested too deep") from None
        try:
            with create_directory(path) as temporary:
                run = cls(temporary)
                run.checkpoint("last").parent.mkdir()
                run.configure(config)
                run.metrics_table.write([])
                save_checkpoint(run.checkpoint("last"), config, state)
                number = 1 + _highest_number(path.parent) if number is None else number
                started = {"number": number, "started": now(), "status": "running"}
                write_description(run.description_file, {**description, "config": recorded(config), **started})
        except FileExistsError:
            raise _exists_already(path) from None
        except OSError as error:
            if error.filename is None or Path(error.filename) != path:
                raise  # about a file in the directory
            raise _cannot_be_made(path, str(error.strerror)) from None
        return cls(path)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Lock the run for this process, and remove files that a killed process left half-written.

        Raises RunError where another process holds the lock. The system releases the lock of a killed process.
        """
        with locked(self._lock, f"{self.path}: another process is training this run; wait for it, or stop it"):
            for directory in (self.path, self.checkpoint("last").parent, self.snapshots_directory):
                with contextlib.suppress(FileNotFoundError):
                    remove_leftovers(directory)
            yield

    def is_held(self) -> bool:
        """Whether a process trains this run. True too where that cannot be found out, as with another user's files."""
        return is_locked(self._lock)

    def configure(self, config: Config) -> None:
        """Write config.yaml, and the same configuration into run.json if the run has one.

        Raises RunError where config.yaml would be too large to be read back, or run.json is damaged.
        """
        resolved = to_yaml(config).encode()
        if len(resolved) > MAX_BYTES:
            raise RunError(
                f"the complete configuration takes {len(resolved):,} bytes, and at most {MAX_BYTES:,} are read "
                "back; put the examples into IDX files (data.source: idx)"
            )
        write_atomically(self.config_file, resolved)
        if self.exists and (description := self.description()).get("config") != recorded(config):
            write_description(self.description_file, {**description, "config": recorded(config)})

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """Open an existing run. Raises RunError where there is none."""
        run = cls(path)
        if not run.exists:
            raise RunError(f"{path}: is not a run directory (it holds no run.json)")
        return run

    def description(self) -> dict[str, Any]:
        """The content of run.json. Raises RunError where it cannot be read."""
        return read_description(self.description_file)

    def metrics(self) -> list[Row]:
        """The rows of metrics.csv, without a last row that was cut off. Raises RunError where the file is damaged."""
        table = self.metrics_table
        with table.damage_named():
            rows = table.read()
            for row in rows:
                numbers(row)  # raises ValueError for a damaged row
        return rows

    def gradient_norms(self, config: Config) -> list[GradientNorms]:
        """The gradient norms in gradients.csv, without a last epoch that was cut off.

        The list is empty where the file does not exist. Raises RunError where the file is damaged.
        """
        table = self.gradients_table(config)
        if not table.file.exists():
            return []
        L = table.rows_per_epoch
        with table.damage_named():
            rows = table.read()
            return [_norms(rows[start : start + L]) for start in range(0, len(rows), L)]

    @property
    def metrics_table(self) -> EpochTable:
        """The table in metrics.csv: one row for each EpochResult."""
        return EpochTable(self.path / "metrics.csv", [field.name for field in fields(EpochResult)], first_epoch=1)

    def gradients_table(self, config: Config) -> EpochTable:
        """The table in gradients.csv: a row for each layer of the configuration's network."""
        return EpochTable(
            self.path / "gradients.csv",
            ["epoch", "layer", "dC_dw_norm", "dC_db_norm"],
            first_epoch=0,
            rows_per_epoch=len(config.network.sizes) - 1,
        )


def _exists_already(path: Path) -> RunError:
    resume = f", or continue that run with --resume {quote(str(path))}" if RunDirectory(path).exists else ""
    return RunError(f"{path}: exists already, and a run is never overwritten; choose another --run-dir{resume}")


def _cannot_be_made(path: Path, reason: str) -> RunError:
    return RunError(f"{path}: the run directory cannot be made: {reason}; choose another with --run-dir")


def numbers(row: Row) -> dict[str, int | float | None]:
    """The values of a row as numbers, None for an empty value. Raises ValueError for anything else."""
    return {name: _number(value) if value else None for name, value in row.items()}


def _number(text: str) -> int | float:
    value = int(text) if text.isdecimal() and len(text) < 20 else float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def _norms(rows: list[Row]) -> GradientNorms:
    """The gradient norms in the rows of one epoch. Raises ValueError for wrong layers or values that are no numbers."""
    if [row["layer"] for row in rows] != [str(1 + i) for i in range(len(rows))]:
        raise ValueError("its layers do not count from 1")
    return GradientNorms(
        int(rows[0]["epoch"]),
        dC_dw={l: float(row["dC_dw_norm"]) for l, row in enumerate(rows, 1)},
        dC_db={l: float(row["dC_db_norm"]) for l, row in enumerate(rows, 1)},
    )


def new_run_path(root: Path, recipe: str) -> Path:
    """A path for a new run, <recipe>-<time>-<suffix>. The random suffix separates runs of the same second."""
    time = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return root / f"{recipe}-{time}-{secrets.token_hex(3)}"


def runs_under(root: Path) -> Iterator[tuple[RunDirectory, dict[str, Any]]]:
    """Yield the runs directly under a directory, each with its run.json. Runs with a damaged run.json are left out."""
    for file in root.glob("[!.]*/run.json"):
        with contextlib.suppress(RunError):
            yield RunDirectory(file.parent), read_description(file)


def newest_run(root: Path) -> RunDirectory:
    """The run under `root` that was started last, except diverged runs. Raises RunError where there is none.

    Runs are numbered as they start, because a clock may jump back. The time decides between runs of one number.
    """
    started = {
        run: (_number_of(description), description.get("started", ""))
        for run, description in runs_under(root)
        if description.get("status") != "diverged"
    }
    if not started:
        raise RunError(
            f"{root}: there are no runs here yet; make one with `nn train quickstart`, or name a run directory"
        )
    return max(started, key=lambda run: started[run])


def _highest_number(root: Path) -> int:
    return max((_number_of(description) for _, description in runs_under(root)), default=0)


def _number_of(description: dict[str, Any]) -> int:
    """The number of a run; 0 for one that leaves no room for later runs."""
    number = int(description.get("number", 0))
    return number if number < MAX_NUMBER else 0
