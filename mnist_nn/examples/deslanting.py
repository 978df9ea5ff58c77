"""Deslanting: each digit is sheared upright, so the network need not learn every slant.

With brightness I, centre of brightness (x̄, ȳ), and

    α = Σ (x − x̄)(y − ȳ) I / Σ (y − ȳ)² I

the digit's axis leans by α pixels sideways for each pixel down. Pixel (x, y) of the deslanted image is the pixel
(x + α (y − ȳ), y) of the original. (LeCun, Bottou, Bengio and Haffner 1998 report results with and without.)
"""

import numpy as np

from ..chapter.activation import Array
from .interpolation import Images, Interpolation

FLAT = 1e-6  # a smaller variance of y means a single row of pixels


def deslant(images: Images) -> Images:
    """Deslanted copies of square images (N, side, side) of uint8. A black image stays black.

    Raises ValueError for another dtype or shape.
    """
    if images.dtype != np.uint8 or images.ndim != 3 or not 0 < images.shape[1] == images.shape[2]:
        raise ValueError(f"deslant takes uint8 images (N, side, side), not {images.dtype} of shape {images.shape}")
    side = images.shape[1]
    flat, out = images.reshape(len(images), side**2), np.empty_like(images)
    interpolation = Interpolation(side)
    for start in range(0, len(images), interpolation.m):
        chunk = flat[start : start + interpolation.m]
        slant, y_mean = _slant(chunk, side)
        none, one = np.zeros_like(slant), np.ones_like(slant)
        interpolation.set_affine(
            np.stack([one, slant, -slant * y_mean], axis=1),
            np.stack([none, one, none], axis=1),
        )
        interpolation.interpolate(chunk, out.reshape(flat.shape)[start : start + len(chunk)])
    return out


def _slant(images: Images, side: int) -> tuple[Array, Array]:
    """α and ȳ of each image (N, side²). ȳ is measured from the image's middle. α is 0 for an image without height."""
    y, x = (axis.ravel() for axis in np.mgrid[:side, :side] - (side - 1) / 2)
    moments = images.astype(np.float64) @ np.stack([np.ones(side**2), x, y, x * y, y * y], axis=1)
    moments /= np.maximum(moments[:, :1], 1)  # per unit of brightness
    _, x_mean, y_mean, xy_mean, yy_mean = moments.T
    height = yy_mean - y_mean**2
    return np.divide(xy_mean - x_mean * y_mean, height, out=np.zeros(len(images)), where=height > FLAT), y_mean
