"""Load the examples of a configuration. Data that are missing are downloaded or generated first."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from .data_directory import data_directory

if TYPE_CHECKING:
    from data_scripts.idx import Pixels
    from mnist_nn import Config, Examples

Split = Literal["train", "test"]


def load_training(config: "Config") -> tuple["Examples", "Examples"]:
    """Return the training examples and the examples held out for validation.

    Raises DataError if the data cannot be read or downloaded, ConfigError if the configuration does not fit them.
    """
    from mnist_nn import hold_out

    return hold_out(config, _load(config, "train"))


def load_split(config: "Config", split: Literal["train", "validation", "test"]) -> "Examples":
    """Return the examples of one split.

    Raises the errors of `load_training`, and UsageError or ConfigError if the data have no such split.
    """
    from mnist_nn.errors import ConfigError

    if split == "test":
        if config.data.source == "inline":
            raise click.UsageError("inline data have no test set; use --split train")
        return _load(config, "test")
    training, validation = load_training(config)
    if split == "validation" and not len(validation):
        raise ConfigError("data.validation: 0: no examples are held out; use --split train")
    return training if split == "train" else validation


def _load(config: "Config", split: Split) -> "Examples":
    from mnist_nn import prepare_examples

    if config.data.source == "inline":
        return prepare_examples(config)
    images, labels = LOADERS[config.data.source](data_directory(config.data.dir), split)
    return prepare_examples(config, images, labels, split=split)


def _load_mnist(directory: Path, split: Split) -> tuple["Pixels", "Pixels"]:
    from data_scripts.mnist import load_mnist, missing_files  # imports requests

    from .fetching import fetch

    if wanted := missing_files(directory):
        fetch(directory, wanted)
    return load_mnist(directory, split)


def _load_idx(directory: Path, split: Split) -> tuple["Pixels", "Pixels"]:
    from data_scripts.errors import DataError
    from data_scripts.idx import read_split

    if not directory.is_dir():
        raise DataError(f"{directory}: there is no such data directory; give one with --data-dir or data.dir")
    return read_split(directory, split)


def _load_synthetic(directory: Path, split: Split) -> tuple["Pixels", "Pixels"]:
    from data_scripts.synthetic import load_synthetic

    return load_synthetic(split, directory)


# For each value of `data.source`, a function that returns images (N, height, width) and labels (N,) of a split.
LOADERS: dict[str, Callable[[Path, Split], tuple["Pixels", "Pixels"]]] = {
    "mnist": _load_mnist,
    "idx": _load_idx,
    "synthetic": _load_synthetic,
}
