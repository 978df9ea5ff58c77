"""Digits drawn by the program, for training without a download.

Each image shows a form from `glyphs` with a random bend, slant, width, pen thickness and pressure. Like MNIST's
images, it is scaled into 20×20 pixels and placed in 28×28 pixels by its centre of mass (`mnist_recipe`).

    python -m data_scripts.synthetic DIRECTORY                      writes 10,000 + 2,000 digits as IDX files
    python -m data_scripts.synthetic DIRECTORY --train 100000       takes 3 seconds on two cores
    python -m data_scripts.synthetic DIRECTORY --train 8100000      takes 4 minutes, and 6.4 GB on the disk

The last command writes as many digits as InfiMNIST has (Loosli, Canu and Bottou 2007). The files are not compressed, so
that `idx` can map them into memory.
"""

import contextlib
import hashlib
import itertools
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from .command import Parser, printable, run, whole_number
from .errors import DataError
from .files import ABANDONED, create_files, read_regular, remove_leftovers, write_atomically
from .glyphs import FORMS, Form, Stroke
from .idx import DIMENSIONS, Pixels, Split, header, matching_files, read_split, write_idx
from .mnist_recipe import BOX, SIDE, corner
from .progress import progress_bar

VERSION = 3  # of the drawing; each version has its own cache
COUNTS: dict[Split, int] = {"train": 10_000, "test": 2_000}
ROUNDING = 0.5  # pixels: MNIST's images are placed by whole pixels, so up to half a pixel is left over
THINNEST = 1.0  # pixels: little pressure makes no line of half this width or less thinner
SPACING = 0.045  # between points along a stroke, in units of the glyph's box: about a pixel
CHUNK = 16  # images drawn at a time: few enough for their arrays to stay in the processor's cache
BLOCK = 10_000  # digits of one random stream: the first block is the training set of `load_synthetic`

_y, _x = np.indices((SIDE, SIDE), np.float32).reshape(2, -1)
PIXELS = np.stack([_x * _x + _y * _y, np.ones_like(_x), -2 * _x, -2 * _y])  # what `_ink` needs of each pixel

Floats = NDArray[np.floating[Any]]


def draw_digits(count: int, seed: int, split: Split = "train") -> tuple[Pixels, Pixels]:
    """Draw images (count, 28, 28) and labels (count,). Equal seeds give equal digits. The two splits do not overlap.

    All digits are equally frequent (to within one). The forms of a digit are, on average, as frequent as their weights
    say. Each whole block of BLOCK digits is the same for every count.
    """
    images, labels = np.empty((count, SIDE, SIDE), np.uint8), np.empty(count, np.uint8)
    for block, start in enumerate(range(0, count, BLOCK)):
        part = slice(start, min(start + BLOCK, count))
        images[part], labels[part] = _draw_block(len(labels[part]), seed, split, block)
    return images, labels


def draw_in_blocks(count: int, seed: int, split: Split, *, workers: int = 1) -> Iterator[tuple[Pixels, Pixels]]:
    """Yield the digits of `draw_digits`, BLOCK at a time. The number of threads that draw changes nothing in them.

    At most `workers` + 2 blocks are in memory. Raises DataError where no thread can be started.
    """
    drawn: deque[Future[tuple[Pixels, Pixels]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for block, start in enumerate(range(0, count, BLOCK)):
                try:
                    drawn.append(pool.submit(_draw_block, min(BLOCK, count - start), seed, split, block))
                except RuntimeError as error:
                    reason = f"digits cannot be drawn without a thread: {error}"
                    raise DataError(f"{reason}; end other programs, or raise `ulimit -u`") from None
                if len(drawn) > workers:
                    yield drawn.popleft().result()
            while drawn:
                yield drawn.popleft().result()
        finally:
            for future in drawn:
                future.cancel()


def _draw_block(count: int, seed: int, split: Split, block: int) -> tuple[Pixels, Pixels]:
    """Draw the digits of one block. Each block has a random stream of its own."""
    entropy, key = [seed, list(COUNTS).index(split)], (block,) if block else ()
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy, spawn_key=key)))
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


