"""Digits that the program draws by itself, for learning without a download.

Each image is a form from `glyphs`, written anew: bent, slanted, stretched, with a pen of another thickness. It is
scaled into 20×20 pixels and centred by its mass in 28×28, as MNIST's images are.

    python -m data_scripts.synthetic DIRECTORY [SEED]      writes 10,000 + 2,000 digits as IDX files
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .glyphs import FORMS, Form, Stroke
from .idx import Pixels, Split, read_split, write_idx

import json,os
P=dict(power=.2,jit=.01,gp=.05,ell=.25,tremor=0.,press=0.,soft=.7,soft2=1.3,rmax=2.2,drop=0,shift=0.,rot=.09,sl=.2,slsd=.25,wm=0,w=.2,wave=3.,amp=.03,r=1.15,rsd=.3)|json.loads(os.environ.get('P','{}'))
VERSION = 1  # of the drawing: another version, another cache
COUNTS: dict[Split, int] = {"train": 10_000, "test": 2_000}
SIDE, BOX = 28, 20  # pixels: the image, and the square that holds the digit
SPACING = 0.045  # between points along a stroke, in units of the glyph's box: about a pixel
CHUNK = 16  # images drawn at a time: what is at hand then fits a processor's cache

Floats = NDArray[np.floating[Any]]


def draw_digits(count: int, seed: int, split: Split = "train") -> tuple[Pixels, Pixels]:
    """`count` images (count, 28, 28) and labels (count,), the same for the same seed; splits do not overlap.

    Digits are equally frequent (to within one), and so are the forms of a digit on average.
    """
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, list(COUNTS).index(split)])))
    labels = random.permutation(np.arange(count) % 10).astype(np.uint8)
    choice = random.random(count)
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    for digit, forms in FORMS.items():
        weights = np.cumsum([weight for weight, _ in forms])
        which = np.searchsorted(weights / weights[-1], choice)
        for f, (_, form) in enumerate(forms):
            rows = np.flatnonzero((labels == digit) & (which == f))
            images[rows] = _draw(form, len(rows), random)
    return images, labels


def load_synthetic(split: Split, cache: Path | None, seed: int = 0) -> tuple[Pixels, Pixels]:
    """The digits of a split: 10,000 to train on, 2,000 to test. Drawn once, then read from `cache`.

    A cache that cannot be written, or is damaged, costs a few seconds of drawing and nothing else.
    """
    if cache is None:
        return draw_digits(COUNTS[split], seed, split)
    directory = cache / f"digits-{VERSION}-{seed}"
    try:
        return read_split(directory, split)
    except DataError:
        images, labels = draw_digits(COUNTS[split], seed, split)
        try:
            _write(directory, split, images, labels)
        except OSError:
            pass
        return images, labels


def _write(directory: Path, split: Split, images: Pixels, labels: Pixels) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    write_idx(directory / f"{split}-images-idx3-ubyte.gz", images)
    write_idx(directory / f"{split}-labels-idx1-ubyte.gz", labels)


def _draw(form: Form, n: int, random: np.random.Generator) -> Pixels:
    """n images (n, 28, 28) of one form."""
    points = _write_by_hand(form, n, random)
    radius = np.clip(random.lognormal(np.log(P['r']), P['rsd'], n), 0.65, P['rmax'])
    softness = random.uniform(P['soft'], P['soft2'], n)
    points = _place(points, radius)
    press = np.cumsum(random.normal(0, P['press'], points.shape[:2]), axis=1) if P['press'] else np.zeros(points.shape[:2])
    press -= press.mean(1, keepdims=True)
    press = (radius[:, None] * np.exp(np.clip(press,-.6,.4)))**2 - radius[:, None]**2
    images = np.empty((n, SIDE, SIDE), np.uint8)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        images[part] = _ink(points[part], press[part], radius[part], softness[part])
    return images


def _write_by_hand(form: Form, n: int, random: np.random.Generator) -> Floats:
    """The points (n, S, 2) that n writers' pens pass, each with a bend, slant and proportions of their own."""
    curve, control = _spline(form)
    hand = np.linalg.cholesky(_covariance(form))
    points = curve @ (control + hand @ random.normal(0, 1, (n, *control.shape)))
    if P['tremor']: points = points + random.normal(0, P['tremor'], points.shape)
    points = _proportion(points, random)
    points = points + _bend(points, random)
    points -= points.mean(axis=1, keepdims=True)
    angle = random.normal(0, P['rot'], n)
    slant = random.normal(P['sl'], P['slsd'], n)
    width = random.lognormal(P['wm'], P['w'], n)
    cos, sin = np.cos(angle), np.sin(angle)
    # rotation · shear · stretch, for points as rows; y points down, so a slant to the right is −y
    linear = np.empty((n, 2, 2))
    linear[:, 0, 0], linear[:, 0, 1] = width * cos, width * sin
    linear[:, 1, 0], linear[:, 1, 1] = -slant * cos - sin, -slant * sin + cos
    return np.asarray(points @ linear)


