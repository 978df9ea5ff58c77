"""Sheets of digits: the preview of augmentation, and the misread digits."""

from pathlib import Path

import numpy as np
import pytest
from conftest import Command, Outcome
from nn_cli.sheet import Captioned, write_sheet
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from data_scripts.idx import read_split, write_idx
from mnist_nn import Config, Examples, forward, load_checkpoint, read_config
from mnist_nn.examples.fresh_examples import fresh_examples
from mnist_nn.examples.shuffling import Shuffling

GAP, PIXEL, SIDE = 6, 2, 28
ELASTIC = "augmentation.elastic={sigma: 5.0, alpha: 36.0}"


def digit_at(sheet: np.ndarray, row: int, column: int, captions: int = 0) -> np.ndarray:
    """A copy of the digit at this place in a sheet, as bytes. `captions` is the height of a row's captions."""
    y = GAP + row * (PIXEL * SIDE + GAP + captions)
    x = GAP + column * (PIXEL * SIDE + GAP)
    return 255 - sheet[y : y + PIXEL * SIDE : PIXEL, x : x + PIXEL * SIDE : PIXEL]


def read_sheet(file: str) -> np.ndarray:
    return np.asarray(Image.open(file))


def test_the_preview_shows_what_the_first_epochs_train_on(nn: Command, small: Path) -> None:
    outcome = nn("train", small, "--set", ELASTIC, "--preview-augmentation", "sheet.png")
    assert outcome.code == 0
    assert outcome.out == ""
    assert outcome.err.startswith("sheet written to sheet.png (254 × 640 pixels)")
    assert not Path("runs").exists()
    sheet, config = read_sheet("sheet.png"), read_config(small, [ELASTIC])
    training, _ = examples_of(config).split(50)
    rows = [int(np.flatnonzero(training.labels == digit)[0]) for digit in range(10)]
    for digit, row in enumerate(rows):
        np.testing.assert_array_equal(digit_at(sheet, digit, 0).ravel(), training.inputs[row])
    slices = Shuffling(config.seed, len(training), config.training.batch_size, steps=1000).slices(epochs=3)
    for steps, fresh, used in fresh_examples(config, training, slices):
        for digit, row in enumerate(rows):
            (image,) = fresh.inputs[used[steps.rows == row]]
            np.testing.assert_array_equal(digit_at(sheet, digit, 1 + steps.epoch).ravel(), image)


def examples_of(config: Config) -> Examples:
    return Examples.from_labels(*read_split(Path(str(config.data.dir)), "train"), 10)


def test_a_preview_without_augmentation_is_refused_with_advice(nn: Command, small: Path) -> None:
    outcome = nn("train", small, "--preview-augmentation", "sheet.png")
    assert outcome.code == 2
    assert outcome.error == (
        f"Error: --preview-augmentation: {small} has no augmentation; "
        "add some, for example --set augmentation.rotation=10"
    )
    assert not Path("sheet.png").exists()


