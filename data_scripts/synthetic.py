"""Digits drawn by the program, for training without a download.

Each image shows a form from `glyphs` with a random bend, slant, width and pen thickness. Like MNIST's images, it is
scaled into 20×20 pixels and centred by its mass in 28×28 pixels.

    python -m data_scripts.synthetic DIRECTORY [SEED]      writes 10,000 + 2,000 digits as IDX files
"""

import contextlib
import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .command import UsageError, printable, run
from .errors import DataError
from .files import read_regular, write_atomically
from .glyphs import FORMS, Form, Stroke
from .idx import Pixels, Split, read_split, write_idx

VERSION = 1  # of the drawing; each version has its own cache
COUNTS: dict[Split, int] = {"train": 10_000, "test": 2_000}
SIDE, BOX = 28, 20  # pixels: the image, and the square that holds the digit
ROUNDING = 0.5  # pixels: MNIST's images are centred by whole pixels, so up to half a pixel is left over
SPACING = 0.045  # between points along a stroke, in units of the glyph's box: about a pixel
CHUNK = 16  # images drawn at a time: few enough for their arrays to stay in the processor's cache

Floats = NDArray[np.floating[Any]]


def draw_digits(count: int, seed: int, split: Split = "train") -> tuple[Pixels, Pixels]:
    """Draw images (count, 28, 28) and labels (count,). Equal seeds give equal digits. The two splits do not overlap.

    All digits are equally frequent (to within one). The forms of a digit are, on average, as frequent as their weights
    say.
    """
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, list(COUNTS).index(split)])))
    labels = random.permutation(np.arange(count) % 10).astype(np.uint8)
    choice = random.random(count)
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    for digit, forms in FORMS.items():
        weights = np.cumsum([weight for weight, _ in forms])
        chosen = np.searchsorted(weights / weights[-1], choice)
        for f, (_, form) in enumerate(forms):
            rows = np.flatnonzero((labels == digit) & (chosen == f))
            images[rows] = _draw(form, len(rows), random)
    return images, labels


def load_synthetic(split: Split, cache: Path, seed: int = 0) -> tuple[Pixels, Pixels]:
    """The digits of a split: 10,000 for training, 2,000 for testing. They are drawn once, then read from `cache`.

    If the cache is damaged, holds anything else, or cannot be written, they are drawn again, which takes a few seconds.
    """
    directory = cache / f"digits-{VERSION}-{seed}"
    known = directory / f"{split}.sha256"
    with contextlib.suppress(DataError, OSError):
        images, labels = read_split(directory, split)
        if read_regular(known, 64) == _digest(images, labels):
            return images, labels
    images, labels = draw_digits(COUNTS[split], seed, split)
    with contextlib.suppress(OSError):
        _write(directory, split, images, labels)
        write_atomically(known, _digest(images, labels))
    return images, labels


def _digest(images: Pixels, labels: Pixels) -> bytes:
    """The SHA-256 of both arrays, as hexadecimal digits."""
    return hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest().encode()


def _write(directory: Path, split: Split, images: Pixels, labels: Pixels) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    write_idx(directory / f"{split}-images-idx3-ubyte.gz", images)
    write_idx(directory / f"{split}-labels-idx1-ubyte.gz", labels)


def _draw(form: Form, n: int, random: np.random.Generator) -> Pixels:
    """Draw n images (n, 28, 28) of one form."""
    points = _write_by_hand(form, n, random)
    radius = np.clip(random.lognormal(np.log(1.25), 0.2, n), 0.65, 2.2)
    softness = random.uniform(0.7, 1.3, n)
    points = _place(points, radius) + random.uniform(-ROUNDING, ROUNDING, (n, 1, 2))
    images = np.empty((n, SIDE, SIDE), np.uint8)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        images[part] = _ink(points[part], radius[part], softness[part])
    return images


def _write_by_hand(form: Form, n: int, random: np.random.Generator) -> Floats:
    """The points (n, S, 2) of n handwritten copies of a form, each with its own random bend, slant and width."""
    points = np.concatenate([_waver(_trace(stroke), n, random) for stroke in form], axis=1)
    points = points + _bend(points, random)
    angle = random.normal(0, 0.1, n)
    slant = random.normal(0.2, 0.25, n)
    width = random.lognormal(0, 0.15, n)
    cos, sin = np.cos(angle), np.sin(angle)
    # rotation · shear · stretch, for points as rows; y points down, so a slant to the right is −y
    linear = np.empty((n, 2, 2))
    linear[:, 0, 0], linear[:, 0, 1] = width * cos, width * sin
    linear[:, 1, 0], linear[:, 1, 1] = -slant * cos - sin, -slant * sin + cos
    return np.asarray(points @ linear)


