"""The training examples as each epoch sees them: unchanged, or distorted differently in each epoch."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..configuration.schema import Config
from ..randomness import stream
from .augmentation import Distortion
from .dataset import Examples
from .interpolation import Images


def fresh_examples(config: Config, training: Examples, first: int) -> Generator[Examples]:
    """Yield the examples of each epoch from `first` on, counted from 0. They depend on (seed, epoch) only.

    Without augmentation they are `training` itself. With it, a thread distorts the images of the next epoch while
    this epoch trains; the arrays are overwritten when the next epoch is requested. Raises ValueError unless the inputs
    are square images of uint8.
    """
    if not config.augmentation.distorts:
        while True:
            yield training
    if training.inputs.dtype != np.uint8:
        raise ValueError(f"augmentation distorts images of bytes (uint8), not of {training.inputs.dtype}")
    distortion = Distortion(config.augmentation, training.side)
    buffers = [np.empty_like(training.inputs) for _ in range(2)]

    def distort(epoch: int) -> Images:
        return distortion(training.inputs, stream(config.seed, "augmentation", epoch), buffers[epoch % 2])

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(distort, first)
        for epoch in range(first, config.training.epochs):
            images = coming.result()
            if epoch + 1 < config.training.epochs:
                coming = thread.submit(distort, epoch + 1)
            yield Examples(images, training.targets, training.image_shape)
