"""Handwritten digits as photographs: ink on paper, light, lens and camera, all drawn from one random generator.

python tests/photographs.py predict.png             draws the stages of `nn predict` for the documents
python tests/photographs.py losses RUN MNIST N      counts the photographs that each stage loses, of N in each row, with
                                                    the network of a run and the test images in the directory MNIST
"""

import io
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

if TYPE_CHECKING:
    from nn_cli.predicting.reader import Reader

INKS = [(25, 25, 30), (35, 45, 130), (20, 60, 160), (150, 30, 40), (60, 60, 65), (20, 90, 50), (90, 85, 85)]
PAPERS = [(250, 250, 247), (244, 238, 222), (235, 238, 242), (226, 214, 190)]
RULES = [(170, 190, 225), (190, 190, 195), (225, 180, 185)]


@dataclass(frozen=True)
class Camera:
    """What is done to a photograph. Everything off is a scan of black ink on white paper."""

    pens: bool = True  # colour and width of the ink, and the colour of the paper
    rules: bool = True  # lines or squares on the paper
    turned: bool = True  # up to 10 degrees, and in perspective
    light: bool = True  # a gradient and a shadow
    blur: bool = True
    noise: bool = True
    jpeg: bool = True


SCAN = Camera(*[False] * 7)
CONDITIONS = {
    "everything": Camera(),
    "nothing: black ink on white": SCAN,
    "pens and papers": replace(SCAN, pens=True),
    "lines or squares": replace(SCAN, rules=True),
    "turned, in perspective": replace(SCAN, turned=True),
    "a gradient and a shadow": replace(SCAN, light=True),
    "blur": replace(SCAN, blur=True),
    "noise": replace(SCAN, noise=True),
    "JPEG": replace(SCAN, jpeg=True),
}
STAGES = ["strokes", "lines", "pieces", "image", "answer"]
COVERED = 0.8  # of the digit's pixels: with fewer strokes it is lost


def photograph(image: np.ndarray, random: np.random.Generator, camera: Camera | None = None, side: int | None = None) -> Image.Image:  # fmt: skip
    """One MNIST digit (28, 28), somewhere on a sheet of 300 to 2000 pixels."""
    return photograph_and_ink(image, random, camera, side)[0]


def photograph_and_ink(image: np.ndarray, random: np.random.Generator, camera: Camera | None = None, side: int | None = None) -> tuple[Image.Image, np.ndarray]:  # fmt: skip
    """The same photograph, and how much ink truly lies on each pixel."""
    side = side or int(np.exp(random.uniform(np.log(300), np.log(2000))))
    width, height = (side, int(side * random.uniform(0.75, 1))) if random.random() < 0.5 else (int(side * random.uniform(0.75, 1)), side)  # fmt: skip
    size = random.uniform(0.25, 0.7) * min(width, height)
    x = random.uniform(0.65 * size, width - 0.65 * size)
    y = random.uniform(0.65 * size, height - 0.65 * size)
    return _taken([(image, x, y, size)], width, height, random, camera or Camera())


def sheet(images: np.ndarray, random: np.random.Generator, camera: Camera | None = None, across: int = 10, cell: int = 150) -> Image.Image:  # fmt: skip
    """Digits in rows, each near the middle of its cell."""
    rows = -(-len(images) // across)
    placed = []
    for i, image in enumerate(images):
        size = cell * random.uniform(0.55, 0.7)
        x, y = (np.array([i % across, i // across]) + 1 + random.uniform(-0.06, 0.06, 2)) * cell
        placed.append((image, float(x), float(y), size))
    return _taken(placed, (across + 1) * cell, (rows + 1) * cell, random, camera or Camera())[0]


def _taken(placed: list[tuple[np.ndarray, float, float, float]], width: int, height: int, random: np.random.Generator, camera: Camera) -> tuple[Image.Image, np.ndarray]:  # fmt: skip
    size = float(np.median([each[3] for each in placed]))
    ink_colour, paper_colour = np.array(INKS[0]), np.array((255, 255, 255))
    level = 110.0  # of MNIST's grey that counts as ink: lower is a wider pen
    if camera.pens:
        ink_colour, paper_colour = np.array(INKS[random.integers(len(INKS))]), np.array(PAPERS[random.integers(len(PAPERS))])  # fmt: skip
        level = random.uniform(70, 150)
    ink = np.zeros((height, width), np.float32)
    for image, x, y, extent in placed:
        _write(ink, image, x, y, extent, level)
    if camera.pens:  # a pen writes unevenly
        ink *= 1 - np.float32(0.25) * _clouds(ink.shape, size / 4, random)
    page = np.broadcast_to(paper_colour.astype(np.float32), (height, width, 3)).copy()
    if camera.rules:
        _rule(page, size, random)
    page += ink[..., None] * (np.minimum(ink_colour, paper_colour).astype(np.float32) - page)
    picture = Image.fromarray(np.clip(page, 0, 255).astype(np.uint8))
    if camera.turned:
        turned = _turn(picture.size, random)
        picture = _seen(picture, turned, tuple(int(v) for v in paper_colour))
        ink = np.asarray(_seen(Image.fromarray(ink), turned, 0)).clip(0, 1)
    light = np.asarray(picture, np.float32)
    if camera.light:
        light = light * _light((height, width), random)[..., None]
    if camera.blur:
        blur = random.uniform(0, 0.012) * size
        soft = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(blur))
        light = np.asarray(soft, np.float32)
    if camera.noise:
        noise = random.standard_normal((height, width, 1), np.float32) * np.float32(random.uniform(1, 7))
        light = light + noise * np.array([1, 0.9, 1.1], np.float32)
    picture = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))
    if camera.jpeg:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=int(random.integers(40, 95)))
        picture = Image.open(file)
        picture.load()
    return picture, ink