def write_digits(
    directory: Path,
    counts: dict[Split, int],
    seed: int,
    *,
    workers: int = 1,
    on_digits: Callable[[int], object] = lambda n: None,
) -> None:
    """Draw so many digits of each split into plain IDX files, which can be larger than the memory.

    The files appear when all are complete. The directory is made if needed. So many threads draw. `on_digits` is called
    with the number of digits in each block. Raises DataError where the directory holds digits already or has too little
    room, and like `draw_in_blocks`. Raises OSError where a file cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    remove_leftovers(directory, older_than=ABANDONED)
    parts = list(itertools.product(counts, DIMENSIONS))
    for split, kind in parts:
        if found := matching_files(directory, split, kind):
            raise DataError(f"{found[0]}: is here already; remove it, or choose another directory")
    needed, free = sum(counts.values()) * (SIDE**2 + 1), shutil.disk_usage(directory).free
    if needed > free:
        sizes = f"{needed / 1e6:,.1f} MB are needed, and {free / 1e6:,.1f} MB are free"
        raise DataError(f"{directory}: {sizes}; choose another directory, or fewer digits")
    paths = [directory / f"{split}-{kind}-idx{DIMENSIONS[kind]}-ubyte" for split, kind in parts]
    with threadpool_limits(1), create_files(*paths) as files:  # one thread for each block is faster than several
        for split, images_file, labels_file in zip(counts, files[::2], files[1::2], strict=True):
            images_file.write(header(counts[split], SIDE, SIDE))
            labels_file.write(header(counts[split]))
            for images, labels in draw_in_blocks(counts[split], seed, split, workers=workers):
                images_file.write(images.data)
                labels_file.write(labels.data)
                on_digits(len(labels))


def _digest(images: Pixels, labels: Pixels) -> bytes:
    """The SHA-256 of both arrays, as hexadecimal digits."""
    return hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest().encode()


def _write(directory: Path, split: Split, images: Pixels, labels: Pixels) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    write_idx(directory / f"{split}-images-idx3-ubyte.gz", images)
    write_idx(directory / f"{split}-labels-idx1-ubyte.gz", labels)


def _draw(form: Form, n: int, random: np.random.Generator) -> Pixels:
    """Draw n images (n, 28, 28) of one form."""
    points, pressure = _write_by_hand(form, n, random)
    radius = np.clip(random.lognormal(np.log(1.25), 0.26, n), 0.65, 3)
    pressure = np.maximum(pressure, np.minimum(1, THINNEST / radius)[:, np.newaxis])
    softness = random.uniform(0.7, 1.3, n)
    points = _place(points, pressure, radius) + random.uniform(-ROUNDING, ROUNDING, (n, 1, 2))
    images = np.empty((n, SIDE, SIDE), np.uint8)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        images[part] = _ink(points[part], pressure[part], radius[part], softness[part])
    shift = corner(images)  # at most two pixels: the centre of the points is near the centre of mass of their ink
    for i in np.flatnonzero(shift.any(axis=1)):
        images[i] = np.roll(images[i], shift[i], axis=(0, 1))
    return images


def _write_by_hand(form: Form, n: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """The points (n, S, 2) of n handwritten copies of a form, and the pen's pressure (n, S), which is about 1.

    Each copy has its own random bend, slant and width.
    """
    points = np.concatenate([_waver(_trace(stroke), n, random) for stroke in form], axis=1)
    waves = _waves(points, (0.12, 0.12, 0.25), random)  # across, down, and of the pressure
    points, pressure = points + waves[:, :, :2], np.clip(1 + waves[:, :, 2], 0.5, 1.6)
    angle = random.normal(0, 0.1, n)
    slant = random.normal(0.15, 0.22, n)
    width = random.lognormal(-0.03, 0.15, n)
    cos, sin = np.cos(angle), np.sin(angle)
    # rotation · shear · stretch, for points as rows; y points down, so a slant to the right is −y
    linear = np.empty((n, 2, 2))
    linear[:, 0, 0], linear[:, 0, 1] = width * cos, width * sin
    linear[:, 1, 0], linear[:, 1, 1] = -slant * cos - sin, -slant * sin + cos
    return np.asarray(points @ linear), pressure


def _waver(points: Floats, n: int, random: np.random.Generator) -> Floats:
    """n copies (n, S, 2) of a stroke's points (S, 2) that deviate slowly from the stroke.

    The deviation is white noise, smoothed along the stroke so that its variance is the same everywhere.
    """
    way = np.arange(len(points)) * SPACING
    smooth = np.exp(-(((way[:, None] - way) / 0.25) ** 2))
    smooth /= np.sqrt((smooth**2).sum(axis=1, keepdims=True))
    return np.asarray(points + smooth @ random.normal(0, 0.03, (n, *points.shape)))


def _waves(points: Floats, sizes: tuple[float, ...], random: np.random.Generator) -> Floats:
    """Quantities (n, S, len(sizes)) that vary smoothly across each image, about 0: the sum of a few long waves.

    The waves' directions, lengths (a digit's height at least), phases and amplitudes are random. `sizes` are the
    largest amplitudes.
    """
    n = len(points)
    total = np.zeros((*points.shape[:2], len(sizes)))
    for _ in range(3):
        direction, frequency = random.uniform(0, 2 * np.pi, (n, 1)), random.uniform(1, 5, (n, 1))
        wave = frequency * np.hstack([np.cos(direction), np.sin(direction)])
        phase = random.uniform(0, 2 * np.pi, (n, 1))
        amplitude = random.uniform(-1, 1, (n, 1, len(sizes))) * sizes
        total += np.sin(points @ wave[:, :, np.newaxis] + phase[:, np.newaxis]) * amplitude
    return total


def _place(points: Floats, pressure: Floats, radius: Floats) -> Floats:
    """Scale the digits, ink included, into BOX pixels, and put their centres where MNIST's are on average."""
    extent = points.max(axis=1) - points.min(axis=1)
    first, last = (np.take_along_axis(pressure, end, axis=1) for end in (points.argmin(axis=1), points.argmax(axis=1)))
    scale = ((BOX - radius[:, np.newaxis] * (first + last)) / extent).min(axis=1)
    points = points * scale[:, None, None]
    return np.asarray(points - points.mean(axis=1, keepdims=True) + SIDE / 2)  # pixel i spans [i − ½, i + ½]


