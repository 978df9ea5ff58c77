"""`nn predict`: digits found and read on pictures, and every other file refused in one line."""

import io
import json
import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import photographs
import pytest
from conftest import Command
from PIL import Image

from data_scripts.idx import read_split
from data_scripts.mnist_recipe import mnist_image
from data_scripts.synthetic import draw_digits
from mnist_nn.pictures.digits import find_digits
from mnist_nn.pictures.ordering import reading_order
from mnist_nn.pictures.pieces import Box


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the network is that reads most drawn digits."""
    return tmp_path_factory.mktemp("network") / "run"


@pytest.fixture
def network(nn: Command, trained: Path) -> Path:
    if not trained.exists():
        assert nn("train", "quickstart", "--run-dir", trained, "--quiet").code == 0
    return trained


@pytest.fixture
def read(nn: Command, network: Path) -> Callable[..., list[list[dict[str, Any]]]]:
    """Read pictures: the digits of each, as in the JSON document."""

    def read_all(*pictures: Path) -> list[list[dict[str, Any]]]:
        outcome = nn("predict", *pictures, "--run", network, "--json")
        assert outcome.code == 0, outcome.err
        return [picture["digits"] for picture in json.loads(outcome.out)["pictures"]]

    return read_all


Read = Callable[..., list[list[dict[str, Any]]]]


@pytest.fixture
def scan() -> Image.Image:
    """A scanned 7."""
    images, labels = draw_digits(20, 4)
    return photographs.photograph(images[labels == 7][1], np.random.default_rng(1), photographs.SCAN, side=300)


def crop(picture: Image.Image) -> np.ndarray:
    (digit,) = find_digits(np.asarray(picture.convert("L"))).digits
    return mnist_image(digit.ink)


def assert_same(digit: dict[str, Any], picture: Image.Image) -> None:
    """The digit looks like the one on this picture, up to the losses of its format and one pixel."""
    seen, expected = np.array(digit["seen"]), crop(picture).astype(int)
    shifted = [np.roll(expected, (down, across), (0, 1)) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    assert min(np.abs(seen - image).mean() for image in shifted) < 8


def answers(digits: list[dict[str, Any]]) -> list[int]:
    return [digit["answer"] for digit in digits]


def test_most_photographed_digits_are_found_and_read(read: Read, random: np.random.Generator) -> None:
    images, labels = draw_digits(40, 11, "test")
    paths = [Path(f"{i}.jpg") for i in range(40)]
    for image, path in zip(images, paths, strict=True):
        photographs.photograph(image, random, side=400).save(path, quality=90)
    found = read(*paths)
    assert sum(len(digits) == 1 for digits in found) >= 38
    assert sum(answers(digits) == [label] for digits, label in zip(found, labels, strict=True)) >= 32


def test_a_sheet_is_read_in_rows(read: Read, random: np.random.Generator) -> None:
    images, labels = draw_digits(30, 13, "test")
    photographs.sheet(images, random, across=6, cell=110).save("sheet.png")
    (digits,) = read(Path("sheet.png"))
    assert [digit["row"] for digit in digits] == [i // 6 for i in range(30)]
    assert (np.array(answers(digits)) == labels).mean() > 0.85


@pytest.mark.parametrize("degrees", [-10, 0, 10])
def test_rows_are_found_on_turned_sheets(degrees: float) -> None:
    angle = np.radians(degrees)
    boxes = []
    for i in range(60):
        x, y = 100 * (i % 10), 130 * (i // 10)
        across, down = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
        boxes.append(Box(round(down), round(across), round(down) + 60, round(across) + 40))
    assert reading_order(boxes) == [list(range(start, start + 10)) for start in range(0, 60, 10)]


def test_an_image_of_28_by_28_is_taken_as_it_is(read: Read) -> None:
    """Black on white is inverted."""
    (image,), _ = draw_digits(1, 3)
    Image.fromarray(image).save("white on black.png")
    Image.fromarray(255 - image).save("black on white.png")
    for (digit,) in read(Path("white on black.png"), Path("black on white.png")):
        assert digit["seen"] == image.tolist()
        assert digit["box"] is None


def test_the_crop_is_made_by_mnists_recipe(read: Read, scan: Image.Image) -> None:
    scan.save("scan.png")
    ((digit,),) = read(Path("scan.png"))
    assert digit["seen"] == crop(scan).tolist()
    assert digit["answer"] == int(np.argmax(digit["outputs"]))


def test_a_deslanting_network_sees_deslanted_digits(nn: Command, small: Path, scan: Image.Image) -> None:
    scan.save("scan.png")
    seen = []
    for choice in ("false", "true"):
        assert nn("train", small, "--set", f"data.deslant={choice}", "--run-dir", choice, "--quiet").code == 0
        document = json.loads(nn("predict", "scan.png", "--run", choice, "--json").out)
        seen.append(document["pictures"][0]["digits"][0]["seen"])
    assert seen[0] != seen[1]


def test_white_ink_on_black_is_found(read: Read, scan: Image.Image) -> None:
    scan.convert("L").point(lambda level: 255 - level).save("inverted.png")
    ((digit,),) = read(Path("inverted.png"))
    assert_same(digit, scan)


def test_pieces_of_one_digit_are_joined() -> None:
    """A 5 whose bar is apart is one digit. Two digits beside each other are two."""
    grey = np.full((200, 300), 255, np.uint8)
    grey[40:50, 70:120] = 0
    grey[56:150, 60:72] = grey[140:150, 60:115] = grey[90:100, 60:115] = grey[90:150, 105:115] = 0
    assert len(find_digits(grey).digits) == 1
    grey[40:150, 180:192] = 0
    assert [digit.box.left for digit in find_digits(grey).digits] == [60, 180]


def test_ruled_lines_and_dirt_are_no_digits(random: np.random.Generator) -> None:
    grey = np.full((400, 400), 240, np.uint8)
    grey[::40] = grey[:, ::40] = 190
    for row, column in random.integers(0, 398, (40, 2)):
        grey[row : row + 2, column : column + 2] = 60
    grey[120:280, 190:210] = 40
    (digit,) = find_digits(grey).digits
    assert (digit.box.top, digit.box.bottom) == pytest.approx((120, 280), abs=3)


@pytest.mark.parametrize(
    "level", [0, 128, 255, "noise", "gradient"], ids=["black", "grey", "white", "noise", "gradient"]
)
def test_a_blank_picture_has_no_digit(
    level: int | str, nn: Command, network: Path, random: np.random.Generator
) -> None:
    if level == "noise":
        grey = np.clip(random.normal(200, 8, (300, 300)), 0, 255)
    elif level == "gradient":
        grey = np.add.outer(np.linspace(60, 150, 300), np.linspace(0, 90, 300))
    else:
        grey = np.full((300, 300), level)
    Image.fromarray(grey.astype(np.uint8)).save("blank.png")
    outcome = nn("predict", "blank.png", "--run", network)
    assert outcome.code == 0
    assert outcome.out == (
        "blank.png: no digit was found. Write with a darker pen, go nearer, or cut the picture to the digit.\n"
    )


def test_the_report_shows_the_crop_and_all_outputs(nn: Command, network: Path, scan: Image.Image) -> None:
    scan.save("scan.png")
    lines = nn("predict", "scan.png", "--run", network).out.splitlines()
    assert lines[0] == "scan.png"
    bars = [line[30:] for line in lines[3:13]]
    assert [bar[0] for bar in bars] == list("0123456789")
    assert sum(bar.endswith("answer") for bar in bars) == 1
    assert sum("runner-up" in bar for bar in bars) == 1
    assert sum("█" in line[:28] for line in lines) > 3
    assert re.match(r"reads \d \(\d\.\d{3}\), then \d \(\d\.\d{3}\)", lines[-1])


def test_the_report_is_ascii_where_it_must_be(nn_process: Any, network: Path, scan: Image.Image) -> None:
    scan.save("scan.png")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    with nn_process("predict", "scan.png", "--run", network, env=environment) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert out.isascii()
    assert "#####" in out
    assert "?" not in out


def test_an_untrained_networks_answers_are_doubtful(nn: Command, scan: Image.Image) -> None:
    assert nn("train", "quickstart", "--run-dir", "run", "--set", "training.epochs=1", "--set", "training.learning_rate=1e-9", "--quiet").code == 0  # fmt: skip
    scan.save("scan.png")
    assert nn("predict", "scan.png", "--run", "run").out.endswith(
        "; doubtful: no output reaches 0.5, perhaps this is no digit\n"
    )


@pytest.mark.parametrize(
    ("outputs", "doubt"),
    [((0.9, 0.1), None), ((0.9, 0.44), None), ((0.9, 0.46), "near"), ((0.6, 0.55), "near"), ((0.49, 0.48), "low")],
)
def test_low_and_near_outputs_are_doubtful(outputs: tuple[float, float], doubt: str | None) -> None:
    from nn_cli.predicting.reader import Reading
    from nn_cli.predicting.text import verdict

    reading = Reading(0, None, np.zeros((28, 28), np.uint8), np.array([0.0, outputs[1], 0, 0, outputs[0], 0, 0, 0, 0, 0]))  # fmt: skip
    assert (reading.answer, reading.runner_up, reading.doubt) == (4, 1, doubt)
    words = {None: "", "low": "no output reaches 0.5, perhaps this is no digit", "near": "4 and 1 are near each other"}
    assert verdict(reading).endswith(words[doubt])


def test_several_pictures_are_a_line_each(nn: Command, network: Path, scan: Image.Image) -> None:
    """What cannot be read is a line on stderr, and the exit code is 1."""
    scan.save("a.png")
    scan.save("b.png")
    Path("c.png").write_text("no picture")
    outcome = nn("predict", "a.png", "c.png", "b.png", "--run", network)
    assert outcome.code == 1
    first, second = outcome.out.splitlines()
    assert re.match(r"a\.png: \d \(", first)
    assert second == first.replace("a.png", "b.png")
    assert "c.png: is not a picture that nn can read" in outcome.err


def test_the_sheet_shows_what_was_seen(nn: Command, network: Path, scan: Image.Image) -> None:
    scan.save("a.png")
    outcome = nn("predict", "a.png", "--run", network, "--seen", "seen.png")
    assert "sheet written to seen.png" in outcome.err
    with Image.open("seen.png") as sheet:
        assert sheet.width > 56
    again = nn("predict", "a.png", "--run", network, "--seen", "a.png")
    assert again.error.startswith("Error: --seen a.png: already exists and was not written by this command")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_data_say(orientation: int, read: Read, scan: Image.Image) -> None:
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(orientation)
    stored = scan if back is None else scan.transpose(Image.Transpose(back))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save("turned.png", exif=exif)
    ((digit,),) = read(Path("turned.png"))
    assert_same(digit, scan)


def _in_mode(scan: Image.Image, mode: str) -> Image.Image:
    grey = scan.convert("L")
    if mode == "I;16":
        return Image.fromarray(np.asarray(grey, np.uint16) * 257)
    if mode in ("RGBA", "LA"):
        clear = Image.merge("LA", [Image.new("L", grey.size, 0), grey.point(lambda level: 255 - level)])
        return clear.convert(mode)
    if mode == "F":
        return Image.fromarray(np.asarray(grey, np.float32) / 255)
    return grey.convert(mode)


@pytest.mark.parametrize(("mode", "ending"), [
    ("L", "png"), ("RGB", "jpg"), ("CMYK", "jpg"), ("CMYK", "tif"), ("I;16", "png"), ("RGBA", "png"), ("LA", "png"), ("P", "gif"), ("P", "png"),
    ("1", "png"), ("1", "tif"), ("RGB", "webp"), ("RGB", "bmp"), ("L", "ppm"), ("F", "tif"), ("YCbCr", "jpg"),
])  # fmt: skip
def test_every_kind_of_pixels_is_read(mode: str, ending: str, read: Read, scan: Image.Image) -> None:
    file = Path(f"picture.{ending}")
    _in_mode(scan, mode).save(file)
    ((digit,),) = read(file)
    assert_same(digit, scan)


def _png(width: int, height: int) -> bytes:
    """A PNG file whose header promises so many pixels, all white."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


