"""The training examples of each slice of steps: as they are, or distorted differently in each epoch."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress

import numpy as np

from ..configuration.schema import Config
from .augmentation import Distortion
from .dataset import Examples, Labels
from .interpolation import Images
from .shuffling import Slice


def fresh_examples(
    config: Config, training: Examples, slices: Iterator[Slice]
) -> Generator[tuple[Slice, Examples, Labels]]:
    """Yield each slice with examples, and the rows of these examples that its steps use, batch after batch.

    Without augmentation the examples are `training`, and the rows those of the slice. With it, the examples are the
    distorted ones of this slice alone, in order. A thread distorts the images of the next slice while this slice
    trains. Where there is no such thread, because none can be started or a fork left it behind, they are distorted when
    they are requested. Raises ValueError unless the inputs are square images of uint8.
    """
    if not config.augmentation.distorts:
        for steps in slices:
            yield steps, training, steps.rows
        return
    if training.inputs.dtype != np.uint8:
        raise ValueError(f"augmentation distorts images of bytes (uint8), not of {training.inputs.dtype}")
    distortion = Distortion(config.augmentation, training.side, config.seed)

    def distort(steps: Slice) -> Images:
        return distortion(training.inputs[steps.rows], steps.epoch, steps.places)

    following = next(slices, None)
    coming = _Ahead(distort, following) if following else None
    try:
        while following and coming:
            steps, images = following, coming.result()
            if following := next(slices, None):
                coming = _Ahead(distort, following)
            yield steps, Examples(images, training.targets[steps.rows], training.image_shape), np.arange(len(images))
    finally:
        if coming:
            coming.wait()


class _Ahead:
    """The images of one slice, distorted in a thread of their own if there can be one."""

    def __init__(self, distort: Callable[[Slice], Images], steps: Slice) -> None:
        self._distort, self._steps = distort, steps
        self._images: Images | None = None
        thread = threading.Thread(target=self._prepare)
        self._thread: threading.Thread | None = thread
        try:
            thread.start()
        except RuntimeError:  # the system has no thread to give
            self._thread = None

    def _prepare(self) -> None:
        with suppress(Exception):  # `result` meets the same error, where somebody can catch it
            self._images = self._distort(self._steps)

    def wait(self) -> None:
        """Return when the thread has ended. In a forked process, which has no such thread, return at once."""
        if self._thread:
            self._thread.join()

    def result(self) -> Images:
        self.wait()
        return self._distort(self._steps) if self._images is None else self._images