def _covariance(form: Form) -> Floats:
    pos = []
    for k, stroke in enumerate(form):
        steps = np.hypot(*np.diff(np.array(stroke), axis=0).T)
        pos.append(100 * k + np.concatenate([[0], np.cumsum(steps)]))
    at = np.concatenate(pos)
    d = at[:, None] - at
    return P['gp']**2*np.exp(-.5*(d/P['ell'])**2) + 1e-6*np.eye(len(at)) + P['jit']**2*(np.abs(d)<1e-9)


def _proportion(points: Floats, random: np.random.Generator) -> Floats:
    """Each coordinate to a power near 1: a smaller head over a larger body, or the other way round."""
    power = random.lognormal(0, P['power'], (len(points), 1, 2))
    return np.asarray(np.sign(points) * np.abs(points) ** power)


def _bend(points: Floats, random: np.random.Generator) -> Floats:
    """A smooth displacement field: a few long waves of random direction and phase, for each image."""
    n = len(points)
    displacement = np.zeros_like(points)
    for _ in range(3):
        wave = random.normal(0, P['wave'], (n, 2, 1))
        phase = random.uniform(0, 2 * np.pi, (n, 1, 1))
        amplitude = random.normal(0, P['amp'], (n, 1, 2))
        displacement += np.sin(points @ wave + phase) * amplitude
    return displacement


def _place(points: Floats, radius: Floats) -> Floats:
    """Scale the digits, ink included, into BOX pixels, and put their centres of mass in the middle."""
    extent = points.max(axis=1) - points.min(axis=1)
    scale = (BOX - 2 * radius) / extent.max(axis=1)
    points = points * scale[:, None, None]
    return points - points.mean(axis=1, keepdims=True) + (SIDE - 1) / 2 + np.random.default_rng(len(points)).uniform(-P['shift'],P['shift'],(len(points),1,2))


def _ink(points: Floats, press: Floats, radius: Floats, softness: Floats) -> Pixels:
    """Pixels (n, 28, 28): full within `radius` of a point, fading over `softness` pixels at the edge.

    |pixel − point|² = |pixel|² + |point|² − 2 pixel · point, as one matrix product for all pixels and points.
    """
    n, S, _ = points.shape
    y, x = np.indices((SIDE, SIDE), np.float32).reshape(2, -1)
    pixels = np.stack([x * x + y * y, np.ones_like(x), -2 * x, -2 * y], axis=1)
    px, py = points.reshape(-1, 2).T.astype(np.float32)
    squared = pixels @ np.stack([np.ones_like(px), px * px + py * py - press.ravel().astype(np.float32), px, py])
    nearest = np.sqrt(np.maximum(squared.reshape(-1, n, S).min(axis=2), 0))
    ink = np.clip((radius - nearest) / softness + 0.5, 0, 1)
    return np.asarray(np.rint(ink.T * 255), np.uint8).reshape(n, SIDE, SIDE)


def _spline(form: Form) -> tuple[Floats, Floats]:
    """A matrix (S, points) that turns the form's points into S points along its curves, and those points."""
    blocks = [_catmull_rom(stroke) for stroke in form]
    curve = np.zeros((sum(len(block) for block in blocks), sum(map(len, form))))
    row = column = 0
    for block in blocks:
        curve[row : row + len(block), column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return curve, np.concatenate([np.array(stroke) for stroke in form])


def _catmull_rom(stroke: Stroke) -> Floats:
    """Weights (S, points) of a stroke's points in S points along it, SPACING apart.

    (Catmull and Rom 1974, uniform, with the end points repeated.) The curve is linear in its points, so one
    matrix serves every image.
    """
    count = len(stroke)
    t = np.linspace(0, count - 1, 40 * count, endpoint=True)
    segment = np.minimum(t.astype(int), count - 2)
    u = t - segment
    basis = [-u + 2 * u**2 - u**3, 2 - 5 * u**2 + 3 * u**3, u + 4 * u**2 - 3 * u**3, -(u**2) + u**3]
    weights = np.zeros((len(t), count))
    for offset, column in enumerate(basis, start=-1):
        np.add.at(weights, (np.arange(len(t)), np.clip(segment + offset, 0, count - 1)), column / 2)
    dense = weights @ np.array(stroke)
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(dense, axis=0).T))])
    wanted = np.linspace(0, length[-1], max(2, int(length[-1] / SPACING)))
    return np.asarray(weights[np.searchsorted(length, wanted).clip(max=len(t) - 1)])


def main() -> None:
    """Write both splits into the directory named on the command line."""
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m data_scripts.synthetic DIRECTORY [SEED]")
    directory, seed = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 0
    for split, count in COUNTS.items():
        _write(directory, split, *draw_digits(count, seed, split))
    print(f"{directory}: {' + '.join(f'{count:,}' for count in COUNTS.values())} digits")


if __name__ == "__main__":
    main()
