"""Progress of training: a line for each epoch, and a bar below the lines."""

import contextlib
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from data_scripts.progress import progress_bar

from .text import note

if TYPE_CHECKING:
    from mnist_nn import Config
    from mnist_nn.training.loop import Progress
    from mnist_nn.training.state import EpochResult

HEADER = "    cost    train  validation     time     left"


class TrainingDisplay:
    """Shows the reports of the training loop on stderr. Shows only warnings if `quiet`."""

    def __init__(self, config: "Config", *, quiet: bool) -> None:
        self.epochs, self.quiet, self.header_printed = config.training.epochs, quiet, False
        self.epoch_width = max(5, len(f"{self.epochs}/{self.epochs}"))
        self.first_report: tuple[float, int] | None = None  # its time, and the steps done by then
        self.bar = progress_bar(
            quiet=quiet,
            unit="step",
            unit_scale=True,
            smoothing=0.05,
            bar_format="{desc} {bar} {percentage:3.0f}%  {elapsed} < {remaining}  {rate_fmt}",
        )

    def __enter__(self) -> "TrainingDisplay":
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.bar.close()

    def show(self, report: "Progress") -> None:
        """Update the bar, and print a line if the report ends an epoch.

        If stderr cannot be written, training continues and the display stays silent from then on.
        """
        try:
            self._show(report)
        except OSError:
            self.quiet = self.bar.disable = True

    def warn(self, text: str) -> None:
        """Print a warning above the bar, also if `quiet`."""
        if self.bar.disable:
            note(f"warning: {text}")
            return
        with contextlib.suppress(OSError):
            self.bar.write(f"warning: {text}", file=sys.stderr)

    def _show(self, report: "Progress") -> None:
        done = report.epoch * report.steps_per_epoch + report.step
        self.first_report = self.first_report or (time.monotonic(), done)
        if report.result and not self.quiet:
            if not self.header_printed:
                self.bar.write(f"{'epoch':>{self.epoch_width}}{HEADER}", file=sys.stderr)
                self.header_printed = True
            self.bar.write(self._line(report, report.result, self._left(done, report)), file=sys.stderr)
        if self.bar.disable:
            return
        if self.bar.total is None:  # first report; a resumed run does not start at step 0
            self.bar.total = self.epochs * report.steps_per_epoch
            self.bar.initial = self.bar.n = done
        self.bar.set_description_str(f"epoch {min(report.epoch + 1, self.epochs)}/{self.epochs}", refresh=False)
        self.bar.update(done - self.bar.n)

    def _left(self, done: int, report: "Progress") -> str:
        """Return the time left to the end of training, at the average speed since the first report.

        Empty for the first report, when no speed is known, and at the end.
        """
        assert self.first_report is not None
        since, before = self.first_report
        steps_left = self.epochs * report.steps_per_epoch - done
        if not steps_left or done == before:
            return ""
        from tqdm import tqdm

        return tqdm.format_interval((time.monotonic() - since) / (done - before) * steps_left)

    def _line(self, report: "Progress", result: "EpochResult", left: str) -> str:
        parts = [
            f"{f'{result.epoch}/{self.epochs}':>{self.epoch_width}}",
            f"{result.train_cost:6.4f}",
            f"{100 * result.train_accuracy:6.2f}%",
            " " * 10 if result.validation_accuracy is None else f"{100 * result.validation_accuracy:9.2f}%",
            f"{result.seconds:5.1f} s",
            f"{left:>7}",
        ]
        return ("  ".join(parts) + ("  best" if report.is_best else "")).rstrip()
