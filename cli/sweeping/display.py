"""Progress of a sweep: a line for each trial that has ended, and below them one bar and the running trials."""

import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from data_scripts.progress import progress_bar

from ..run_table import duration
from ..text import printable
from .driver import Ended

if TYPE_CHECKING:
    from mnist_nn.runs.comparing import RunRecord
    from mnist_nn.sweeps.plan import Trial
    from mnist_nn.sweeps.sweep_directory import SweepDirectory

RUNNING = 6  # running trials that are shown, each in a line


class SweepDisplay:
    """Shows a sweep on stderr. Shows nothing if `quiet`. What the trials have done is read from their directories."""

    def __init__(
        self, sweep: "SweepDirectory", every: "Sequence[Trial]", ended: "Sequence[Trial]", *, quiet: bool
    ) -> None:
        self.sweep, self.total, self.quiet = sweep, len(every), quiet
        self.open = {trial.name: trial for trial in every}
        self.epochs_ended = 0  # of the trials that have ended, with those that early stopping saved
        for trial in ended:
            self._close(trial)
        self.varied = varied_keys(every)
        self.bar = progress_bar(
            quiet=quiet,
            total=sum(trial.config.training.epochs for trial in every),
            bar_format="{desc} {bar} {percentage:3.0f}%  {elapsed} < {remaining}",
            smoothing=0.05,
        )
        self.lines = [progress_bar(quiet=quiet, position=1 + i, bar_format="{desc}") for i in range(RUNNING)]
        self.bar.initial = self.bar.n = self.epochs_ended + sum(record.epochs for _, record in self._running())
        self._refresh()

    def __enter__(self) -> "SweepDisplay":
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        for bar in (*reversed(self.lines), self.bar):
            bar.close()

    def show(self, event: Ended | None) -> None:
        """Print a line for a trial that has ended, and update the bar. A stderr that cannot be written is no error."""
        if event is not None:
            self._close(event.trial)
        if self.quiet:
            return
        with suppress(OSError):
            if event is not None:
                self.bar.write(_cut(self._line(event)), file=sys.stderr)
            self._refresh()

    def _close(self, trial: "Trial") -> None:
        if self.open.pop(trial.name, None):
            self.epochs_ended += trial.config.training.epochs

    def _refresh(self) -> None:
        if self.bar.disable:
            return
        running = self._running()
        for line, text in zip(
            self.lines, [*(self._running_text(*one) for one in running), *[""] * RUNNING], strict=False
        ):
            line.set_description_str(text)
        self.bar.set_description_str(f"{self.total - len(self.open)}/{self.total}", refresh=False)
        self.bar.update(self.epochs_ended + sum(record.epochs for _, record in running) - self.bar.n)
        self.bar.refresh()

    def _running(self) -> "list[tuple[Trial, RunRecord]]":
        """Return the trials that are being trained anywhere, as far as their directories tell."""
        from mnist_nn.runs.comparing import read_record

        found = []
        for path in self.sweep.path.iterdir():
            if (trial := self.open.get(path.name)) and (run := self.sweep.run(trial)).exists:
                record = read_record(run)
                if record.status == "running":
                    found.append((trial, record))
        return sorted(found, key=lambda one: one[0].number)

    def _running_text(self, trial: "Trial", record: "RunRecord") -> str:
        best = "" if record.accuracy is None else f"{100 * record.accuracy:.2f}%"
        epochs = trial.config.training.epochs
        return _cut(f"  {best:>7}  epoch {min(record.epochs + 1, epochs)}/{epochs}  {label(trial, self.varied)}")

    def _line(self, event: Ended) -> str:
        from mnist_nn.runs.comparing import read_record

        trial, place = event.trial, f"{self.total - len(self.open):>{len(str(self.total))}}/{self.total}"
        name = label(trial, self.varied)
        if event.reason:
            return f"{place}  {name}  failed: {printable(event.reason)}"
        record = read_record(self.sweep.run(trial))
        has_result = record.status == "finished" and record.accuracy is not None
        result = f"{100 * (record.accuracy or 0):.2f}%" if has_result else record.status
        return f"{place}  {result:>8}  {duration(record.seconds):>7}  {name}"


def _cut(text: str) -> str:
    """Return the beginning of a line, as much as fits a terminal on stderr. A pipe gets all of it."""
    if not sys.stderr.isatty():
        return text
    width = shutil.get_terminal_size().columns - 1
    return text if len(text) <= width else text[: width - 1] + "…"


def varied_keys(trials: "Sequence[Trial]") -> list[str]:
    """Return the settings in which the trials differ, the seed last."""
    from mnist_nn.runs.comparing import SEED, settings_of

    first, *others = [settings_of(trial.config) for trial in trials] or [{}]
    keys = [key for key in first if any(settings[key] != first[key] for settings in others)]
    return sorted(keys, key=lambda key: key == SEED)


def label(trial: "Trial", keys: Sequence[str]) -> str:
    """Return what distinguishes a trial, such as "learning_rate 0.3  seed 1". With several recipes, also its recipe."""
    from mnist_nn.runs.comparing import setting_text, settings_of
    from mnist_nn.runs.selecting import short_names

    settings: dict[str, Any] = settings_of(trial.config)
    return "  ".join(f"{short_names()[key]} {setting_text(settings[key])}" for key in keys) or trial.recipe