GREY = Image.new("L", (60, 60), 200)
FULL = _saved(Image.effect_noise((300, 300), 60), "PNG")
BAD = {
    "text": (b"seven", "is not a picture that nn can read; save it as PNG, JPEG, WebP, BMP, GIF, TIFF or PPM"),
    "empty": (b"", "is not a picture that nn can read; save it as PNG, JPEG, WebP, BMP, GIF, TIFF or PPM"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not a picture that nn can read; save"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC or AVIF picture, which nn cannot read; save or send it as JPEG"),
    "avif": (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "is a HEIC or AVIF picture, which nn cannot read; save or send it as JPEG"),
    "tiny": (_saved(GREY.resize((3, 5)), "PNG"), "has 3 × 5 pixels; a digit needs 8 × 8 or more"),
    "flat": (_saved(GREY.resize((300, 2)), "PNG"), "has 300 × 2 pixels; a digit needs 8 × 8 or more"),
    "100 megapixels": (_png(10_000, 10_000), "has 10,000 × 10,000 pixels, more than 50 million; make it smaller"),
    "bomb": (_png(60_000, 60_000), "has far more pixels, more than 50 million; make it smaller"),
    "truncated": (FULL[: len(FULL) // 2], "is damaged: "),
    "cut jpeg": (_saved(Image.effect_noise((300, 300), 60), "JPEG")[:4000], "is damaged: "),
    "animated": (_saved(GREY, "GIF", save_all=True, append_images=[GREY.point(lambda _: 9)]), "holds 2 pictures; save one of them as a file of its own"),
    "pages": (_saved(GREY, "TIFF", save_all=True, append_images=[GREY, GREY]), "holds 3 pictures; save one of them as a file of its own"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_line(name: str, nn: Command, network: Path) -> None:
    content, expected = BAD[name]
    Path("bad.png").write_bytes(content)
    outcome = nn("predict", "bad.png", "--run", network)
    assert outcome.code == 1
    assert outcome.error.startswith(f"Error: bad.png: {expected}")


def test_missing_files_and_directories_are_one_line(nn: Command, network: Path) -> None:
    assert nn("predict", "no.png", "--run", network).error == "Error: no.png: there is no such file"
    Path("folder").mkdir()
    error = nn("predict", "folder", "--run", network).error
    assert error == "Error: folder: is not a file; name one picture or several, such as folder/*.jpg"


def test_a_network_for_other_inputs_is_refused(nn: Command, scan: Image.Image) -> None:
    scan.save("scan.png")
    assert nn("train", "chain", "--run-dir", "chain", "--quiet", "--set", "training.epochs=1").code == 0
    outcome = nn("predict", "scan.png", "--run", "chain")
    assert "is a network 1-1-1-1, but pictures of digits need 784 inputs and 10 outputs" in outcome.error


def test_mnists_test_images_are_read_as_evaluate_does(nn: Command, network: Path, real_mnist: Path) -> None:
    """As PNG files, with the same bytes: 1,000 of them, or with NN_LONG all."""
    images, labels = (np.asarray(array) for array in read_split(real_mnist, "test"))
    count = 10_000 if os.environ.get("NN_LONG") else 1000
    paths = [Path(f"{i}.png") for i in range(count)]
    for image, path in zip(images, paths, strict=False):
        Image.fromarray(image).save(path, compress_level=1)
    document = json.loads(nn("predict", *paths, "--run", network, "--json").out)
    digits = [picture["digits"][0] for picture in document["pictures"]]
    np.testing.assert_array_equal(np.array([digit["seen"] for digit in digits]), images[:count])
    if count == 10_000:
        measured = nn("evaluate", network, "--data-source", "idx", "--data-dir", real_mnist, "--json")
        assert sum(answers(digits) == labels) == json.loads(measured.out)["correct"]


def test_photographed_test_digits_are_still_read(nn: Command, real_mnist: Path) -> None:
    """At least 97 % of those that the network reads right: of 1,000 with NN_LONG, else of 60."""
    assert nn("train", "mnist", "--run-dir", "run", "--data-dir", real_mnist, "--set", "data.source=idx", "--quiet").code == 0  # fmt: skip
    from nn_cli.predicting.reader import Reader

    from mnist_nn import load_checkpoint

    path = Path("run/checkpoints/best.safetensors")
    reader = Reader(path, load_checkpoint(path))
    images, labels = (np.asarray(array) for array in read_split(real_mnist, "test"))
    right = np.flatnonzero(reader.answer(list(images))[1].argmax(axis=1) == labels)
    count = 1000 if os.environ.get("NN_LONG") else 60
    chosen = np.random.default_rng(0).permutation(right)[:count]
    kept = 0
    for i in chosen:
        photographs.photograph(images[i], np.random.default_rng([0, int(i)])).save("photograph.png")
        readings = reader.read(Path("photograph.png")).readings
        kept += [reading.answer for reading in readings] == [labels[i]]
    assert kept >= (0.97 if count == 1000 else 0.92) * count
    sheet = photographs.sheet(images[right[:100]], np.random.default_rng(7))
    sheet.save("sheet.jpg", quality=90)
    found = [reading.answer for reading in reader.read(Path("sheet.jpg")).readings]
    assert len(found) == 100
    assert (np.array(found) == labels[right[:100]]).sum() >= 97
