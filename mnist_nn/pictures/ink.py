"""How much ink lies on each pixel of a photographed sheet: whatever the paper, the light and the colours are.

Ink is what differs from the paper around it. The paper's brightness is what remains of a picture after a grey closing:
every dark stroke narrower than WIDEST is filled from its surroundings, while shadows, which are wider, stay. Where the
paper is half as bright, ink reflects half as much light too. So ink is 1 − brightness / paper.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Grey = NDArray[np.uint8]

WIDEST = 0.2  # of the shorter side of the picture: strokes are narrower, shadows are wider
COARSE = 256  # pixels of the longer side, for the paper
NOISE = 0.8  # pixels: finer detail is noise of the camera
FAINTEST = 0.1  # the least ink that counts; paper and cameras make less
NOISES = 6.0  # ink is this many times stronger than the noise of the paper
WEAK, STRONG = 0.45, 0.7  # of the pen's strength: pixels of a stroke, and what every stroke reaches somewhere
FADE = 0.5  # of the pen's strength: the range over which an edge fades from paper to ink


@dataclass(frozen=True)
class Inked:
    """A picture taken apart. `strength` is the pen's: 0 on blank paper. All arrays have the picture's shape (H, W)."""

    bright_ink: bool  # white on black
    paper: Floats
    ink: Floats
    strength: float

    @property
    def strokes(self) -> NDArray[np.bool_]:
        """The pixels of strokes: connected, at least WEAK everywhere and STRONG somewhere."""
        from scipy import ndimage  # type: ignore[import-untyped]

        if not self.strength:
            return np.zeros(self.ink.shape, np.bool_)
        labels, count = ndimage.label(self.ink > WEAK * self.strength, np.ones((3, 3)))
        is_stroke = np.zeros(count + 1, np.bool_)
        is_stroke[labels[self.ink >= STRONG * self.strength]] = True
        return np.asarray(is_stroke[labels])

    @property
    def evened(self) -> Floats:
        """The ink as one pen of full strength would leave it: 0 for paper, 1 for ink, with soft edges."""
        low = WEAK - FADE / 2
        return np.asarray(np.clip((self.ink / max(self.strength, 1e-6) - low) / FADE, 0, 1), np.float32)


def find_ink(grey: Grey) -> Inked:
    """Take a picture (H, W), 0 for black and 255 for white, apart into paper and ink."""
    from scipy import ndimage

    smooth = grey.astype(np.float32)
    if min(grey.shape) >= 60:
        smooth = ndimage.gaussian_filter(smooth, NOISE, mode="nearest")
    bright_ink = _has_bright_ink(smooth)
    light = (255 - smooth if bright_ink else smooth) + 1
    paper = _paper(light)
    ink = np.clip(1 - light / paper, 0, 1)
    return Inked(bright_ink, paper, ink, _strength(ink))


def _has_bright_ink(grey: Floats) -> bool:
    """Whether strokes are brighter than the paper: strokes differ more from their surroundings than paper does."""
    from scipy import ndimage

    small, _ = _reduced(grey, COARSE)
    coarse, factor = _reduced(small, COARSE // 4)
    window = max(3, int(1.5 * WIDEST * min(coarse.shape)) | 1)
    paper = ndimage.median_filter(np.pad(coarse, window, mode="edge"), window)[window:-window, window:-window]
    paper = _enlarged(paper, factor, small.shape)
    return bool(((small - paper) ** 3).sum() > 0)


def _paper(light: Floats) -> Floats:
    """The brightness that the picture would have without strokes.

    A smooth surface takes out what falls off towards the borders, where a closing cannot see how the paper goes on.
    """
    from scipy import ndimage

    small, factor = _reduced(light, COARSE)
    small = ndimage.gaussian_filter(small, 1, mode="nearest")
    surface = _surface(small)
    width = max(5, int(WIDEST * min(small.shape)) | 1)
    closed = ndimage.grey_closing(small / surface, (width, width), mode="nearest")
    closed = ndimage.gaussian_filter(closed, 1.5, mode="nearest") * surface
    return _enlarged(closed, factor, light.shape)


def _surface(light: Floats) -> Floats:
    """exp of the quadratic polynomial of row and column that fits the logarithm of the light best, strokes left out."""
    y, x = (axis.ravel() for axis in np.meshgrid(*(np.linspace(-1, 1, n) for n in light.shape), indexing="ij"))
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    wanted = np.log(light.ravel().astype(np.float64))
    rows = np.ones(wanted.size, np.bool_)
    for _ in range(3):
        fitted = terms @ np.linalg.lstsq(terms[rows], wanted[rows], rcond=None)[0]
        off = np.abs(wanted - fitted)
        rows = off <= max(0.05, 2 * float(np.median(off)))
    return np.asarray(np.exp(fitted).reshape(light.shape), np.float32)


def _enlarged(picture: Floats, factor: int, shape: tuple[int, ...]) -> Floats:
    """The picture that `_reduced` gave, in its old shape again."""
    from scipy import ndimage

    large = ndimage.zoom(picture, factor, order=1, mode="nearest", grid_mode=True) if factor > 1 else picture
    return np.asarray(large[: shape[0], : shape[1]], np.float32)


def _reduced(picture: Floats, side: int) -> tuple[Floats, int]:
    """The picture with at most `side` pixels on its longer side, as averages of blocks, and the blocks' side."""
    factor = max(1, -(-max(picture.shape) // side))
    if factor == 1:
        return picture, 1
    rows, columns = (-length % factor for length in picture.shape)
    padded = np.pad(picture, ((0, rows), (0, columns)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32), factor


def _strength(ink: Floats) -> float:
    """How dark the pen writes: the ink in the middle of its strokes. 0 if there is no more than noise."""
    noise = 1.5 * float(np.median(np.abs(ink - np.median(ink))))
    least = max(FAINTEST, NOISES * noise)
    inked = ink[ink > least]
    if inked.size < 4:
        return 0.0
    return float(np.percentile(inked, 95))
