"""The examples that the user chose to inspect: some of a split, or the digit on a picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..text import counted, printable

if TYPE_CHECKING:
    from mnist_nn import Config, Examples

    from .choices import Subject

DEFAULT_BATCH = 64


@dataclass(frozen=True)
class Chosen:
    """The examples to average over, `indices` of all that a page offers. They are of a split or of a picture."""

    examples: "Examples"
    indices: range
    split: str | None = None
    picture: str | None = None


def choose_examples(
    config: "Config", split: Literal["train", "validation"] | None, example: int | None, batch: int | None
) -> Chosen:
    """Return the examples to average over. They include the example to take apart.

    Raises UsageError if the split does not have them, and the errors of `load_split`.
    """
    from ..loading import load_split

    split = split or ("validation" if config.data.validation else "train")
    examples = load_split(config, split)
    available = len(examples)
    if example is not None and example >= available:
        raise click.UsageError(f"--example {example}: the {split} split has examples 0 to {available - 1}")
    if batch is not None and batch > available:
        raise click.UsageError(f"--batch {batch}: the {split} split has {counted(available, 'example')}")
    if example is not None and batch is None:
        return Chosen(examples, range(example, example + 1), split)
    count = batch or min(DEFAULT_BATCH, available)
    if example is not None and example >= count:
        raise click.UsageError(f"--example {example}: is not among the first {count} examples; use a larger --batch")
    return Chosen(examples, range(count), split)


def choose_picture(subject: "Subject", picture: Path, label: int) -> Chosen:
    """Return the one digit on a picture, as the network sees it.

    Raises UsageError if the picture has no digit or several, and the errors of `Reader`.
    """
    import numpy as np

    from mnist_nn import Examples

    from ..predicting.reader import Reader
    from ..predicting.text import answers

    read = Reader(Path(subject.name), subject.checkpoint).read(picture)
    name = printable(str(picture))
    if not read.readings:
        raise click.UsageError(f"--image {name}: no digit was found; write with a darker pen, or go nearer")
    if len(read.readings) > 1:
        found = f"has {len(read.readings)} digits: {answers(read)}"
        raise click.UsageError(f"--image {name}: {found}; cut the picture to one digit")
    image, labels = read.readings[0].image[np.newaxis], np.array([label], np.uint8)
    return Chosen(Examples.from_labels(image, labels, 10), range(1), picture=name)


def check_choice(
    image: Path | None, label: int | None, split: str | None, example: int | None, batch: int | None
) -> None:
    """Check that the options which choose examples go together. Raises UsageError."""
    if image is None:
        if label is not None:
            raise click.UsageError("--label is the digit on a picture: add --image FILE")
        return
    if label is None:
        raise click.UsageError(f"--image {printable(str(image))}: add --label N, the digit that was meant")
    for option, value in (("--split", split), ("--example", example), ("--batch", batch)):
        if value is not None:
            raise click.UsageError(f"--image and {option} cannot be used together; a picture is the only example")
