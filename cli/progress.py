"""Training as it goes: a line per epoch, and on a terminal a progress bar below them."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

if TYPE_CHECKING:
    from mnist_nn import Config
    from mnist_nn.training.loop import Progress
    from mnist_nn.training.state import EpochResult

HEADER = "    cost    train  validation     time     left"


class TrainingDisplay:
    """Shows each report of the training loop on stderr; nothing where `quiet`."""

    def __init__(self, config: "Config", *, quiet: bool) -> None:
        self.epochs, self.quiet, self.headed = config.training.epochs, quiet, False
        self.wide = max(5, len(f"{self.epochs}/{self.epochs}"))
        self.first: tuple[float, int] | None = None  # the time of the first report, and the steps done by then
        self.bar: tqdm[Any] = tqdm(
            unit="step",
            unit_scale=True,
            smoothing=0.05,
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
        done = report.epoch * report.steps_per_epoch + report.step
        self.first = self.first or (time.monotonic(), done)
        if report.result and not self.quiet:
            if not self.headed:
                self.bar.write(f"{'epoch':>{self.wide}}{HEADER}", file=sys.stderr)
                self.headed = True
            self.bar.write(self._line(report, report.result, self._left(done, report)), file=sys.stderr)
        if self.bar.disable:
            return
        if self.bar.total is None:  # the first report, which in a resumed run is not at the start
            self.bar.total = self.epochs * report.steps_per_epoch
            self.bar.initial = self.bar.n = done
        self.bar.set_description_str(f"epoch {min(report.epoch + 1, self.epochs)}/{self.epochs}", refresh=False)
        self.bar.update(done - self.bar.n)

    def _left(self, done: int, report: "Progress") -> str:
        """The time to the last epoch, at the speed since the first report; nothing where that cannot be told."""
        assert self.first is not None
        since, before = self.first
        ahead = self.epochs * report.steps_per_epoch - done
        if not ahead or done == before:
            return ""
        return tqdm.format_interval((time.monotonic() - since) / (done - before) * ahead)

    def _line(self, report: "Progress", result: "EpochResult", left: str) -> str:
        parts = [
            f"{f'{result.epoch}/{self.epochs}':>{self.wide}}",
            f"{result.train_cost:6.4f}",
            f"{100 * result.train_accuracy:6.2f}%",
            " " * 10 if result.validation_accuracy is None else f"{100 * result.validation_accuracy:9.2f}%",
            f"{result.seconds:5.1f} s",
            f"{left:>7}",
        ]
        return ("  ".join(parts) + ("  best" if report.is_best else "")).rstrip()