def test_misread_digits_are_drawn_once_in_label_order(
    nn: Command, small: Path, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nn("train", small, "--run-dir", "run", "--quiet").code == 0
    outcome = nn("evaluate", "run", "--misread", "sheet.png")
    assert outcome.code == 0
    assert "sheet written to sheet.png" in outcome.err
    images, labels = read_split(digits, "test")
    network = load_checkpoint(Path("run/checkpoints/best.safetensors")).network
    answers = forward(network, images.reshape(100, -1).T.astype(np.float32) / 255).a[2].argmax(axis=0)
    wrong = [i for digit in range(10) for i in np.flatnonzero((answers != labels) & (labels == digit))]
    assert 0 < len(wrong) < 100
    sheet = read_sheet("sheet.png")
    across = (sheet.shape[1] - GAP) // (PIXEL * SIDE + GAP)
    captions = 14
    for place, i in enumerate(wrong):
        np.testing.assert_array_equal(digit_at(sheet, *divmod(place, across), captions), images[i])
    written = sheets_written(monkeypatch)
    monkeypatch.setattr("nn_cli.misread.MAX_DIGITS", 3)
    told = nn("evaluate", "run", "--misread", "sheet.png").err
    assert nn("evaluate", "run", "--misread", "sheet.png", "--split", "train").code == 0
    assert f"drawing only the first 3 of {len(wrong)} misread digits" in told
    first = sorted(np.flatnonzero(answers != labels)[:3], key=lambda i: (labels[i], i))
    assert [digit.caption for digit in written[0]] == [f"{labels[i]}  as  {answers[i]}" for i in first]
    np.testing.assert_array_equal([digit.image for digit in written[0]], images[first])


def sheets_written(monkeypatch: pytest.MonkeyPatch) -> list[list[Captioned]]:
    """The digits of each sheet that is written from now on, row by row."""
    written: list[list[Captioned]] = []
    write = write_sheet

    def spy(option: str, path: Path, rows: list[list[Captioned]]) -> None:
        written.append([digit for row in rows for digit in row])
        write(option, path, rows)

    monkeypatch.setattr("nn_cli.misread.write_sheet", spy)
    return written


def test_a_network_without_mistakes_gets_no_sheet(nn: Command) -> None:
    write_all("easy", np.zeros((20, SIDE, SIDE), np.uint8), np.zeros(20, np.uint8))
    easy = [
        "--set",
        "data.source=idx",
        "--data-dir",
        "easy",
        "--set",
        "data.validation=0",
        "--set",
        "training.epochs=1",
    ]
    assert nn("train", *easy, "--quiet").code == 0
    outcome = nn("evaluate", "--misread", "sheet.png")
    assert "no digit is misread; no sheet is written" in outcome.err
    assert not Path("sheet.png").exists()


def write_all(directory: str, images: np.ndarray, labels: np.ndarray) -> None:
    Path(directory).mkdir()
    for prefix in ("train", "t10k"):
        write_idx(Path(directory, f"{prefix}-images-idx3-ubyte"), images)
        write_idx(Path(directory, f"{prefix}-labels-idx1-ubyte"), labels)


def commands(nn: Command, small: Path, file: str) -> list[Outcome]:
    return [
        nn("train", small, "--set", ELASTIC, "--preview-augmentation", file),
        nn("evaluate", "run", "--misread", file),
    ]


def test_a_sheet_replaces_a_sheet_but_no_other_file(nn: Command, small: Path) -> None:
    assert nn("train", small, "--run-dir", "run", "--quiet").code == 0
    about = PngInfo()
    about.add_text("Software", "nnU-Net viewer")
    Image.new("L", (3, 3)).save("photo.png", pnginfo=about)
    Path("notes.txt").write_text("mine")
    Path("directory").mkdir()
    for file, reason in (
        ("photo.png", "already exists and was not written by this command; choose another name"),
        ("notes.txt", "already exists and was not written by this command; choose another name"),
        ("directory", "is a directory; give a file name"),
    ):
        for outcome in commands(nn, small, file):
            assert outcome.code == 2
            assert f"{file}: {reason}" in outcome.error
    assert Path("notes.txt").read_text() == "mine"
    assert [outcome.code for outcome in commands(nn, small, "sheet.png") + commands(nn, small, "sheet.png")] == [0] * 4


def test_an_unwritable_sheet_is_reported(nn: Command, small: Path) -> None:
    outcome = nn("train", small, "--set", ELASTIC, "--preview-augmentation", "nowhere/sheet.png")
    assert outcome.code == 1
    assert "--preview-augmentation nowhere/sheet.png: cannot be written: No such file or directory" in outcome.error


@pytest.mark.parametrize("option", ["--resume", "--run-dir"])
def test_a_preview_excludes_resume_and_run_dir(option: str, nn: Command) -> None:
    outcome = nn("train", "--preview-augmentation", "sheet.png", option, "run")
    assert outcome.code == 2
    assert "--preview-augmentation does not train; leave out --resume and --run-dir" in outcome.error


def test_misread_refuses_inputs_other_than_images(nn: Command) -> None:
    assert nn("train", "chain", "--quiet", "--run-dir", "run").code == 0
    outcome = nn("evaluate", "run", "--misread", "sheet.png")
    assert outcome.code == 2
    assert "--misread sheet.png: data.source: inline has no images to draw; leave out --misread" in outcome.error


def test_augmentation_refuses_inputs_other_than_square_images(nn: Command) -> None:
    write_all("flat", np.zeros((20, 14, 56), np.uint8), np.zeros(20, np.uint8))
    options = ["--set", "augmentation.rotation=5"]
    idx = ["--set", "data.source=idx", "--data-dir", "flat", "--set", "data.validation=5"]
    for arguments, reason in (
        (["mnist", *idx, *options], "augmentation: needs square images, but the train images are 14 × 56 pixels; turn it off with --set augmentation={}"),
        (["chain", *options], "augmentation: needs images, but data.source: inline has none; turn it off with --set augmentation={}"),
        (["mnist", *options, "--set", "network.sizes=[785,10]"], "augmentation: needs square images, but 785 inputs (network.sizes) do not form a square; turn it off with --set augmentation={}"),
    ):  # fmt: skip
        outcome = nn("train", *arguments)
        assert outcome.code == 2
        assert reason in outcome.error


def test_rectangular_images_can_be_trained_on_but_not_drawn(nn: Command) -> None:
    """They can be evaluated too."""
    write_all("flat", np.zeros((20, 14, 56), np.uint8), np.zeros(20, np.uint8))
    idx = ["--set", "data.source=idx", "--data-dir", "flat", "--set", "data.validation=5", "--set", "training.epochs=1"]
    assert nn("train", "mnist", *idx, "--set", "augmentation={}", "--run-dir", "run", "--quiet").code == 0
    assert nn("evaluate", "run").code == 0
    outcome = nn("evaluate", "run", "--misread", "sheet.png")
    assert outcome.code == 2
    assert "--misread: needs square images, but these are 14 × 56 pixels" in outcome.error


def test_small_digits_are_enlarged_to_fit_their_captions(nn: Command) -> None:
    labels = np.arange(20, dtype=np.uint8) % 10
    write_all("tiny", np.repeat(labels[:, None, None], 25).reshape(20, 5, 5), labels)
    idx = [
        "--set",
        "data.source=idx",
        "--data-dir",
        "tiny",
        "--set",
        "data.validation=0",
        "--set",
        "network.sizes=[25,10]",
    ]
    outcome = nn("train", "mnist", *idx, "--set", "training.epochs=2", "--preview-augmentation", "sheet.png")
    assert "sheet written to sheet.png (204 × 680 pixels)" in outcome.err
