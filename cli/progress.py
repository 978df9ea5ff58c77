"""Training as it goes: a line per epoch, and on a terminal a progress bar below them."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

if TYPE_CHECKING:
    from mnist_nn import Config
    from mnist_nn.training import EpochResult, Progress

HEADER = "    epoch      cost     train   validation      time"


class TrainingDisplay:
    """Shows each report of the training loop on stderr; nothing where `quiet`."""

    def __init__(self, config: "Config", *, quiet: bool) -> None:
        self.epochs, self.quiet, self.headed = config.training.epochs, quiet, False
        self.bar: tqdm[Any] = tqdm(
            unit="step",
            unit_scale=True,
            leave=False,
            dynamic_ncols=True,
            disable=quiet or not sys.stderr.isatty(),
            bar_format="{desc} {bar} {percentage:3.0f}%  {elapsed} < {remaining}  {rate_fmt}",
        )

    def __enter__(self) -> "TrainingDisplay":
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.bar.close()

    def show(self, report: "Progress") -> None:
        """Move the bar to where training is; print a line where an epoch ended.

        Training does not end because nobody can be told of it: where stderr fails, the rest is quiet.
        """
        try:
            self._show(report)
        except OSError:
            self.quiet = self.bar.disable = True

    def _show(self, report: "Progress") -> None:
        if report.result and not self.quiet:
            if not self.headed:
                self.bar.write(HEADER, file=sys.stderr)
                self.headed = True
            self.bar.write(self._line(report.result, report.is_best), file=sys.stderr)
        if self.bar.disable:
            return
        done = report.epoch * report.steps_per_epoch + report.step
        if self.bar.total is None:  # the first report, which in a resumed run is not at the start
            self.bar.total = self.epochs * report.steps_per_epoch
            self.bar.initial = self.bar.n = done
        self.bar.set_description_str(f"epoch {min(report.epoch + 1, self.epochs)}/{self.epochs}", refresh=False)
        self.bar.update(done - self.bar.n)

    def _line(self, result: "EpochResult", is_best: bool) -> str:
        parts = [
            f"{f'{result.epoch}/{self.epochs}':>9}",
            f"{result.train_cost:8.4f}",
            f"{100 * result.train_accuracy:7.2f}%",
            " " * 11 if result.validation_accuracy is None else f"{100 * result.validation_accuracy:10.2f}%",
            f"{result.seconds:6.1f} s",
        ]
        return "  ".join(parts) + ("  best" if is_best else "")
