"""Augmentation: every image distorted afresh in every epoch, so that the network never sees the same one twice.

A distorted image has at its pixel p the brightness that the original has at p + d(p), a place between pixels. The
displacement d, in pixels, is the sum of two fields:

    affine     d(p) = (A − I)(p − c) + t      A rotates, scales and shears about the centre c, t shifts
    elastic    d = α · (G ∗ u)                u white noise in [−1, 1], G a Gaussian of width σ with Σ G = 1

as in Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual document
analysis" (2003), and Cireşan et al., "Deep, big, simple neural nets for handwritten digit recognition" (2010).
The last argument of a NumPy call is where its result goes.
"""

from math import ceil, radians, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .activation import Array
from .config import AugmentationConfig

Images = NDArray[np.uint8]

CHUNK = 2**17  # pixels distorted at a time: few enough for their arrays to stay in the cache
NEGLIGIBLE = 1e-3  # of the strongest component of the smoothing


def smoothing(side: int, sigma: float) -> Array:
    """B, shape (side, r), such that B n Bᵀ is white noise smoothed by a Gaussian, for (r, r) normal numbers n.

    Smoothing rows and columns is G u Gᵀ with a matrix G of Gaussians, Σ G = 1, of which u may reach beyond the
    image. With G = P S Qᵀ that is (P S)(Qᵀ u Q)(P S)ᵀ, where Qᵀ u Q is white noise again; the components of which
    nearly nothing is left are not drawn. (u here is normal, with the variance ⅓ of Simard's uniform noise: each value
    of a smooth field is a sum of hundreds of them.)
    """
    reach = ceil(4 * sigma)
    from_to = np.arange(-reach, side + reach) - np.arange(side)[:, np.newaxis]
    G = np.exp(-0.5 * (from_to / sigma) ** 2)
    G /= np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).sum()
    P, S, _ = np.linalg.svd(G, full_matrices=False)
    r = int((S / S[0] > NEGLIGIBLE).sum())
    B: Array = P[:, :r] * S[:r]
    return B


class Distortion:
    """Distorts square images; the buffers that this takes are made once."""

    def __init__(self, settings: AugmentationConfig, side: int) -> None:
        """For images of side × side pixels."""
        self.settings, self.side = settings, side
        self.wide = side + 3  # with a black edge of one pixel before and two behind
        self.m = max(1, CHUNK // side**2)
        elastic = settings.elastic
        B = smoothing(side, elastic.sigma) * sqrt(elastic.alpha / sqrt(3)) if elastic.alpha else np.empty((side, 0))
        self.B_T = B.T.astype(np.float32)
        self.r = B.shape[1]
        offset = np.arange(side) - (side - 1) / 2  # from the centre
        ones = np.ones(side)
        self.affine_fields = np.stack(  # x, y and 1 at every pixel
            [np.kron(ones, offset), np.kron(offset, ones), np.kron(ones, ones)]
        ).astype(np.float32)
        self.x, self.y, self.x0, self.y0, self.upper, self.lower = np.empty((6, self.m, side**2), np.float32)
        self.place = np.empty((self.m, side**2), np.intp)
        self.first = np.arange(self.m, dtype=np.float32)[:, np.newaxis] * self.wide**2
        self.originals = np.zeros((self.m + 1) * self.wide**2, np.float32)

    def __call__(self, images: Images, random: np.random.Generator, out: Images) -> Images:
        """Distort images (N, side²), each in its own way, into `out` of the same shape, which is returned.

        The first images are distorted in the same way however many follow them.
        """
        for start in range(0, len(images), self.m):
            chunk = images[start : start + self.m]
            self._draw_places(random)
            self._interpolate(chunk, out[start : start + len(chunk)])
        return out

    def _draw_places(self, random: np.random.Generator) -> None:
        """x and y of p + d(p) for each pixel p of m images, counted from the corner of the black edge."""
        settings, m = self.settings, self.m
        angle, shear, *scales_and_shifts = random.uniform(-1, 1, (6, m))
        angle, shear = radians(settings.rotation) * angle, settings.shear * shear
        width, height = (1 + settings.scaling * scale for scale in scales_and_shifts[:2])
        middle = (self.side - 1) / 2 + 1
        t_x, t_y = (middle + settings.shift * shift for shift in scales_and_shifts[2:])
        cos, sin = np.cos(angle), np.sin(angle)
        A_x = np.stack([cos / width, (shear * cos - sin) / height, t_x], axis=1, dtype=np.float32)
        A_y = np.stack([sin / width, (shear * sin + cos) / height, t_y], axis=1, dtype=np.float32)
        for A, places in ((A_x, self.x), (A_y, self.y)):
            np.matmul(A, self.affine_fields, places)
            if self.r:
                np.add(places, self._elastic(random), places)

    def _elastic(self, random: np.random.Generator) -> Array:
        """α (G ∗ u) along one axis, (m, side²): two products for all images at once, B n Bᵀ of each."""
        n = random.standard_normal((self.m * self.r, self.r), np.float32)
        rows = np.matmul(n, self.B_T).reshape(self.m, self.r, self.side)
        field: Array = np.matmul(rows.swapaxes(1, 2).reshape(-1, self.r), self.B_T)
        return field.reshape(self.m, -1)

    def _interpolate(self, images: Images, out: Images) -> None:
        """Bilinear, between the four pixels around each place."""
        m, wide, edge = len(images), self.wide, self.side + 1
        inside = slice(1, edge)
        grid = self.originals[: m * wide**2].reshape(m, wide, wide)
        grid[:, inside, inside] = images.reshape(m, self.side, self.side)
        place = self.place[:m]
        x, y, x0, y0, upper, lower = (
            buffer[:m] for buffer in (self.x, self.y, self.x0, self.y0, self.upper, self.lower)
        )
        for whole, fraction in ((x0, x), (y0, y)):
            np.clip(fraction, 0, edge, fraction)  # beyond the edge it is as black as there
            np.floor(fraction, whole)
            np.subtract(fraction, whole, fraction)
        np.multiply(y0, wide, y0)
        np.add(y0, x0, y0)
        np.add(y0, self.first[:m], y0)
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
        np.take(self.originals[further:], place, out=out, mode="clip")


def _between(first: Array, second: Array, fraction: Array) -> None:
    """first + fraction · (second − first), into `first`; `second` is used up."""
    np.subtract(second, first, second)
    np.multiply(second, fraction, second)
    np.add(first, second, first)
