"""`nn inspect-gradients --image`: the digit on a picture is taken apart like any other."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from PIL import Image

from data_scripts.idx import read_split
from mnist_nn import COSTS, Examples, backprop, forward, load_checkpoint


@pytest.fixture
def run(nn: Command, small: Path) -> Path:
    assert nn("train", small, "--run-dir", "runs/one", "--quiet").code == 0
    return Path("runs/one")


@pytest.fixture
def digit(digits: Path) -> np.ndarray:
    """An image (28, 28), which lies beside the run as one.png, twice on two.png, and not at all on blank.png."""
    image = np.asarray(read_split(digits, "test")[0][0])
    Image.fromarray(image).save("one.png")
    large = Image.fromarray(255 - image).resize((560, 560), Image.Resampling.BICUBIC)
    two = Image.new("L", (1120, 560), 255)
    for left in (0, 560):
        two.paste(large, (left, 0))
    two.save("two.png")
    Image.new("L", (400, 400), 255).save("blank.png")
    return image


def test_the_gradient_is_that_of_the_pictures_image(nn: Command, run: Path, digit: np.ndarray) -> None:
    outcome = nn("inspect-gradients", run, "--image", "one.png", "--label", "3", "--json")
    document = json.loads(outcome.out)
    checkpoint = load_checkpoint(run / "checkpoints/best.safetensors")
    x = digit.reshape(784, 1) / np.float32(255)
    y = Examples.from_labels(digit[np.newaxis], np.array([3], np.uint8), 10).targets.T.astype(np.float32)
    gradient = backprop(checkpoint.network, COSTS["squared_error"], forward(checkpoint.network, x), y).gradient
    for layer in document["layers"]:
        norm = np.linalg.norm(gradient.dC_dw[layer["layer"]])
        assert layer["dC_dw_norm"] == pytest.approx(norm, rel=1e-5)
    assert (document["source"], document["split"], document["weight"]["label"]) == ("one.png", None, 3)


def test_the_page_opens_at_the_picture(nn: Command, run: Path, digit: np.ndarray) -> None:
    outcome = nn("inspect-gradients", run, "--image", "one.png", "--label", "3", "--html", "page.html")
    assert outcome.code == 0, outcome.err
    assert "example 0 of one.png: C = " in outcome.out
    assert "example 0, label 3." in outcome.out


BAD = [
    (["--image", "one.png"], "--image one.png: add --label N, the digit that was meant"),
    (["--label", "3"], "--label is the digit on a picture: add --image FILE"),
    (["--image", "two.png", "--label", "3"], "--image two.png: has 2 digits: "),
    (["--image", "blank.png", "--label", "3"], "--image blank.png: no digit was found; write with a darker pen"),
    (["--image", "one.png", "--label", "3", "--batch", "2"], "--image and --batch cannot be used together"),
    (["--image", "one.png", "--label", "10"], "Invalid value for '--label': 10"),
]


@pytest.mark.parametrize(("arguments", "expected"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_bad_choices_get_a_line(arguments: list[str], expected: str, nn: Command, run: Path, digit: np.ndarray) -> None:
    outcome = nn("inspect-gradients", run, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert expected in outcome.error
