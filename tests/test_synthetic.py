"""The digits that the program draws itself."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_scripts.glyphs import FORMS
from data_scripts.synthetic import COUNTS, draw_digits, load_synthetic


def test_the_seed_determines_the_digits() -> None:
    """The same seed draws the same digits, and another seed draws others."""
    first, second, other = draw_digits(50, 3), draw_digits(50, 3), draw_digits(50, 4)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


def test_training_and_test_digits_are_different_drawings() -> None:
    train, test = draw_digits(200, 0, "train")[0], draw_digits(200, 0, "test")[0]
    assert not {image.tobytes() for image in train} & {image.tobytes() for image in test}


def test_digits_are_equally_frequent_and_none_is_blank() -> None:
    images, labels = draw_digits(1000, 0)
    assert images.dtype == labels.dtype == np.uint8
    assert images.shape == (1000, 28, 28)
    np.testing.assert_array_equal(np.bincount(labels), [100] * 10)
    assert images.max(axis=(1, 2)).min() > 128


def test_digits_are_sized_and_centred_like_mnists() -> None:
    """They are about 20 pixels large, and their centre of mass is in the middle."""
    images, _ = draw_digits(500, 0)
    ink = images.astype(float)
    rows, columns = np.indices((28, 28))
    total = ink.sum(axis=(1, 2))
    centre = np.stack([(ink * rows).sum(axis=(1, 2)), (ink * columns).sum(axis=(1, 2))]) / total
    assert np.abs(centre - 13.5).mean() < 0.5
    assert np.abs(centre - 13.5).max() < 3
    for axis in (1, 2):
        extent = (ink > 64).any(axis=axis).sum(axis=1)
        assert extent.max() <= 22
    longest = np.maximum((ink > 64).any(axis=1).sum(axis=1), (ink > 64).any(axis=2).sum(axis=1))
    assert longest.mean() > 18


def test_digits_are_antialiased() -> None:
    images, _ = draw_digits(100, 0)
    grey = ((images > 0) & (images < 255)).sum() / (images > 0).sum()
    assert 0.2 < grey < 0.95


def test_each_digit_has_several_written_forms() -> None:
    assert sorted(FORMS) == list(range(10))
    assert all(len(forms) >= 3 for forms in FORMS.values())


def test_digits_are_drawn_once_and_then_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COUNTS, "train", 60)
    first = load_synthetic("train", tmp_path)
    files = sorted(tmp_path.rglob("*.gz"))
    assert len(files) == 2
    modified = [file.stat().st_mtime_ns for file in files]
    np.testing.assert_array_equal(load_synthetic("train", tmp_path)[0], first[0])
    assert [file.stat().st_mtime_ns for file in files] == modified


def test_a_damaged_cache_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COUNTS, "train", 60)
    first = load_synthetic("train", tmp_path)
    file = min(tmp_path.rglob("*images*.gz"))
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    np.testing.assert_array_equal(load_synthetic("train", tmp_path)[0], first[0])
    assert file.read_bytes() == whole


def test_an_unwritable_cache_causes_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COUNTS, "train", 20)
    (tmp_path / "file").write_text("in the way")
    assert len(load_synthetic("train", tmp_path / "file")[0]) == 20


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["made", "abc"], 2, "SEED abc: must be a whole number of at most 19 digits, such as 7"),
        (["made", "-1"], 2, "SEED -1: must be a whole number of at most 19 digits, such as 7"),
        (["made", "1" * 5000], 2, f"SEED {'1' * 5000}: must be a whole number of at most 19 digits, such as 7"),
        (["made", "\x1b[31m"], 2, r"SEED \x1b[31m: must be a whole number of at most 19 digits, such as 7"),
        ([], 2, "0 arguments are given; use python -m data_scripts.synthetic DIRECTORY [SEED]"),
        (["/dev/null/x"], 1, "/dev/null/x: cannot be written: Not a directory; choose another directory"),
    ],
    ids=["letters", "negative", "long", "escape sequence", "nothing", "not a directory"],
)
def test_drawing_with_bad_arguments_is_refused_in_one_line(arguments: list[str], code: int, message: str) -> None:
    command = [sys.executable, "-m", "data_scripts.synthetic", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"Error: {message}\n")
    assert not Path("made").exists()
