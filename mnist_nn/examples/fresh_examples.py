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

AHEAD = 10_000  # images that are distorted at a time: enough to keep the thread busy while an epoch is measured


def fresh_examples(
    config: Config, training: Examples, slices: Iterator[Slice]
) -> Generator[tuple[Slice, Examples, Labels]]:
    """Yield each slice with examples, and the rows of these examples that its steps use, batch after batch.

    Without augmentation the examples are `training`, and the rows those of the slice. With it, the examples are the
    distorted ones of this slice alone, in order. A thread distorts the next AHEAD images, or a little more, while these
    train. Where there is no such thread, because none can be started or a fork left it behind, they are distorted when
    they are requested. Raises ValueError unless the inputs are square images of uint8.
    """
    if not config.augmentation.distorts:
        for steps in slices:
            yield steps, training, steps.rows
        return
    if training.inputs.dtype != np.uint8:
        raise ValueError(f"augmentation distorts images of bytes (uint8), not of {training.inputs.dtype}")
    distortion = Distortion(config.augmentation, training.side, config.seed)

    def distort(slices: list[Slice]) -> Images:
        rows, places = (np.concatenate([getattr(steps, name) for steps in slices]) for name in ("rows", "places"))
        return distortion(training.inputs[rows], slices[0].epoch, places)

    coming = _Ahead(distort, _next(slices))
    try:
        while coming.slices:
            ready, images, start = coming.slices, coming.result(), 0
            coming = _Ahead(distort, _next(slices))
            for steps in ready:
                own = images[start : start + len(steps.rows)]
                yield steps, Examples(own, training.targets[steps.rows], training.image_shape), np.arange(len(own))
                start += len(own)
    finally:
        coming.wait()


def _next(slices: Iterator[Slice]) -> list[Slice]:
    """The next slices of one epoch, with AHEAD images or a little more in all. Empty at the end of training."""
    taken: list[Slice] = []
    while sum(len(steps.rows) for steps in taken) < AHEAD and (steps := next(slices, None)):
        taken.append(steps)
        if steps.ends_epoch:
            break
    return taken


class _Ahead:
    """The images of some slices of an epoch, distorted in a thread of their own if there can be one."""

    def __init__(self, distort: Callable[[list[Slice]], Images], slices: list[Slice]) -> None:
        self.slices, self._distort = slices, distort
        self._images: Images | None = None
        thread = threading.Thread(target=self._prepare)
        self._thread: threading.Thread | None = thread
        try:
            thread.start()
        except RuntimeError:  # the system has no thread to give
            self._thread = None

    def _prepare(self) -> None:
        with suppress(Exception):  # `result` meets the same error, where somebody can catch it
            if self.slices:
                self._images = self._distort(self.slices)

    def wait(self) -> None:
        """Return when the thread has ended. In a forked process, which has no such thread, return at once."""
        if self._thread:
            self._thread.join()

    def result(self) -> Images:
        self.wait()
        return self._distort(self.slices) if self._images is None else self._images
