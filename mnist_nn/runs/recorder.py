"""Writes what training reports into a run directory."""

from dataclasses import asdict, replace
from typing import Any

from ..configuration.schema import Config
from ..training.loop import Progress
from ..training.state import EpochResult, GradientNorms, TrainingState
from .checkpoint import fingerprint, save_checkpoint
from .description import Status, write_description
from .epoch_table import Row
from .run_directory import RunDirectory, now, numbers


class Recorder:
    """Records the training of one run: its metrics, gradient norms, checkpoints, snapshots and status.

    Call `start` before training, `write` with each report, and `finish`, `interrupt` or `diverge` at the end. All
    raise OSError.

    What a run's files hold is read once, at the start. A table that is cut, emptied or removed afterwards is written
    anew, and so is run.json.
    """

    def __init__(self, run: RunDirectory, config: Config, state: TrainingState) -> None:
        """Drop the rows and snapshots beyond `state`: a killed process wrote them after its last checkpoint.

        Raises RunError where a table or run.json is damaged, or lacks epochs that `state` has. Raises OSError.
        """
        self._run, self._config, self._state = run, config, state
        self._description = run.description()
        self._metrics, self._gradients = run.metrics_table, run.gradients_table(config)
        rows = run.metrics()
        self._metrics.truncate_after(state.epoch, rows)
        self._last = rows[state.epoch - 1] if state.epoch else None
        self._best = rows[state.best.epoch - 1] if state.best else None
        if config.training.gradient_norms:
            last_recorded = state.epoch if state.epoch or state.step else -1  # before the first step: not even epoch 0
            recorded = [row for norms in run.gradient_norms(config) for row in _gradient_rows(norms)]
            self._gradients.truncate_after(last_recorded, recorded)
        if config.training.snapshots:
            run.snapshots_directory.mkdir(exist_ok=True)
            for step, file in run.snapshots():
                if step > _global_step(state):
                    file.unlink()

    def start(self) -> None:
        """Write that the run is in progress."""
        self._describe("running")

    def write(self, report: Progress) -> None:
        """Write what a completed epoch brought, and the snapshot that is due.

        Any other report in the middle of an epoch brings nothing. Metrics, gradient norms and snapshots are written
        before the checkpoint. If the process dies in between, there are rows and snapshots that the last checkpoint
        does not know, and continuing the run drops them.
        """
        if report.is_snapshot:
            state = replace(self._state, seconds=0.0)  # so that a resumed run writes the same bytes
            save_checkpoint(self._run.snapshot(report.global_step), self._config, state)
        if report.gradient_norms:
            self._gradients.append(_gradient_rows(report.gradient_norms))
        if report.result:
            self._last = _row(report.result)
            self._metrics.append([self._last])
            if report.is_best:
                self._best = self._last
                save_checkpoint(self._run.checkpoint("best"), self._config, self._state)
            save_checkpoint(self._run.checkpoint("last"), self._config, self._state)

    def finish(self) -> None:
        """Write that the last epoch is done."""
        self._describe("finished", **self._figures())

    def interrupt(self) -> None:
        """Save the state in the middle of an epoch, for `--resume`."""
        save_checkpoint(self._run.checkpoint("last"), self._config, self._state)
        self._describe("interrupted", **self._figures())

    def diverge(self) -> None:
        """Write that training diverged."""
        self._describe("diverged")

    def _figures(self) -> dict[str, Any]:
        """The last and the best metrics, and the fingerprint of the parameters."""
        return {
            "epochs": self._state.epoch,
            "last": numbers(self._last) if self._last else None,
            "best": numbers(self._best) if self._best else None,
            "fingerprint": fingerprint(self._state.network),
        }

    def _describe(self, status: Status, **figures: Any) -> None:
        self._description = {**self._description, "status": status, "updated": now(), **figures}
        write_description(self._run.description_file, self._description)


def _global_step(state: TrainingState) -> int:
    """The number of steps since the start of training. The best epoch tells how many steps an epoch has."""
    return state.step + (state.epoch * (state.best.step // state.best.epoch) if state.best else 0)


def _row(result: EpochResult) -> Row:
    """A result as a row of metrics.csv. Its numbers read back exactly; only seconds are rounded, to milliseconds."""
    row = {name: "" if value is None else repr(value) for name, value in asdict(result).items()}
    return {**row, "seconds": f"{result.seconds:.3f}"}


def _gradient_rows(norms: GradientNorms) -> list[Row]:
    return [
        {"epoch": str(norms.epoch), "layer": str(l), "dC_dw_norm": repr(dC_dw), "dC_db_norm": repr(norms.dC_db[l])}
        for l, dC_dw in norms.dC_dw.items()
    ]
