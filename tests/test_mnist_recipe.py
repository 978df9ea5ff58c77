"""MNIST's own recipe: what becomes of the ink of one digit, here and on the page."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from data_scripts.idx import Split, read_split
from data_scripts.mnist_recipe import corner, mnist_image, place
from mnist_nn.page.file import module

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def centre_of_mass(image: np.ndarray) -> tuple[float, float]:
    ink, places = image.astype(float), np.arange(28) + 0.5
    return (ink.sum(axis=1) @ places / ink.sum(), ink.sum(axis=0) @ places / ink.sum())


def test_the_longer_side_becomes_twenty_pixels() -> None:
    ink = np.zeros((300, 200))
    ink[31:271, 20:80] = 1
    image = mnist_image(ink)
    assert image.shape == (28, 28)
    assert np.flatnonzero(image.any(axis=1)).tolist() == list(range(4, 24))
    assert np.flatnonzero(image.any(axis=0)).tolist() == list(range(12, 17))
    assert set(np.unique(image)) == {0, 255}


def test_grey_levels_are_averages_of_areas() -> None:
    """Three by three pixels become two by two and a half: each new pixel covers parts of old ones."""
    ink = np.zeros((30, 30))
    ink[:, 0] = ink[:, -1] = 1
    row = mnist_image(ink)[14]
    assert row[row > 0].tolist() == [255, 255]
    ink = np.zeros((40, 40))
    ink[0, 0] = ink[-1, -1] = ink[10, 10:12] = 1
    image = mnist_image(ink)
    assert sorted(image[image > 0].tolist()) == [128, 128, 255]


def test_the_darkest_pixel_gets_255() -> None:
    assert mnist_image(np.full((50, 30), 0.2)).max() == 255
    assert mnist_image(np.full((50, 30), 51, np.uint8)).max() == 255


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (1, 900), (900, 1), (28, 28)])
def test_any_size_fits(shape: tuple[int, int]) -> None:
    image = mnist_image(np.ones(shape))
    extents = np.flatnonzero(image.any(axis=1)).size, np.flatnonzero(image.any(axis=0)).size
    assert max(extents) == 20
    assert all(14 <= middle < 15 for middle in centre_of_mass(image))


def test_no_ink_gives_a_blank_image() -> None:
    assert not mnist_image(np.zeros((40, 40))).any()
    assert corner(np.zeros((1, 28, 28), np.uint8)).tolist() == [[14, 14]]


def test_the_centre_of_mass_is_in_pixel_14(random: np.random.Generator) -> None:
    """It is at 14 or more, and below 15. Pixel i spans [i, i + 1]."""
    for _ in range(200):
        image = mnist_image(random.random((random.integers(5, 90), random.integers(5, 90))) ** 4)
        assert all(14 <= middle < 15 for middle in centre_of_mass(image))


def test_a_picture_at_its_place_stays(random: np.random.Generator) -> None:
    image = mnist_image(random.random((60, 40)))
    np.testing.assert_array_equal(place(image), image)
    np.testing.assert_array_equal(place(image[2:, 3:]), image)


def test_a_lopsided_digit_stays_inside() -> None:
    ink = np.full((20, 20), 1, np.uint8)
    ink[-1, -1] = 255
    assert place(ink)[-1 - 28 + 20 :, :].sum() > 0
    assert place(ink).sum() == ink.sum()


def test_the_pages_drawing_has_the_same_bytes(browser: "Browser", random: np.random.Generator) -> None:
    """Random ink of every kind: blots, strokes, single pixels, faint and full, with ties in the rounding."""
    sheets = [np.zeros((56, 56))]
    for i in range(300):
        ink = np.zeros((56, 56), np.float32)
        height, width = random.integers(1, 57, 2)
        values = [random.random((height, width)), random.integers(0, 3, (height, width)) / 2, random.random((height, width)) > 0.97]  # fmt: skip
        top, left = random.integers(0, 57 - height), random.integers(0, 57 - width)
        ink[top : top + height, left : left + width] = values[i % 3] * (random.integers(1, 256) / 255)
        sheets.append(ink)
    code = module("ink")
    run = """async ([code, sheets]) => {
        const page = await import("data:text/javascript," + encodeURIComponent(code));
        return sheets.map((ink) => Array.from(page.centred(Float32Array.from(ink), 56, 28)));
    }"""
    tab = browser.new_page()
    answers = tab.evaluate(run, [code, [np.float32(ink).ravel().tolist() for ink in sheets]])
    tab.close()
    for ink, answer in zip(sheets, answers, strict=True):
        assert mnist_image(ink).ravel().tolist() == answer


@pytest.mark.parametrize(("split", "moved"), [("train", 11), ("test", 0)])
def test_mnists_own_images_lie_where_the_recipe_says(split: Split, moved: int, real_mnist: Path) -> None:
    """All of the 10,000 test images do. The training images at hand are slightly altered."""
    images = np.asarray(read_split(real_mnist, split)[0])
    assert corner(images).any(axis=1).sum() <= moved
    extents = [images.any(axis=axis).sum(axis=1) for axis in (1, 2)]
    assert np.maximum(*extents).max() <= 20
