"""`nn train` on bad digits: one line gives the file and the reason, and no run is left behind."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Command

from data_scripts.idx import read_idx, write_idx

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"


def truncate(directory: Path) -> None:
    content = (directory / IMAGES).read_bytes()
    (directory / IMAGES).write_bytes(content[: len(content) // 2])


def flip_a_bit(directory: Path) -> None:
    content = bytearray((directory / IMAGES).read_bytes())
    content[len(content) // 2] ^= 16
    (directory / IMAGES).write_bytes(content)


def save_html(directory: Path) -> None:
    (directory / IMAGES).write_text("<!doctype html><title>404</title>")


def compress_html(directory: Path) -> None:
    (directory / IMAGES).write_bytes(gzip.compress(b"<!doctype html><title>404</title>"))


def drop_a_label(directory: Path) -> None:
    write_idx(directory / LABELS, read_idx(directory / LABELS, 1)[:-1])


def label_eleven(directory: Path) -> None:
    labels = read_idx(directory / LABELS, 1).copy()
    labels[5] = 11
    write_idx(directory / LABELS, labels)


def empty_both(directory: Path) -> None:
    write_idx(directory / IMAGES, np.zeros((0, 28, 28), np.uint8))
    write_idx(directory / LABELS, np.zeros(0, np.uint8))


def swap_both(directory: Path) -> None:
    (directory / IMAGES).unlink()
    (directory / LABELS).rename(directory / IMAGES.removesuffix(".gz"))
    write_idx(directory / LABELS, np.zeros((300, 28, 28), np.uint8))


def small_images(directory: Path) -> None:
    write_idx(directory / IMAGES, read_idx(directory / IMAGES, 3)[:, :20, :20])


@pytest.mark.parametrize(
    ("damage", "code", "expected"),
    [
        (truncate, 1, f"{IMAGES}: is truncated (its gzip stream ends early); fetch it again"),
        (flip_a_bit, 1, f"{IMAGES}: is not a gzip file, or a damaged one"),
        (save_html, 1, f"{IMAGES}: is not a gzip file, or a damaged one"),
        (compress_html, 1, f"{IMAGES}: is not an IDX file: it begins with b'<!do'"),
        (drop_a_label, 1, f"{IMAGES}: 300 images, but {LABELS} has 299 labels"),
        (
            label_eleven,
            2,
            "network.sizes: ends with 10, but the train labels go up to 11; it needs at least 12 outputs",
        ),
        (empty_both, 1, f"{IMAGES}: holds no images"),
        (swap_both, 1, "train-images-idx3-ubyte: has 1 dimensions, but images have 3"),
        (small_images, 2, "network.sizes: begins with 784, but the train examples have 400 inputs each"),
    ],
)
def test_train_refuses_bad_digits_and_leaves_no_run(
    damage: Callable[[Path], None], code: int, expected: str, nn: Command, small: Path, digits: Path, tmp_path: Path
) -> None:
    """The error is one line that gives the reason."""
    directory = tmp_path / "digits"
    shutil.copytree(digits, directory)
    damage(directory)
    outcome = nn("train", small, "--data-dir", directory)
    assert outcome.code == code
    assert expected in outcome.error
    assert not Path("runs").exists()
