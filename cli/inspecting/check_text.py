"""The gradient check as text: its verdict, and one derivative by central differences over a range of h."""

import math

from mnist_nn.explaining.gradient_check import GradientCheck
from mnist_nn.page.report import Report

from ..terminal import Terminal

BAR = 24  # columns of the longest bar


def check_lines(report: Report, terminal: Terminal) -> list[str]:
    """Return the verdict, and a table of the chosen derivative's differences over h.

    The table shows where h is too large, where the differences agree, and where rounding is too large.
    """
    if not report.check:
        return []
    lines = terminal.wrap(check_result(report.check))
    if report.differences and not any(difference.error or difference.derivative for difference in report.differences):
        d = report.derivative
        lines += ["", *terminal.wrap(f"C does not depend on {d.parameter.name} for these examples.")]
    elif report.differences:
        d = report.derivative
        p = d.parameter.letter
        about = f"{d.parameter.name} alone: (C({p} + h) − C({p} − h)) / 2h over a range of h"
        compared = f"compared with ∂C/∂{p} = {d.mean:+.9e}:"
        logs = [math.log10(min(max(difference.error, 1e-18), 1e300)) for difference in report.differences]
        low, high = min(logs), max(logs)
        best = min(range(len(logs)), key=logs.__getitem__)
        rows = [["h", "difference", "error", "", ""]]
        for i, (difference, log) in enumerate(zip(report.differences, logs, strict=True)):
            size = round(BAR * (log - low) / ((high - low) or 1))
            why = "closest" if i == best else "" if difference.passed else "h is too large" if i < best else "rounding"
            rows.append(
                [f"{difference.h:.0e}", f"{difference.derivative:+.9e}", f"{difference.error:.0e}",
                 "agrees" if difference.passed else "", f"{'█' * size} {why if difference.error else ''}".strip()]
            )  # fmt: skip
        lines += ["", *terminal.fill_lines(about, compared), *terminal.table(rows, ">>><<")]
    return lines


def check_result(check: GradientCheck) -> str:
    """Return one sentence: whether backpropagation agrees with central differences, and the largest error."""
    skipped = f" ({check.skipped:,} others could not be checked)" if check.skipped else ""
    if check.worst is None:
        return f"check: no parameter could be checked{skipped}"
    verdict = "agrees with" if check.passed else "DISAGREES with"
    return (
        f"check: backpropagation {verdict} central differences for {check.parameters:,} parameters{skipped}; "
        f"largest relative error {check.max_relative_error:.1e}, at {check.worst.name}"
    )