def _write(ink: np.ndarray, image: np.ndarray, x: float, y: float, size: float, level: float) -> None:
    """Write a digit with sharp edges. Its box of 20 pixels gets so large."""
    side = max(28, round(size * 28 / 20))
    smooth = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    smooth = smooth.filter(ImageFilter.GaussianBlur(side / 28 * 0.5))
    slope = 255 * 20 / size / 2  # grey levels in a pixel, about
    sharp = np.clip((np.asarray(smooth, np.float32) - level) / slope + 0.5, 0, 1)
    left, top = round(x - side / 2), round(y - side / 2)
    rows, columns = slice(max(0, top), min(ink.shape[0], top + side)), slice(max(0, left), min(ink.shape[1], left + side))  # fmt: skip
    part = sharp[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    ink[rows, columns] = np.maximum(ink[rows, columns], part)


def _rule(page: np.ndarray, size: float, random: np.random.Generator) -> None:
    """Print lines or squares on the paper, or nothing."""
    kind = random.integers(3)
    colour = np.array(RULES[random.integers(len(RULES))], np.float32)
    step = max(6.0, size * random.uniform(0.3, 1.2))
    width = max(1, round(size * random.uniform(0.006, 0.02)))
    for axis in range(kind):
        for at in np.arange(random.uniform(0, step), page.shape[axis], step):
            line = (slice(round(at), round(at) + width), slice(None)) if axis == 0 else (slice(None), slice(round(at), round(at) + width))  # fmt: skip
            page[line] = np.minimum(page[line], colour)


def _turn(size: tuple[int, int], random: np.random.Generator) -> list[float]:
    """The coefficients of a turn by up to 10 degrees, seen from the side."""
    width, height = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    angle = np.radians(random.uniform(-10, 10))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([width, height]) / 2
    seen = (corners - middle) @ turn.T * 1.02 + middle + random.uniform(-0.04, 0.04, (4, 2)) * [width, height]
    rows = []
    for (u, v), (x, y) in zip(corners, seen, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -x * u, -x * v], [0, 0, 0, u, v, 1, -y * u, -y * v]]
    return list(np.linalg.solve(np.array(rows), seen.ravel()))


def _seen(picture: Image.Image, turned: list[float], beyond: float | tuple[int, ...]) -> Image.Image:
    """A picture turned, with the colour `beyond` its borders."""
    return picture.transform(picture.size, Image.Transform.PERSPECTIVE, turned, Image.Resampling.BICUBIC, fillcolor=beyond)  # fmt: skip


def _light(shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """The light on each pixel: a gradient, and the soft shadow of a hand or a telephone."""
    y, x = np.arange(shape[0], dtype=np.float32)[:, None], np.arange(shape[1], dtype=np.float32)
    angle, fall = random.uniform(0, 2 * np.pi), random.uniform(0, 0.45)
    along = np.float32(np.cos(angle) / shape[1]) * x + np.float32(np.sin(angle) / shape[0]) * y
    along = (along - along.min()) / np.ptp(along)
    shadow = Image.new("L", (shape[1], shape[0]), 0)
    corner = random.uniform(0, 1, 2) * [shape[1], shape[0]]
    reach = random.uniform(0.3, 0.9) * max(shape)
    angles = np.sort(random.uniform(0, 2 * np.pi, 7))
    ImageDraw.Draw(shadow).polygon([(corner[0] + reach * np.cos(a), corner[1] + reach * np.sin(a)) for a in angles], fill=255)  # fmt: skip
    shadow = shadow.filter(ImageFilter.GaussianBlur(random.uniform(0.01, 0.06) * max(shape)))
    dark = np.asarray(shadow, np.float32) * np.float32(random.uniform(0, 0.45) / 255)
    return (1 - np.float32(fall) * along) * (1 - dark)


def _clouds(shape: tuple[int, int], scale: float, random: np.random.Generator) -> np.ndarray:
    """Smooth noise from 0 to 1."""
    small = random.random((max(2, int(shape[0] / scale)), max(2, int(shape[1] / scale)))).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)).clip(0, 1)


