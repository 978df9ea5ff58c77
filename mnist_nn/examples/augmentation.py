"""Augmentation: every image distorted afresh in every epoch, so that the network never sees the same one twice.

A distorted image has at its pixel p the brightness that the original has at p + d(p), a place between pixels. The
displacement d, in pixels, is the sum of two fields:

    affine     d(p) = (A − I)(p − c) + t      about the centre c, by a shift t, with A = R S D:
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

NEGLIGIBLE = 1e-3  # of the strongest component of the smoothing


def smoothing(side: int, sigma: float) -> Array:
    """B, shape (side, r), such that B n Bᵀ is white noise smoothed by a Gaussian, for (r, r) normal numbers n.

    Smoothing rows and columns is G u Gᵀ with a matrix G of Gaussians, Σ G = 1, of which u may reach beyond the
    image. With G = P S Qᵀ that is (P S)(Qᵀ u Q)(P S)ᵀ, where Qᵀ u Q is white noise again; the components of which
    nearly nothing is left are not drawn.
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
        self._settings, self._side = settings, side
        self._interpolation = Interpolation(side)
        strength = settings.elastic.alpha / sqrt(3)  # u is normal here, with the variance ⅓ of Simard's uniform noise
        B = smoothing(side, settings.elastic.sigma) * sqrt(strength) if strength else np.empty((side, 0))
        self._B_T, self._r = B.T.astype(np.float32), B.shape[1]

    def __call__(self, images: Images, random: np.random.Generator, out: Images) -> Images:
        """Distort images (N, side²), each in its own way, into `out` of the same shape, which is returned.

        The first images are distorted in the same way however many follow them.
        """
        m = self._interpolation.m
        for start in range(0, len(images), m):
            self._draw_places(random)
            self._interpolation.interpolate(images[start : start + m], out[start : start + m])
        return out

    def _draw_places(self, random: np.random.Generator) -> None:
        """p + d(p) for each pixel p of as many images as are interpolated at a time."""
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
        """α (G ∗ u) along one axis, (m, side²): two products for all images at once, B n Bᵀ of each."""
        m, r = self._interpolation.m, self._r
        n = random.standard_normal((m * r, r), np.float32)
        rows = np.matmul(n, self._B_T).reshape(m, r, self._side)
        field: Array = np.matmul(rows.swapaxes(1, 2).reshape(-1, r), self._B_T)
        return field.reshape(m, -1)