def _ink(points: Floats, pressure: Floats, radius: Floats, softness: Floats) -> Pixels:
    """Draw points as pixels (n, 28, 28): full within `radius` of a point, fading over `softness` pixels at the edge.

    At a pressure of p the line ends at p · `radius`, and lines of little pressure are paler. For that the squared
    distance is shifted by (1 − p²) · `radius`². |pixel − point|² = |pixel|² + |point|² − 2 pixel · point, as one matrix
    product for all pixels and points.
    """
    n, S, _ = points.shape
    px, py = points.reshape(-1, 2).T.astype(np.float32)
    shift = ((1 - pressure**2) * radius[:, np.newaxis] ** 2).reshape(-1).astype(np.float32)
    squared = np.stack([np.ones_like(px), px * px + py * py + shift, px, py], axis=1) @ PIXELS
    nearest = np.sqrt(np.maximum(squared.reshape(n, S, -1).min(axis=1), 0))
    ink = np.clip((radius[:, None] - nearest) / softness[:, None] + 0.5, 0, 1)
    return np.asarray(np.rint(ink * 255), np.uint8).reshape(n, SIDE, SIDE)


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


def _workers() -> int:
    """A thread for each core of this process. More than eight would mostly wait for Python's global lock."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, cores)


def main(arguments: list[str]) -> None:
    """Write both splits into the directory named on the command line."""
    parser = Parser("data_scripts.synthetic", "Write drawn digits into DIRECTORY, as IDX files for data.source: idx.")
    parser.add_argument("directory", metavar="DIRECTORY", type=Path)
    for split, count in COUNTS.items():
        what = f"how many digits for {split}ing (default: {count:,})"
        parser.add_argument(f"--{split}", metavar="N", type=whole_number(1, 2**32 - 1), default=count, help=what)
    what = "other seeds give other digits (default: 0)"
    parser.add_argument("--seed", metavar="N", type=whole_number(0, 2**64 - 1), default=0, help=what)
    chosen = parser.parse_args(arguments)
    counts: dict[Split, int] = {"train": chosen.train, "test": chosen.test}
    try:
        with progress_bar(total=sum(counts.values()), unit=" digits", unit_scale=True) as bar:
            write_digits(chosen.directory, counts, chosen.seed, workers=_workers(), on_digits=bar.update)
    except OSError as error:
        reason = f"{error.filename}: cannot be written: {error.strerror}"
        raise DataError(f"{reason}; choose another directory") from None
    print(printable(f"{chosen.directory}: {' + '.join(f'{count:,}' for count in counts.values())} digits"))


if __name__ == "__main__":
    run(main)