def _waver(points: Floats, n: int, random: np.random.Generator) -> Floats:
    """n copies (n, S, 2) of a stroke's points (S, 2) that deviate slowly from the stroke.

    The deviation is white noise, smoothed along the stroke so that its variance is the same everywhere.
    """
    way = np.arange(len(points)) * SPACING
    smooth = np.exp(-(((way[:, None] - way) / 0.25) ** 2))
    smooth /= np.sqrt((smooth**2).sum(axis=1, keepdims=True))
    return np.asarray(points + smooth @ random.normal(0, 0.04, (n, *points.shape)))


def _bend(points: Floats, random: np.random.Generator) -> Floats:
    """A smooth displacement of the points of each image: a few long waves of random direction and phase."""
    n = len(points)
    displacement = np.zeros_like(points)
    for _ in range(3):
        wave = random.normal(0, 3, (n, 2, 1))
        phase = random.uniform(0, 2 * np.pi, (n, 1, 1))
        amplitude = random.normal(0, 0.03, (n, 1, 2))
        displacement += np.sin(points @ wave + phase) * amplitude
    return displacement


def _place(points: Floats, radius: Floats) -> Floats:
    """Scale the digits, ink included, into BOX pixels, and put their centres of mass in the middle."""
    extent = points.max(axis=1) - points.min(axis=1)
    scale = (BOX - 2 * radius) / extent.max(axis=1)
    points = points * scale[:, None, None]
    return np.asarray(points - points.mean(axis=1, keepdims=True) + (SIDE - 1) / 2)


def _ink(points: Floats, radius: Floats, softness: Floats) -> Pixels:
    """Draw points as pixels (n, 28, 28): full within `radius` of a point, fading over `softness` pixels at the edge.

    |pixel − point|² = |pixel|² + |point|² − 2 pixel · point, as one matrix product for all pixels and points.
    """
    n, S, _ = points.shape
    y, x = np.indices((SIDE, SIDE), np.float32).reshape(2, -1)
    pixels = np.stack([x * x + y * y, np.ones_like(x), -2 * x, -2 * y], axis=1)
    px, py = points.reshape(-1, 2).T.astype(np.float32)
    squared = pixels @ np.stack([np.ones_like(px), px * px + py * py, px, py])
    nearest = np.sqrt(np.maximum(squared.reshape(-1, n, S).min(axis=2), 0))
    ink = np.clip((radius - nearest) / softness + 0.5, 0, 1)
    return np.asarray(np.rint(ink.T * 255), np.uint8).reshape(n, SIDE, SIDE)


def _trace(stroke: Stroke) -> Floats:
    """Points (S, 2), SPACING apart, along the smooth curve through a stroke's points.

    (Catmull and Rom 1974, uniform, with the end points repeated.)
    """
    knots = np.array([stroke[0], *stroke, stroke[-1]])
    u = np.linspace(0, 1, 40)
    basis = [-u + 2 * u**2 - u**3, 2 - 5 * u**2 + 3 * u**3, u + 4 * u**2 - 3 * u**3, -(u**2) + u**3]
    weights = np.stack(basis, axis=1) / 2
    dense = np.concatenate([weights @ knots[i : i + 4] for i in range(len(stroke) - 1)])
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(dense, axis=0).T))])
    wanted = np.linspace(0, length[-1], max(2, int(length[-1] / SPACING)))
    return np.stack([np.interp(wanted, length, axis) for axis in dense.T], axis=1)


def main(arguments: list[str]) -> None:
    """Write both splits into the directory named on the command line."""
    if len(arguments) not in (1, 2):
        usage = "use python -m data_scripts.synthetic DIRECTORY [SEED]"
        raise UsageError(f"{len(arguments)} arguments are given; {usage}")
    directory, seed = Path(arguments[0]), arguments[1] if len(arguments) == 2 else "0"
    if not re.fullmatch(r"[0-9]{1,19}", seed):
        raise UsageError(f"SEED {seed}: must be a whole number of at most 19 digits, such as 7")
    try:
        directory.mkdir(parents=True, exist_ok=True)  # before the work, because it may fail
        for split, count in COUNTS.items():
            _write(directory, split, *draw_digits(count, int(seed), split))
    except OSError as error:
        reason = f"{error.filename}: cannot be written: {error.strerror}"
        raise DataError(f"{reason}; choose another directory") from None
    print(printable(f"{directory}: {' + '.join(f'{count:,}' for count in COUNTS.values())} digits"))


if __name__ == "__main__":
    run(main)
