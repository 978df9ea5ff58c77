"""A run directory: the resolved configuration, the metrics, the checkpoints and a description of the run.

config.yaml                    the complete configuration; training with it repeats the run
metrics.csv                    one row per epoch
gradients.csv                  one row per epoch (from 0) and layer, if training.gradient_norms is true
checkpoints/last.safetensors   the state at the last save
checkpoints/best.safetensors   the state after the best epoch so far
run.json                       status, versions, machine, data digests, final figures, fingerprint
.lock                          locked by the process that trains
"""

import contextlib
import json
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from filelock import FileLock, Timeout

from data_scripts.files import remove_leftovers, write_atomically

from ..configuration.reader import MAX_BYTES
from ..configuration.schema import Config
from ..configuration.writer import to_yaml
from ..errors import DivergenceError, RunError
from ..training.loop import Progress
from ..training.state import EpochResult, GradientNorms, TrainingState
from .checkpoint import fingerprint, save_checkpoint
from .epoch_table import EpochTable, Row

Status = Literal["running", "interrupted", "finished", "diverged"]
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
    def metrics_file(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def gradients_file(self) -> Path:
        return self.path / "gradients.csv"

    @property
    def description_file(self) -> Path:
        return self.path / "run.json"

    @property
    def exists(self) -> bool:
        """Whether the directory holds a run."""
        return self.description_file.is_file()

    def checkpoint(self, name: CheckpointName) -> Path:
        return self.path / "checkpoints" / f"{name}.safetensors"

    @classmethod
    def create(cls, path: Path, config: Config, state: TrainingState, description: dict[str, Any]) -> "RunDirectory":
        """Make a new run directory, and write everything that is known before training.

        Raises RunError where the directory exists already or cannot be made.
        """
        try:
            path.mkdir(parents=True)
        except OSError as error:
            culprit = "" if Path(error.filename) == path else f"{error.filename}: "  # the culprit may be a parent
            if culprit or not isinstance(error, FileExistsError):
                raise RunError(
                    f"{path}: the run directory cannot be made: {culprit}{error.strerror}; "
                    "choose another with --run-dir"
                ) from None
            resume = f", or continue that run with --resume {quote(str(path))}" if cls(path).exists else ""
            raise RunError(
                f"{path}: exists already, and a run is never written over; choose another --run-dir{resume}"
            ) from None
        run = cls(path)
        try:
            run.checkpoint("last").parent.mkdir()
            run.configure(config)
            run._metrics_table.write([])
            save_checkpoint(run.checkpoint("last"), config, state)
            run.describe({**description, "started": now(), "status": "running"})
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)  # an incomplete run would be useless
            raise
        return run

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Lock the run for this process, and remove files that a killed process left half-written.

        Raises RunError where another process holds the lock. The system releases the lock of a killed process.
        """
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(f"{self.path}: another process is training this run; wait for it, or stop it") from None
        try:
            for directory in (self.path, self.checkpoint("last").parent):
                remove_leftovers(directory)
            yield
        finally:
            lock.release()

    def configure(self, config: Config) -> None:
        """Write config.yaml. Raises RunError where it would be too large to be read back."""
        resolved = to_yaml(config).encode()
        if len(resolved) > MAX_BYTES:
            raise RunError(
                f"the complete configuration takes {len(resolved):,} bytes, and at most {MAX_BYTES:,} are read "
                "back; put the examples into IDX files (data.source: idx)"
            )
        write_atomically(self.config_file, resolved)

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """Open an existing run. Raises RunError where there is none."""
        run = cls(path)
        if not run.exists:
            raise RunError(f"{path}: is not a run directory (it holds no run.json)")
        return run

    def description(self) -> dict[str, Any]:
        """The content of run.json. Raises RunError where it cannot be read."""
        try:
            content = json.loads(self.description_file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{self.description_file}: cannot be read: {error}") from None
        if not isinstance(content, dict):
            raise RunError(f"{self.description_file}: does not describe a run")
        return content

    def describe(self, description: dict[str, Any]) -> None:
        """Replace run.json."""
        write_atomically(self.description_file, (json.dumps(description, indent=2) + "\n").encode())

    def set_status(self, status: Status, state: TrainingState) -> None:
        """Write the run's status, its last and best metrics and the fingerprint of its parameters to run.json."""
        rows = self.metrics()
        self.describe(
            {
                **self.description(),
                "status": status,
                "updated": now(),
                "epochs": state.epoch,
                "last": _numbers(rows[-1]) if rows else None,
                "best": _numbers(rows[state.best.epoch - 1]) if state.best else None,
                "fingerprint": fingerprint(state.network),
            }
        )

    def metrics(self) -> list[Row]:
        """The rows of metrics.csv, without a last row that was cut off. Raises RunError where the file is damaged."""
        table = self._metrics_table
        with table.damage_named():
            rows = table.read()
            for row in rows:
                _numbers(row)  # raises ValueError for a damaged row
        return rows

    def gradient_norms(self, config: Config) -> list[GradientNorms]:
        """The gradient norms in gradients.csv, without a last epoch that was cut off.

        The list is empty where the file does not exist. Raises RunError where the file is damaged.
        """
        if not self.gradients_file.exists():
            return []
        table = self._gradients_table(config)
        L = table.rows_per_epoch
        with table.damage_named():
            rows = table.read()
            return [_norms(rows[start : start + L]) for start in range(0, len(rows), L)]

    @property
    def _metrics_table(self) -> EpochTable:
        return EpochTable(self.metrics_file, [field.name for field in fields(EpochResult)], first_epoch=1)

    def _gradients_table(self, config: Config) -> EpochTable:
        return EpochTable(
            self.gradients_file,
            ["epoch", "layer", "dC_dw_norm", "dC_db_norm"],
            first_epoch=0,
            rows_per_epoch=len(config.network.sizes) - 1,
        )

    def record(self, config: Config, state: TrainingState, progress: Iterable[Progress]) -> Iterator[Progress]:
        """Yield training's reports, after writing the metrics, gradient norms and checkpoints of each completed epoch.

        Metrics and gradient norms are written before the checkpoint. If the process dies in between, they have rows
        that the last checkpoint does not know. Continuing the run drops these rows.
        """
        metrics, gradients = self._metrics_table, self._gradients_table(config)
        metrics.truncate_after(state.epoch, self.metrics())
        if config.training.gradient_norms:
            last_recorded = state.epoch if state.epoch or state.step else -1  # before the first step: not even epoch 0
            recorded = [row for norms in self.gradient_norms(config) for row in _gradient_rows(norms)]
            gradients.truncate_after(last_recorded, recorded)
        self.describe({**self.description(), "status": "running", "updated": now()})
        try:
            for report in progress:
                if report.gradient_norms:
                    gradients.append(_gradient_rows(report.gradient_norms))
                if report.result:
                    metrics.append([_row(report.result)])
                    if report.is_best:
                        save_checkpoint(self.checkpoint("best"), config, state)
                    save_checkpoint(self.checkpoint("last"), config, state)
                yield report
        except DivergenceError:
            self.describe({**self.description(), "status": "diverged", "updated": now()})
            raise
        self.set_status("finished", state)

    def interrupt(self, config: Config, state: TrainingState) -> None:
        """Save the state in the middle of an epoch, for `--resume`."""
        save_checkpoint(self.checkpoint("last"), config, state)
        self.set_status("interrupted", state)


