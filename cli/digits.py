"""From the configuration's `data` section to examples: reads the environment, downloads, checks that all fits."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from .text import note, printable

if TYPE_CHECKING:
    from data_scripts.idx import Pixels
    from data_scripts.mnist import PinnedFile
    from mnist_nn import Config, Examples

WAYS_ON = (
    "`nn train quickstart` needs no download, and --data-dir DIR (or NN_DATA_DIR) takes files that you already have"
)

Split = Literal["train", "validation", "test"]


def data_directory(configured: str | None) -> Path:
    """Where files are read and kept: as configured, else $NN_DATA_DIR, else the user's cache directory."""
    if configured is not None:
        return Path(configured)
    if chosen := os.environ.get("NN_DATA_DIR"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("nn", appauthor=False)


def with_data(config: "Config", source: str | None, directory: str | None) -> "Config":
    """The configuration with another source or directory of data, the directory as an absolute path.

    (MNIST is the same wherever it lies, so where no directory is given for it, none is recorded.)
    """
    from mnist_nn.config import Config
    from mnist_nn.errors import ConfigError

    values = config.plain()
    if source:
        values["data"] = {key: values["data"][key] for key in ("validation", "deslant")} | {"source": source}
    directory = values["data"].get("dir") if directory is None else directory
    if directory == "":
        raise ConfigError("data.dir: '': is empty; name a directory, or leave it out")
    if directory is not None or values["data"]["source"] == "idx":
        try:
            directory = str(data_directory(directory).absolute())
        except OSError as error:  # the working directory was removed
            raise ConfigError(
                f"data.dir: {directory}: is relative to a working directory that cannot be told: {error.strerror}"
            ) from None
        if not directory.isprintable():
            raise ConfigError(f"data.dir: {directory!r}: has characters that cannot be written into a configuration")
        values["data"]["dir"] = directory
    return Config.model_validate(values)


def load_training(config: "Config", square_for: str | None = None) -> tuple["Examples", "Examples"]:
    """The training examples and those held out for validation.

    Raises DataError where they cannot be had, ConfigError where the configuration does not fit them.
    """
    from mnist_nn.errors import ConfigError

    examples = _examples(config, "train", square_for)
    held_out = config.data.validation
    if held_out >= len(examples):
        raise ConfigError(
            f"data.validation: {held_out}: must be less than the {len(examples)} examples of the training set; "
            f"try --set data.validation={len(examples) // 10}"
        )
    return examples.split(held_out)


def load_split(config: "Config", split: Split, square_for: str | None = None) -> "Examples":
    """The examples of one split, with the errors of `load_training`; `square_for`: an option that needs squares."""
    from mnist_nn.errors import ConfigError

    if split == "test":
        if config.data.source == "inline":
            raise click.UsageError("inline data have no test set; use --split train")
        return _examples(config, "test", square_for)
    training, validation = load_training(config, square_for)
    if split == "validation" and not len(validation):
        raise ConfigError("data.validation: 0: no examples are held out; use --split train")
    return training if split == "train" else validation


def _examples(config: "Config", split: Literal["train", "test"], square_for: str | None) -> "Examples":
    import numpy as np

    from mnist_nn import Examples
    from mnist_nn.deslanting import deslant
    from mnist_nn.errors import ConfigError

    n_0, n_L = config.network.sizes[0], config.network.sizes[-1]
    if config.data.source == "inline":
        examples = Examples(np.array(config.data.inputs, float), np.array(config.data.targets, float))
        if examples.targets.shape[1] != n_L:
            raise ConfigError(
                f"network.sizes: ends with {n_L}, but data.targets have {examples.targets.shape[1]} numbers a row"
            )
    else:
        images, labels = _load(config, split)
        if int(labels.max()) >= n_L:
            raise ConfigError(
                f"network.sizes: ends with {n_L}, but the {split} labels go up to {labels.max()}; "
                f"it needs at least {int(labels.max()) + 1} outputs"
            )
        height, width = images.shape[1:]
        if height != width:
            _refuse_rectangles(config, split, square_for, f"the {split} images are {height} × {width} pixels")
        if config.data.deslant:
            images = deslant(images)
        examples = Examples.from_labels(images, labels, n_L)
    if examples.inputs.shape[1] != n_0:
        raise ConfigError(
            f"network.sizes: begins with {n_0}, but the {split} examples have {examples.inputs.shape[1]} inputs each"
        )
    return examples


def _refuse_rectangles(config: "Config", split: str, square_for: str | None, found: str) -> None:
    """Raise where something is asked for that square images alone allow."""
    from mnist_nn.errors import ConfigError

    if square_for is not None:
        raise click.UsageError(f"{square_for}: is for square images, and {found}")
    for key, off in config.need_square_images().items():
        if split == "train" or key != "augmentation":  # test images are not distorted
            raise ConfigError(f"{key}: is for square images, and {found}; --set {key}={off}")


def _load(config: "Config", split: Literal["train", "test"]) -> tuple["Pixels", "Pixels"]:
    from data_scripts.errors import DataError
    from data_scripts.idx import read_split
    from data_scripts.synthetic import load_synthetic

    directory = data_directory(config.data.dir)
    if config.data.source == "synthetic":
        return load_synthetic(split, directory)
    if config.data.source == "idx":
        if not directory.is_dir():
            raise DataError(f"{directory}: there is no such data directory; give one with --data-dir or data.dir")
        return read_split(directory, split)
    from data_scripts.mnist import load_mnist, missing_files  # brings the transport with it

    if wanted := missing_files(directory):
        fetch(directory, wanted)
    return load_mnist(directory, split)


def fetch(directory: Path, wanted: list["PinnedFile"]) -> None:
    """Download these files of MNIST, with a progress bar. Raises DataError, which names the ways on."""
    from tqdm import tqdm

    from data_scripts.errors import DownloadError
    from data_scripts.mnist import download_mnist

    note(f"downloading MNIST into {printable(str(directory))}")
    done = {file.name: 0 for file in wanted}
    total = sum(file.size for file in wanted)
    with tqdm(
        total=total,
        unit="B",
        unit_scale=True,
        leave=False,
        dynamic_ncols=True,
        disable=not sys.stderr.isatty(),
    ) as bar:

        def on_bytes(file: "PinnedFile", received: int) -> None:
            done[file.name] = min(received, file.size)
            bar.update(sum(done.values()) - bar.n)

        try:
            download_mnist(directory, wanted, on_bytes=on_bytes)
        except DownloadError as error:
            raise DownloadError(f"{error}; {WAYS_ON}") from None
