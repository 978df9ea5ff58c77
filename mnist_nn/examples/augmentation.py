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


class Distortion:
    """Distorts square images. The distortion of an image depends on the seed, the epoch and its place in the epoch."""

    def __init__(self, settings: AugmentationConfig, side: int, seed: int) -> None:
        """Prepare distortions of images of side × side pixels."""
        self._settings, self._side, self._seed = settings, side, seed
        self._interpolation = Interpolation(side, at_least=BLOCK)
        strength = settings.elastic.alpha / sqrt(3)  # u is normal here, with the variance ⅓ of Simard's uniform noise
        B = smoothing(side, settings.elastic.sigma) * sqrt(strength) if strength else np.empty((side, 0))
        self._B_T, self._r = B.T.astype(np.float32), B.shape[1]

    def __call__(self, images: Images, epoch: int, places: Labels) -> Images:
        """Distorted copies of images (N, side²). `places` (N,) are their different places in the order of the epoch."""
        out = np.empty_like(images)
        if (np.diff(places) < 0).any():
            ascending = np.argsort(places)
            out[ascending] = self(images[ascending], epoch, places[ascending])
            return out
        blocks, first = np.unique(places // BLOCK, return_index=True)
        ends = [*first[1:], len(images)]
        n = self._interpolation.m // BLOCK  # blocks at a time
        for i in range(0, len(blocks), n):
            part = slice(first[i], ends[min(i + n, len(blocks)) - 1])
            self._set_points(epoch, blocks[i : i + n], places[part])
            self._interpolation.interpolate(images[part], out[part])
        return out

    def _set_points(self, epoch: int, blocks: Labels, places: Labels) -> None:
        """Write p + d(p) for each pixel p of the images at these places into `x` and `y` of the interpolation.

        Every block is drawn whole. `blocks` are those of the places.
        """
        streams = [stream(self._seed, "augmentation", epoch, int(block)) for block in blocks]
        rows = np.searchsorted(blocks, places // BLOCK) * BLOCK + places % BLOCK
        neighbours = rows[-1] - rows[0] == len(rows) - 1  # a slice of them needs no copy
        chosen = slice(rows[0], rows[-1] + 1) if neighbours else rows
        to_x, to_y = self._affine(streams)
        self._interpolation.set_affine(to_x[chosen], to_y[chosen])
        if self._r:
            n = len(places)
            along_x, along_y = self._elastic(streams)
            for points, field in ((self._interpolation.x[:n], along_x), (self._interpolation.y[:n], along_y)):
                np.add(points, field[chosen], points)

    def _affine(self, streams: list[np.random.Generator]) -> tuple[Array, Array]:
        """The rows of `Interpolation.set_affine` for all images of these blocks, each (images, 3)."""
        settings = self._settings
        drawn = np.concatenate([random.uniform(-1, 1, (6, BLOCK)) for random in streams], axis=1)
        angle, shear, scale_x, scale_y, shift_x, shift_y = drawn
        angle, shear = radians(settings.rotation) * angle, settings.shear * shear
        width, height = 1 + settings.scaling * scale_x, 1 + settings.scaling * scale_y
        cos, sin = np.cos(angle), np.sin(angle)
        return (
            np.stack([cos / width, (shear * cos - sin) / height, settings.shift * shift_x], axis=1),
            np.stack([sin / width, (shear * sin + cos) / height, settings.shift * shift_y], axis=1),
        )

    def _elastic(self, streams: list[np.random.Generator]) -> Array:
        """α (G ∗ u) along both axes for all images of these blocks, shape (2, images, side²): B n Bᵀ.

        Two products for each axis and block, always of the same size: the last bits of a product depend on its size.
        """
        r, side = self._r, self._side
        n = np.empty((2, len(streams), BLOCK * r, r), np.float32)
        for block, random in enumerate(streams):
            for axis in (0, 1):
                random.standard_normal(dtype=np.float32, out=n[axis, block])
        rows = np.matmul(n, self._B_T).reshape(-1, r, side)
        across = rows.swapaxes(1, 2).reshape(2, len(streams), -1, r)
        fields: Array = np.matmul(across, self._B_T)
        return fields.reshape(2, -1, side**2)