def _row(result: EpochResult) -> Row:
    """A result as a row of metrics.csv. Its numbers read back exactly; only seconds are rounded, to milliseconds."""
    row = {name: "" if value is None else repr(value) for name, value in asdict(result).items()}
    return {**row, "seconds": f"{result.seconds:.3f}"}


def _numbers(row: Row) -> dict[str, float | None]:
    """The values of a row as numbers, None for an empty value. Raises ValueError for anything else."""
    return {name: json.loads(value) if value else None for name, value in row.items()}


def _gradient_rows(norms: GradientNorms) -> list[Row]:
    return [
        {"epoch": str(norms.epoch), "layer": str(l), "dC_dw_norm": repr(dC_dw), "dC_db_norm": repr(norms.dC_db[l])}
        for l, dC_dw in norms.dC_dw.items()
    ]


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


def newest_run(root: Path) -> RunDirectory:
    """The run under `root` that was started last, except diverged runs. Raises RunError where there is none."""
    started = {}
    for file in root.glob("*/run.json"):
        run = RunDirectory(file.parent)
        with contextlib.suppress(RunError):  # a damaged run does not hide the others
            description = run.description()
            if description.get("status") != "diverged":
                started[run] = str(description.get("started", ""))
    if not started:
        raise RunError(f"{root}: there are no runs here yet; make one with `nn train`, or name a run directory")
    return max(started, key=lambda run: started[run])
