"""Draw the images that a network or a committee misreads, on one sheet."""

from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .sheet import Captioned, check_sheet, write_sheet
from .text import note

if TYPE_CHECKING:
    from mnist_nn import Config, Examples
    from mnist_nn.examples.dataset import Labels

OPTION = "--misread"
MAX_DIGITS = 400  # on one sheet


def check_misread(path: Path, config: "Config") -> None:
    """Check, before anything is computed, that the misread images can be drawn. Raises UsageError."""
    check_sheet(OPTION, path)
    if config.data.source == "inline":
        raise click.UsageError(f"{OPTION} {path}: data.source: inline has no images to draw; leave out {OPTION}")


def check_square(examples: "Examples") -> None:
    """Check, before the network is run, that the images are square. Raises UsageError."""
    height, width = examples.image_shape or (1, 1)
    if height != width:
        raise click.UsageError(f"{OPTION}: needs square images, but these are {height} × {width} pixels")


def draw_misread(path: Path, examples: "Examples", answered: "Labels") -> None:
    """Write the misread digits to `path`, sorted by label, each with a caption such as "4  as  9".

    The sheet holds at most MAX_DIGITS: the first misread ones of `examples`.
    """
    import numpy as np

    labels = examples.labels
    wrong = np.flatnonzero(answered != labels)
    if not len(wrong):
        note("no digit is misread; no sheet is written")
        return
    if len(wrong) > MAX_DIGITS:
        note(f"drawing only the first {MAX_DIGITS} of {len(wrong):,} misread digits")
        wrong = wrong[:MAX_DIGITS]
    wrong = wrong[np.argsort(labels[wrong], kind="stable")]
    side = examples.side
    digits = [Captioned(examples.inputs[i].reshape(side, side), f"{labels[i]}  as  {answered[i]}") for i in wrong]
    across = ceil(sqrt(1.5 * len(digits)))
    write_sheet(OPTION, path, [digits[start : start + across] for start in range(0, len(digits), across)])
