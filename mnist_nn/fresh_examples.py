"""The training examples as each epoch sees them: themselves, or distorted afresh, the next epoch's ahead of time."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from math import isqrt

import numpy as np

from .augmentation import Distortion
from .config import Config
from .dataset import Examples
from .interpolation import Images
from .randomness import stream


def fresh_examples(config: Config, training: Examples, first: int) -> Generator[Examples]:
    """The examples of each epoch from `first` on, counted from 0; they depend on (seed, epoch) alone.

    Without distortions they are `training` itself. Otherwise a thread distorts the images of the next epoch while
    this one trains, and an epoch's are good until the next is asked for. Raises ValueError where the inputs are no
    bytes.
    """
    if not config.augmentation.distorts:
        while True:
            yield training
    if training.inputs.dtype != np.uint8:
        raise ValueError(f"augmentation distorts images of bytes (uint8), not of {training.inputs.dtype}")
    distortion = Distortion(config.augmentation, isqrt(training.inputs.shape[1]))
    buffers = [np.empty_like(training.inputs) for _ in range(2)]

    def distort(epoch: int) -> Images:
        return distortion(training.inputs, stream(config.seed, "augmentation", epoch), buffers[epoch % 2])

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(distort, first)
        for epoch in range(first, config.training.epochs):
            images = coming.result()
            if epoch + 1 < config.training.epochs:
                coming = thread.submit(distort, epoch + 1)
            yield Examples(images, training.targets)
