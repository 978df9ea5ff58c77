"""Augmentation: each image is distorted differently in each epoch, so the network never sees the same image twice.

Pixel p of a distorted image has the brightness of the original at the point p + d(p), which lies between pixels. The
displacement d, in pixels, is the sum of two fields:

    affine     d(p) = (A − I)(p − c) + t      c the centre, t a shift, and A = R S D:
                                              R a rotation, S = (1 s; 0 1) a shear, D = diag(1/width, 1/height)
    elastic    d = α · (G ∗ u)                u white noise in [−1, 1], G a Gaussian of width σ with Σ G = 1

as in Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual document
analysis" (2003), and Cireşan et al., "Deep, big, simple neural nets for handwritten digit recognition" (2010).
"""

from math import ceil, radians, sqrt

import numpy as np

from ..chapter.activation import Array
from ..configuration.schema import AugmentationConfig
from .interpolation import Images, Interpolation

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


class Distortion:
    """Distorts square images. Its buffers are made once."""

    def __init__(self, settings: AugmentationConfig, side: int) -> None:
        """Prepare distortions of images of side × side pixels."""
        self._settings, self._side = settings, side
        self._interpolation = Interpolation(side)
        strength = settings.elastic.alpha / sqrt(3)  # u is normal here, with the variance ⅓ of Simard's uniform noise
        B = smoothing(side, settings.elastic.sigma) * sqrt(strength) if strength else np.empty((side, 0))
        self._B_T, self._r = B.T.astype(np.float32), B.shape[1]

    def __call__(self, images: Images, random: np.random.Generator, out: Images) -> Images:
        """Write a distorted copy of each image (N, side²) into `out`, of the same shape, and return `out`.

        Every image gets its own distortion. The distortion of the first images does not depend on how many follow.
        """
        m = self._interpolation.m
        for start in range(0, len(images), m):
            self._draw_places(random)
            self._interpolation.interpolate(images[start : start + m], out[start : start + m])
        return out

    def _draw_places(self, random: np.random.Generator) -> None:
        """Draw new distortions: write p + d(p) for each pixel p into the `x` and `y` of the interpolation."""
        settings, interpolation = self._settings, self._interpolation
        angle, shear, scale_x, scale_y, shift_x, shift_y = random.uniform(-1, 1, (6, interpolation.m))
        angle, shear = radians(settings.rotation) * angle, settings.shear * shear
        width, height = 1 + settings.scaling * scale_x, 1 + settings.scaling * scale_y
        cos, sin = np.cos(angle), np.sin(angle)
        interpolation.set_affine(
            np.stack([cos / width, (shear * cos - sin) / height, settings.shift * shift_x], axis=1),
            np.stack([sin / width, (shear * sin + cos) / height, settings.shift * shift_y], axis=1),
        )
        if self._r:
            for places in (interpolation.x, interpolation.y):
                np.add(places, self._elastic(random), places)

    def _elastic(self, random: np.random.Generator) -> Array:
        """α (G ∗ u) along one axis for m images, shape (m, side²): B n Bᵀ, in two products for all images at once."""
        m, r = self._interpolation.m, self._r
        n = random.standard_normal((m * r, r), np.float32)
        rows = np.matmul(n, self._B_T).reshape(m, r, self._side)
        field: Array = np.matmul(rows.swapaxes(1, 2).reshape(-1, r), self._B_T)
        return field.reshape(m, -1)
