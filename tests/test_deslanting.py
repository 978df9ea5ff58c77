"""Deslanted digits stand upright, whatever their source, and nothing else about them changes."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Command

from data_scripts.idx import read_split
from data_scripts.synthetic import draw_digits
from mnist_nn.examples.deslanting import deslant
from mnist_nn.examples.interpolation import CHUNK

SIDE = 28


def bar(slant: float) -> np.ndarray:
    """A bar with grey edges that leans `slant` pixels sideways for each pixel down."""
    y, x = np.mgrid[:SIDE, :SIDE]
    distance = np.abs(x - 13 - slant * (y - 15))
    return (255 * np.clip(2.5 - distance, 0, 1) * ((y > 5) & (y < 25))).astype(np.uint8)


def slant_of(image: np.ndarray) -> float:
    """The slant α, calculated with loops by the formula."""
    weight = image.astype(float)
    total = weight.sum()
    x_mean = sum(x * weight[y, x] for y in range(SIDE) for x in range(SIDE)) / total
    y_mean = sum(y * weight[y, x] for y in range(SIDE) for x in range(SIDE)) / total
    leaning = sum((x - x_mean) * (y - y_mean) * weight[y, x] for y in range(SIDE) for x in range(SIDE))
    return float(leaning / sum((y - y_mean) ** 2 * weight[y, x] for y in range(SIDE) for x in range(SIDE)))


@pytest.mark.parametrize("slant", [-0.6, -0.2, 0.0, 0.35])
def test_a_leaning_bar_is_made_upright_about_its_centre(slant: float) -> None:
    (upright,) = deslant(bar(slant)[np.newaxis])
    np.testing.assert_allclose(upright, bar(0.0), atol=90 if slant else 4)  # the grey edges are interpolated
    assert abs(slant_of(upright)) < 0.02


def test_deslanting_removes_the_slant_and_keeps_each_rows_brightness() -> None:
    images, _ = draw_digits(40, 3, "train")
    upright = deslant(images)
    assert np.mean([abs(slant_of(image)) for image in images]) > 0.05
    assert max(abs(slant_of(image)) for image in upright) < 0.03
    np.testing.assert_allclose(upright.sum(axis=2, dtype=int), images.sum(axis=2, dtype=int), atol=SIDE)


def test_deslanting_follows_the_formula_pixel_by_pixel() -> None:
    images, _ = draw_digits(5, 4, "train")
    for image, upright in zip(images, deslant(images), strict=True):
        weight = image.astype(float)
        slant, y_mean = slant_of(image), (weight.sum(axis=1) * np.arange(SIDE)).sum() / weight.sum()
        expected = np.zeros((SIDE, SIDE))
        for y in range(SIDE):
            places = np.arange(SIDE) + slant * (y - y_mean)
            expected[y] = np.interp(places, np.arange(-1, SIDE + 1), np.pad(weight[y], 1))
        np.testing.assert_allclose(upright, expected, atol=0.51)


def test_each_image_is_deslanted_by_its_own_slant() -> None:
    """This also holds for more images than one chunk holds."""
    count = CHUNK // SIDE**2 + 3  # more than one chunk
    slants = np.linspace(-0.5, 0.5, count)
    upright = deslant(np.stack([bar(slant) for slant in slants]))
    assert max(abs(slant_of(image)) for image in upright[[0, 1, count // 2, count - 2, count - 1]]) < 0.02


def test_horizontal_lines_and_blank_images_stay_unchanged() -> None:
    line, blank = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    line[9, 3:20] = 200
    np.testing.assert_array_equal(deslant(np.stack([line, blank])), [line, blank])


def test_evaluate_and_resume_deslant_for_networks_trained_that_way(nn: Command, small: Path, digits: Path) -> None:
    """Digits from another source are deslanted too."""
    assert nn("train", small, "--set", "data.deslant=true", "--run-dir", "run", "--quiet").code == 0
    assert "deslant: true" in Path("run/config.yaml").read_text()
    upright = json.loads(nn("evaluate", "run", "--json").out)
    from mnist_nn import COSTS, Examples, evaluate, load_checkpoint

    images, labels = read_split(digits, "test")
    network = load_checkpoint(Path("run/checkpoints/best.safetensors")).network
    expected = evaluate(network, COSTS["squared_error"], Examples.from_labels(deslant(images), labels, 10))
    assert upright["cost"] == pytest.approx(expected.cost, rel=1e-6)
    as_they_are = evaluate(network, COSTS["squared_error"], Examples.from_labels(images, labels, 10))
    assert as_they_are.cost != pytest.approx(expected.cost, rel=1e-3)
    assert nn("train", "--resume", "run", "--set", "training.epochs=4").code == 0
    other = json.loads(nn("evaluate", "run", "--json", "--data-source", "idx", "--data-dir", digits).out)
    assert other["cost"] == json.loads(nn("evaluate", "run", "--json").out)["cost"]


def test_deslanting_refuses_inputs_other_than_square_images(nn: Command) -> None:
    for arguments, reason in (
        (["chain", "--set", "data.deslant=true"], "data.deslant: needs images, but data.source: inline has none; turn it off with --set data.deslant=false"),
        (["nielsen", "--set", "data.deslant=true", "--set", "network.sizes=[780,10]"],
         "data.deslant: needs square images, but 780 inputs (network.sizes) do not form a square; turn it off with --set data.deslant=false"),
    ):  # fmt: skip
        outcome = nn("train", *arguments)
        assert outcome.code == 2
        assert reason in outcome.error
