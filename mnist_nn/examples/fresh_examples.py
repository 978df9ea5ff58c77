"""The training examples as each epoch sees them: unchanged, or distorted differently in each epoch."""

import threading
from collections.abc import Callable, Generator
from contextlib import suppress

import numpy as np

from ..configuration.schema import Config
from ..randomness import stream
from .augmentation import Distortion
from .dataset import Examples
from .interpolation import Images


def fresh_examples(config: Config, training: Examples, first: int) -> Generator[Examples]:
    """Yield the examples of each epoch from `first` on, counted from 0. They depend on (seed, epoch) only.

    Without augmentation they are `training` itself. With it, a thread distorts the images of the next epoch while
    this epoch trains; the arrays are overwritten when the next epoch is requested. Where there is no such thread,
    because none can be started or a fork left it behind, they are distorted when they are requested. Raises ValueError
    unless the inputs are square images of uint8.
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

    coming = _Ahead(distort, first)
    try:
        for epoch in range(first, config.training.epochs):
            images = coming.result()
            if epoch + 1 < config.training.epochs:
                coming = _Ahead(distort, epoch + 1)
            yield Examples(images, training.targets, training.image_shape)
    finally:
        coming.wait()


class _Ahead:
    """The images of one epoch, distorted in a thread of their own if there can be one."""

    def __init__(self, distort: Callable[[int], Images], epoch: int) -> None:
        self._distort, self._epoch = distort, epoch
        self._images: Images | None = None
        thread = threading.Thread(target=self._prepare)
        self._thread: threading.Thread | None = thread
        try:
            thread.start()
        except RuntimeError:  # the system has no thread to give
            self._thread = None

    def _prepare(self) -> None:
        with suppress(Exception):  # `result` meets the same error, where somebody can catch it
            self._images = self._distort(self._epoch)

    def wait(self) -> None:
        """Return when the thread has ended. In a forked process, which has no such thread, return at once."""
        if self._thread:
            self._thread.join()

    def result(self) -> Images:
        self.wait()
        return self._distort(self._epoch) if self._images is None else self._images
