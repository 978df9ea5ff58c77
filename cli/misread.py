"""The images that a network takes for other digits than they are, as a sheet."""

from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .sheet import Captioned, check_sheet, write_sheet
from .text import note

if TYPE_CHECKING:
    from mnist_nn import Config, Examples, Network

OPTION = "--misread"
MOST = 400  # on one sheet


def check_misread(path: Path, config: "Config") -> None:
    """Raise UsageError where they cannot be drawn, before anything is computed."""
    check_sheet(OPTION, path)
    if config.data.source == "inline":
        raise click.UsageError(f"{OPTION} {path}: draws images, and data.source: inline has none")


def check_square(examples: "Examples") -> None:
    """Raise UsageError for images that are not square, before the network is run."""
    height, width = examples.image_shape or (1, 1)
    if height != width:
        raise click.UsageError(f"{OPTION}: is for square images, and these are {height} × {width} pixels")


def draw_misread(path: Path, network: "Network", examples: "Examples") -> None:
    """Each with its label and the answer, such as "4 as 9", in the order of the labels; of the first 400."""
    import numpy as np

    from mnist_nn.training.evaluation import answers

    labels, answered = examples.labels, answers(network, examples)
    wrong = np.flatnonzero(answered != labels)
    if not len(wrong):
        note("nothing is misread, so there is no sheet to draw")
        return
    if len(wrong) > MOST:
        note(f"the first {MOST} of {len(wrong):,} misread digits are drawn")
        wrong = wrong[:MOST]
    wrong = wrong[np.argsort(labels[wrong], kind="stable")]
    side = examples.side
    digits = [Captioned(examples.inputs[i].reshape(side, side), f"{labels[i]}  as  {answered[i]}") for i in wrong]
    across = ceil(sqrt(1.5 * len(digits)))
    write_sheet(OPTION, path, [digits[start : start + across] for start in range(0, len(digits), across)])
