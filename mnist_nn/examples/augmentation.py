"""Augmentation: each image is distorted differently in each epoch, so the network never sees the same image twice.

Pixel p of a distorted image has the brightness of the original at the point p + d(p), which lies between pixels. The
displacement d, in pixels, is the sum of two fields:

    affine     d(p) = (A − I)(p − c) + t      c the centre, t a shift, and A = R S D:
                                              R a rotation, S = (1 s; 0 1) a shear, D = diag(1/width, 1/height)
    elastic    d = α · (G ∗ u)                u white noise in [−1, 1], G a Gaussian of width σ with Σ G = 1

as in Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual document
analysis" (2003), and Cireşan et al., "Deep, big, simple neural nets for handwritten digit recognition" (2010).
"""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, radians, sqrt

import numpy as np

from ..chapter.activation import Array
from ..configuration.schema import AugmentationConfig
from ..randomness import stream
from .dataset import Labels
from .interpolation import Images, Interpolation

BLOCK = 32  # images that share a stream of random numbers: enough to make a stream cheap
NEGLIGIBLE = 1e-3  # relative to the strongest component of the smoothing


def smoothing(side: int, sigma: float) -> Array:
    """A matrix B, shape (side, r): for normal random numbers n, shape (r, r), B n Bᵀ is noise smoothed by a Gaussian.

    Smoothing the rows and columns of white noise u gives G u Gᵀ. The rows of G are Gaussians with Σ G = 1, and u
    extends beyond the image. With the singular value decomposition G = P S Qᵀ this is (P S)(Qᵀ u Q)(P S)ᵀ. Here
    Qᵀ u Q is white noise again, so n takes its place. Components that the smoothing makes negligible are left out.
    """
    reach = ceil(4 * sigma)
    from_to = np.arange(-reach, side + reach) - np.arange(side)[:, np.newaxis]
    G = np.exp(-0.5 * (from_to / sigma) ** 2)
    G /= np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).sum()
    P, S, _ = np.linalg.svd(G, full_matrices=False)
    r = int((S / S[0] > NEGLIGIBLE).sum())
    B: Array = P[:, :r] * S[:r]
    return B


@dataclass(frozen=True)
class Displacements:
    """The random displacements of a block of images.

    `affine` are the rows `to_x` and `to_y` of `Interpolation.set_affine`, shape (2, BLOCK, 3). `elastic` are the fields
    along x and y, shape (2, BLOCK, side²), and empty without elastic distortions.
    """

    affine: Array
    elastic: Array


class Distortion:
    """Distorts square images. The distortion of an image depends on the seed, the epoch and its place in the epoch."""

    def __init__(self, settings: AugmentationConfig, side: int, seed: int) -> None:
        """Prepare distortions of images of side × side pixels."""
        self._settings, self._side, self._seed = settings, side, seed
        self._interpolation = Interpolation(side)
        strength = settings.elastic.alpha / sqrt(3)  # u is normal here, with the variance ⅓ of Simard's uniform noise
        B = smoothing(side, settings.elastic.sigma) * sqrt(strength) if strength else np.empty((side, 0))
        self._B_T, self._r = B.T.astype(np.float32), B.shape[1]
        self._drawn: tuple[tuple[int, int], Displacements] | None = None  # the last block, which others may follow

    def __call__(self, images: Images, epoch: int, places: Labels) -> Images:
        """Distorted copies of images (N, side²). `places` (N,) are their places in the order of the epoch.

        Places in ascending order are fastest.
        """
        out, m = np.empty_like(images), self._interpolation.m
        for start in range(0, len(images), m):
            part = slice(start, start + m)
            self._set_points(epoch, places[part])
            self._interpolation.interpolate(images[part], out[part])
        return out

    def _set_points(self, epoch: int, places: Labels) -> None:
        """Write p + d(p) for each pixel p of the images at these places into `x` and `y` of the interpolation."""
        blocks, within = np.divmod(places, BLOCK)
        edges = [0, *(np.flatnonzero(np.diff(blocks)) + 1), len(places)]
        runs = [slice(first, last) for first, last in pairwise(edges)]  # of images in the same block
        drawn = [self._block(epoch, int(blocks[run.start])) for run in runs]
        to_x, to_y = (
            np.concatenate([block.affine[axis, within[run]] for block, run in zip(drawn, runs, strict=True)])
            for axis in (0, 1)
        )
        self._interpolation.set_affine(to_x, to_y)
        if self._r:
            for block, run in zip(drawn, runs, strict=True):
                for points, field in zip((self._interpolation.x, self._interpolation.y), block.elastic, strict=True):
                    np.add(points[run], field[within[run]], points[run])

    def _block(self, epoch: int, block: int) -> Displacements:
        if self._drawn is None or self._drawn[0] != (epoch, block):
            self._drawn = (epoch, block), self._draw(stream(self._seed, "augmentation", epoch, block))
        return self._drawn[1]

    def _draw(self, random: np.random.Generator) -> Displacements:
        settings = self._settings
        angle, shear, scale_x, scale_y, shift_x, shift_y = random.uniform(-1, 1, (6, BLOCK))
        angle, shear = radians(settings.rotation) * angle, settings.shear * shear
        width, height = 1 + settings.scaling * scale_x, 1 + settings.scaling * scale_y
        cos, sin = np.cos(angle), np.sin(angle)
        to_x = np.stack([cos / width, (shear * cos - sin) / height, settings.shift * shift_x], axis=1)
        to_y = np.stack([sin / width, (shear * sin + cos) / height, settings.shift * shift_y], axis=1)
        return Displacements(np.stack([to_x, to_y]), self._elastic(random) if self._r else np.empty(0))

    def _elastic(self, random: np.random.Generator) -> Array:
        """α (G ∗ u) for a block, along both axes, shape (2, BLOCK, side²): B n Bᵀ, in two products for all fields."""
        fields, r = 2 * BLOCK, self._r
        n = random.standard_normal((fields * r, r), np.float32)
        rows = np.matmul(n, self._B_T).reshape(fields, r, self._side)
        field: Array = np.matmul(rows.swapaxes(1, 2).reshape(-1, r), self._B_T)
        return field.reshape(2, BLOCK, -1)