def draw_stages(path: Path) -> None:
    """Draw how `nn predict` finds digits: a photograph, its paper, its ink, the strokes, the boxes, and the crops."""
    from data_scripts.mnist_recipe import mnist_image
    from data_scripts.synthetic import draw_digits
    from mnist_nn.pictures.digits import find_digits

    random = np.random.default_rng(3)
    images, labels = draw_digits(40, 11)
    chosen = images[[int(np.flatnonzero(labels == digit)[1]) for digit in (2, 7, 1, 8, 2, 8)]]
    photo = sheet(chosen, random, across=3, cell=95)
    found = find_digits(np.asarray(photo.convert("L")))
    boxes = Image.fromarray(np.uint8(255 * ~found.strokes)).convert("RGB")
    pen, font = ImageDraw.Draw(boxes), ImageFont.load_default(16)
    for n, digit in enumerate(found.digits, 1):
        box = digit.box
        pen.rectangle((box.left - 4, box.top - 4, box.right + 3, box.bottom + 3), outline=(200, 60, 30), width=2)
        pen.text((box.left - 6, box.top - 22), str(n), (200, 60, 30), font)
    crops = Image.new("L", photo.size, 255)
    side = photo.width // 3 - 8
    for n, digit in enumerate(found.digits):
        crop = Image.fromarray(mnist_image(digit.ink)).resize((side, side), Image.Resampling.NEAREST)
        crops.paste(crop, (4 + n % 3 * (side + 8), photo.height // 8 + n // 3 * (side + 8)))
    panels = [
        ("photograph", photo),
        ("paper, without strokes", Image.fromarray(np.uint8(found.inked.paper.clip(0, 255)))),
        ("ink", Image.fromarray(np.uint8(255 - 255 * found.inked.ink))),
        ("strokes", Image.fromarray(np.uint8(255 * ~found.strokes))),
        ("digits, in reading order", boxes),
        ("as MNIST would show them", crops),
    ]
    figure = Image.new("RGB", (3 * (photo.width + 10) + 10, 2 * (photo.height + 34) + 6), "white")
    words = ImageDraw.Draw(figure)
    for n, (name, panel) in enumerate(panels):
        x, y = 10 + n % 3 * (photo.width + 10), 6 + n // 3 * (photo.height + 34)
        words.text((x, y), name, "black", font)
        figure.paste(panel.convert("RGB"), (x, y + 24))
    figure.quantize(192, dither=Image.Dither.NONE).save(path, optimize=True)


def print_losses(run: Path, mnist: Path, count: int) -> None:
    """Print for each condition alone how many of `count` photographs are read right, and where the others are lost."""
    print(f"| photographs with | {' | '.join(STAGES)} | still read right |\n|{'---|' * (len(STAGES) + 2)}")
    with ProcessPoolExecutor() as pool:
        rows = [pool.submit(losses, run, mnist, count, camera) for camera in CONDITIONS.values()]
        for name, row in zip(CONDITIONS, rows, strict=True):
            lost = row.result()
            share = f"{100 * (1 - lost.total() / count):.1f} %"
            print(f"| {name} | {' | '.join(str(lost[stage]) for stage in STAGES)} | {share} |", flush=True)


def losses(run: Path, mnist: Path, count: int, camera: Camera) -> Counter[str]:
    """How many photographs each stage loses, of test digits that the network reads right without a photograph."""
    from nn_cli.predicting.reader import Reader

    from data_scripts.idx import read_split
    from mnist_nn import load_checkpoint

    path = run / "checkpoints/best.safetensors"
    reader = Reader(path, load_checkpoint(path))
    images, labels = (np.asarray(array) for array in read_split(mnist, "test"))
    right = np.flatnonzero(reader.answer(list(images))[1].argmax(axis=1) == labels)
    chosen = np.random.default_rng(0).permutation(right)[:count]
    lost: Counter[str] = Counter()
    for i in chosen:
        picture, ink = photograph_and_ink(images[i], np.random.default_rng([0, int(i)]), camera)
        if stage := lost_at(np.asarray(picture.convert("L")), ink, labels[i], reader):
            lost[stage] += 1
    return lost


def lost_at(grey: np.ndarray, ink: np.ndarray, label: int, reader: "Reader") -> str | None:
    """The stage at which a photograph is lost, None if it is read right.

    strokes  not COVERED by what was taken for strokes
    lines    no longer, after ruled lines were taken out
    pieces   not exactly one digit was found
    image    misread, but read right from its true ink by MNIST's recipe
    answer   misread also from its true ink: the network does not know the digit in this pen, or turned so far
    """
    from data_scripts.mnist_recipe import mnist_image
    from mnist_nn.pictures.digits import find_digits

    def is_read(found: np.ndarray) -> bool:
        return int(reader.answer([mnist_image(found)])[1].argmax()) == label

    stages = find_digits(grey)
    if len(stages.digits) == 1 and is_read(stages.digits[0].ink):
        return None
    written = ink > 0.5
    if stages.inked.strokes[written].mean() < COVERED:
        return "strokes"
    if stages.strokes[written].mean() < COVERED:
        return "lines"
    if len(stages.digits) != 1:
        return "pieces"
    return "image" if is_read(ink) else "answer"


if __name__ == "__main__":
    if sys.argv[1] == "losses":
        print_losses(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    else:
        draw_stages(Path(sys.argv[1]))
