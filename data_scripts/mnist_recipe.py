"""MNIST's own recipe: how the ink of one digit, of any size, becomes one of MNIST's images.

The box around the ink is scaled to 20 pixels on its longer side. Each new pixel is the average of the area that it
covers, and the darkest one gets 255. The result is placed by whole pixels: the pixel in which its centre of mass lies
comes to row 14 and column 14 of 28 × 28 pixels, counted from 0. So the centre of mass lies 14 to 15 pixels from the
upper and from the left edge. (LeCun et al. 1998; the last rule is from QMNIST, Yadav and Bottou 2019. At hand were the
10,000 test images, which all lie where it puts them, and a slightly altered copy of the 60,000 others: all but 11.)

Every sum is a sum of whole numbers, so all computers get the same bytes, and so does the page:
`mnist_nn/page/browser/parts/ink.js`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .idx import Pixels

SIDE, BOX = 28, 20  # pixels: the image, and the square that holds the digit
MIDDLE = 14  # the row and the column of the pixel in which the centre of mass lies


def mnist_image(ink: NDArray[Any]) -> Pixels:
    """Return the ink of one digit (H, W) as MNIST would show it: (28, 28), 0 for paper and 255 for the darkest ink.

    The ink is numbers from 0 to 1, or bytes. Without any ink the image is blank.
    """
    grey = ink if ink.dtype == np.uint8 else np.floor(255 * ink.astype(np.float64) + 0.5)
    rows, columns = np.flatnonzero(grey.any(axis=1)), np.flatnonzero(grey.any(axis=0))
    if not rows.size:
        return np.zeros((SIDE, SIDE), np.uint8)
    grey = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    longest = max(grey.shape)
    height, width = (max(1, (2 * BOX * extent + longest) // (2 * longest)) for extent in grey.shape)
    sums = _overlaps(height, grey.shape[0]) @ grey.astype(np.float64) @ _overlaps(width, grey.shape[1]).T
    return place(np.floor((510 * sums + sums.max()) / (2 * sums.max())).astype(np.uint8))


def place(small: Pixels) -> Pixels:
    """Return the picture (h, w), of at most 28 × 28 pixels, where MNIST's recipe places it in 28 × 28 pixels."""
    (height, width), image = small.shape, np.zeros((SIDE, SIDE), np.uint8)
    top, left = np.clip(corner(small[np.newaxis])[0], 0, (SIDE - height, SIDE - width))
    image[top : top + height, left : left + width] = small
    return image


def corner(pictures: Pixels) -> NDArray[np.int64]:
    """Return the row and column (n, 2) at which MNIST's recipe places the upper left pixel of each picture (n, h, w).

    It is 14 − ⌊m⌋, where m is the centre of mass. Pixel i spans [i, i + 1]. A blank picture has m = 0.
    """
    down, across = pictures.sum(axis=2, dtype=np.int64), pictures.sum(axis=1, dtype=np.int64)
    mass = down.sum(axis=1)
    twice = [line @ (2 * np.arange(line.shape[1]) + 1) for line in (down, across)]  # 2 m · mass
    return np.stack([MIDDLE - each // np.maximum(2 * mass, 1) for each in twice], axis=1)


def _overlaps(new: int, old: int) -> NDArray[np.float64]:
    """How much of each of `old` pixels lies in each of `new` pixels of the same length: (new, old), in whole parts."""
    start, first = np.arange(new)[:, np.newaxis] * old, np.arange(old) * new
    return np.asarray(np.maximum(np.minimum(start + old, first + new) - np.maximum(start, first), 0), np.float64)
