"""Bilinear interpolation: the brightness of images at points between their pixels, for many images at a time.

The last argument of a NumPy call receives its result.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..chapter.activation import Array

Images = NDArray[np.uint8]

CHUNK = 2**17  # pixels at a time: few enough for their arrays to stay in the processor's cache


class Interpolation:
    """Makes images of side × side pixels by reading other images at the points `x` and `y`.

    `x` and `y` have shape (m, side²): the points for m images at a time, in pixels. The middle of the first pixel is at
    (1, 1), because each image gets a black border. Set `x` and `y` before each call of `interpolate`, which overwrites
    them.
    """

    def __init__(self, side: int, *, at_least: int = 1) -> None:
        """Prepare to make images of side × side pixels, and at least so many at a time."""
        self.side, self.wide = side, side + 3  # a border of one pixel before the image, two behind it
        self.m = max(at_least, CHUNK // side**2)
        self.x, self.y, self._x0, self._y0, self._upper, self._lower = np.empty((6, self.m, side**2), np.float32)
        self._place = np.empty((self.m, side**2), np.intp)
        self._first = np.arange(self.m, dtype=np.float32)[:, np.newaxis] * self.wide**2
        self._originals = np.zeros((self.m + 1) * self.wide**2, np.float32)
        offset = np.arange(side, dtype=np.float32) - (side - 1) / 2  # from the centre of the image
        self._offset_x, self._offset_y = np.tile(offset, side), np.repeat(offset, side)

    def set_affine(self, to_x: Array, to_y: Array) -> None:
        """Set `x` and `y` to an affine map of each image's pixels.

        `to_x` and `to_y` have shape (m, 3). A row (u, v, t) maps the pixel (x, y) to u x + v y + t, where x and y are
        measured from the centre of the image.
        """
        for rows, points in ((to_x, self.x), (to_y, self.y)):
            m = len(rows)
            u, v, t = rows.astype(np.float32).T[:, :, np.newaxis]
            term, result = self._upper[:m], points[:m]
            np.multiply(u, self._offset_x, result)  # not a matrix product: its last bits depend on the processor
            np.multiply(v, self._offset_y, term)
            np.add(result, term, result)
            np.add(result, t + np.float32((self.side + 1) / 2), result)

    def interpolate(self, images: Images, out: Images) -> None:
        """Write the brightness of images (N, side²), N ≤ m, at the points `x` and `y` into `out`, rounded."""
        m, wide, edge = len(images), self.wide, self.side + 1
        grid = self._originals[: m * wide**2].reshape(m, wide, wide)
        grid[:, 1:edge, 1:edge] = images.reshape(m, self.side, self.side)
        place = self._place[:m]
        x, y, x0, y0, upper, lower = (
            buffer[:m] for buffer in (self.x, self.y, self._x0, self._y0, self._upper, self._lower)
        )
        for whole, fraction in ((x0, x), (y0, y)):
            np.clip(fraction, 0, edge, fraction)  # beyond the border all is black
            np.floor(fraction, whole)
            np.subtract(fraction, whole, fraction)
        np.multiply(y0, wide, y0)
        np.add(y0, x0, y0)
        np.add(y0, self._first[:m], y0)
        np.copyto(place, y0, casting="unsafe")

        right = x0  # x0 is no longer needed
        for left, below in ((upper, 0), (lower, wide)):
            self._pixels(place, below, left)
            self._pixels(place, below + 1, right)
            _between(left, right, x)
        _between(upper, lower, y)
        np.add(upper, 0.5, upper)  # so that the truncation below rounds
        np.copyto(out, upper, casting="unsafe")

    def _pixels(self, place: NDArray[Any], offset: int, out: Array) -> None:
        """Write the pixel `offset` pixels after each place into `out`. (mode="clip" lets `take` use `out` directly.)"""
        np.take(self._originals[offset:], place, out=out, mode="clip")


def _between(first: Array, second: Array, fraction: Array) -> None:
    """first ← first + fraction · (second − first), in place. `second` is overwritten, too."""
    np.subtract(second, first, second)
    np.multiply(second, fraction, second)
    np.add(first, second, first)
