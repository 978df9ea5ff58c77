"""Make the examples that a configuration's network sees: checked, deslanted, and split for validation."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..configuration.schema import Config
from ..errors import ConfigError
from .dataset import Examples
from .deslanting import deslant
from .interpolation import Images


def prepare_examples(
    config: Config,
    images: Images | None = None,
    labels: NDArray[np.uint8] | None = None,
    *,
    split: Literal["train", "test"] = "train",
) -> Examples:
    """Turn images (N, height, width) and labels (N,) into examples, as the configuration says.

    Inline data stand in the configuration, and need no images or labels. Raises ConfigError where the configuration
    does not fit the data, ValueError where images and labels do not fit each other.
    """
    n_0, n_L = config.network.sizes[0], config.network.sizes[-1]
    if config.data.source == "inline":
        examples = Examples(np.array(config.data.inputs, float), np.array(config.data.targets, float))
        if examples.targets.shape[1] != n_L:
            raise ConfigError(
                f"network.sizes: ends with {n_L}, but data.targets have {examples.targets.shape[1]} numbers a row"
            )
    else:
        if images is None or labels is None:
            raise ValueError(f"data.source: {config.data.source}: prepare_examples needs images and labels")
        if (highest := int(np.max(labels, initial=0))) >= max(n_L, 2):  # one output stands for labels 0 and 1
            raise ConfigError(
                f"network.sizes: ends with {n_L}, but the {split} labels go up to {highest}; "
                f"it needs at least {highest + 1} outputs"
            )
        examples = Examples.from_labels(images, labels, n_L)
        height, width = examples.image_shape or (0, 0)
        for key, off in config.need_square_images().items():
            if height != width and (split == "train" or key != "augmentation"):  # test images are not distorted
                raise ConfigError(
                    f"{key}: needs square images, but the {split} images are {height} × {width} pixels; "
                    f"turn it off with --set {key}={off}"
                )
        if config.data.deslant:
            examples = Examples.from_labels(deslant(images), labels, n_L)
    if examples.inputs.shape[1] != n_0:
        raise ConfigError(
            f"network.sizes: begins with {n_0}, but the {split} examples have {examples.inputs.shape[1]} inputs each"
        )
    return examples


def hold_out(config: Config, examples: Examples) -> tuple[Examples, Examples]:
    """Split the training set into the examples to train on and those held out for validation.

    Raises ConfigError where nothing would be left to train on.
    """
    held_out = config.data.validation
    if held_out >= len(examples):
        raise ConfigError(
            f"data.validation: {held_out}: must be less than the {len(examples)} examples of the training set; "
            f"try --set data.validation={len(examples) // 10}"
        )
    return examples.split(held_out)
