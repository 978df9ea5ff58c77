"""Images looked up between their pixels, many at a time. The last argument of a NumPy call is where its result goes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..chapter.activation import Array

Images = NDArray[np.uint8]

CHUNK = 2**17  # pixels at a time: few enough for their arrays to stay in the cache


class Interpolation:
    """Makes images of side × side pixels from the brightness of others at given places, bilinearly.

    `x` and `y`, (m, side²), are the places for m images at a time, in pixels; the middle of the first pixel is at
    (1, 1), as around each image there is an edge of black. Whoever uses this writes them, and they are used up.
    """

    def __init__(self, side: int) -> None:
        self.side, self.wide = side, side + 3  # one pixel of edge before, two behind
        self.m = max(1, CHUNK // side**2)
        self.x, self.y, self._x0, self._y0, self._upper, self._lower = np.empty((6, self.m, side**2), np.float32)
        self._place = np.empty((self.m, side**2), np.intp)
        self._first = np.arange(self.m, dtype=np.float32)[:, np.newaxis] * self.wide**2
        self._originals = np.zeros((self.m + 1) * self.wide**2, np.float32)
        offset = np.arange(side, dtype=np.float32) - (side - 1) / 2  # from the centre of the image
        self._offset_x, self._offset_y = np.tile(offset, side), np.repeat(offset, side)

    def set_affine(self, to_x: Array, to_y: Array) -> None:
        """Set `x` and `y` to an affine map of each image's pixels: rows (u, v, t), (m, 3), stand for u x + v y + t.

        There x and y are counted from the centre of the image.
        """
        for rows, places in ((to_x, self.x), (to_y, self.y)):
            m = len(rows)
            u, v, t = rows.astype(np.float32).T[:, :, np.newaxis]
            term, there = self._upper[:m], places[:m]
            np.multiply(u, self._offset_x, there)  # (no matrix product, whose last bits depend on the processor)
            np.multiply(v, self._offset_y, term)
            np.add(there, term, there)
            np.add(there, t + np.float32((self.side + 1) / 2), there)

    def interpolate(self, images: Images, out: Images) -> None:
        """Write the brightness of images (N, side²), N ≤ m, at the places into `out`, rounded."""
        m, wide, edge = len(images), self.wide, self.side + 1
        grid = self._originals[: m * wide**2].reshape(m, wide, wide)
        grid[:, 1:edge, 1:edge] = images.reshape(m, self.side, self.side)
        place = self._place[:m]
        x, y, x0, y0, upper, lower = (
            buffer[:m] for buffer in (self.x, self.y, self._x0, self._y0, self._upper, self._lower)
        )
        for whole, fraction in ((x0, x), (y0, y)):
            np.clip(fraction, 0, edge, fraction)  # beyond the edge it is as black as there
            np.floor(fraction, whole)
            np.subtract(fraction, whole, fraction)
        np.multiply(y0, wide, y0)
        np.add(y0, x0, y0)
        np.add(y0, self._first[:m], y0)
        np.copyto(place, y0, casting="unsafe")

        right = x0  # a buffer that is free by now
        for left, below in ((upper, 0), (lower, wide)):
            self._pixels(place, below, left)
            self._pixels(place, below + 1, right)
            _between(left, right, x)
        _between(upper, lower, y)
        np.add(upper, 0.5, upper)  # so that cutting off rounds
        np.copyto(out, upper, casting="unsafe")

    def _pixels(self, place: NDArray[Any], further: int, out: Array) -> None:
        """The brightness at each place, or so many pixels further. (mode="clip" lets `take` write into `out`.)"""
        np.take(self._originals[further:], place, out=out, mode="clip")


def _between(first: Array, second: Array, fraction: Array) -> None:
    """first + fraction · (second − first), into `first`; `second` is used up."""
    np.subtract(second, first, second)
    np.multiply(second, fraction, second)
    np.add(first, second, first)
