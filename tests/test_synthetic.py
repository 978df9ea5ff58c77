"""The digits that the program draws itself."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from data_scripts import synthetic
from data_scripts.errors import DataError
from data_scripts.files import temporary_name
from data_scripts.glyphs import FORMS
from data_scripts.idx import read_split
from data_scripts.synthetic import BLOCK, COUNTS, draw_digits, draw_in_blocks, load_synthetic, write_digits


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
    """They are about 20 pixels large, and placed by MNIST's own rule."""
    images, _ = draw_digits(500, 0)
    ink = images.astype(float)
    places = np.arange(28) + 0.5
    centre = np.stack([ink.sum(axis=2) @ places, ink.sum(axis=1) @ places]) / ink.sum(axis=(1, 2))
    assert centre.min() >= 14
    assert centre.max() < 15
    assert abs(centre.mean() - 14.5) < 0.05
    for axis in (1, 2):
        extent = (ink > 64).any(axis=axis).sum(axis=1)
        assert extent.max() <= 22
    longest = np.maximum((ink > 64).any(axis=1).sum(axis=1), (ink > 64).any(axis=2).sum(axis=1))
    assert longest.mean() > 18


def test_digits_are_antialiased() -> None:
    images, _ = draw_digits(100, 0)
    grey = ((images > 0) & (images < 255)).sum() / (images > 0).sum()
    assert 0.2 < grey < 0.95


def test_more_pressure_makes_a_wider_line() -> None:
    across = np.stack([np.linspace(4, 24, 30), np.full(30, 14)], axis=1)
    ink = synthetic._ink(np.stack([across] * 3), np.array([[0.8], [1], [1.6]]) * np.ones(30), np.full(3, 2), np.ones(3))
    height = ink[:, :, 14].sum(axis=1) / 255
    assert height[0] < height[1] < height[2]
    np.testing.assert_allclose(height[1:], [4, 6.4], atol=0.4)


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


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 50 digits, in this process."""
    monkeypatch.setattr(synthetic, "BLOCK", 50)


@pytest.mark.usefixtures("small_blocks")
def test_larger_sets_begin_with_the_same_digits() -> None:
    """The training set of `load_synthetic` is the first block of every larger set."""
    assert BLOCK == COUNTS["train"] == 10_000
    for count in (51, 100, 130):
        for more, first in zip(draw_digits(count, 5), draw_digits(50, 5), strict=True):
            np.testing.assert_array_equal(more[:50], first)


def test_the_first_block_keeps_its_random_stream() -> None:
    """Its stream is the one of version 1, which had no blocks."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([3, 0])))
    np.testing.assert_array_equal(draw_digits(50, 3)[1], random.permutation(np.arange(50) % 10))


@pytest.mark.usefixtures("small_blocks")
def test_blocks_are_different_drawings() -> None:
    images, labels = draw_digits(200, 0)
    assert len({image.tobytes() for image in images}) == 200
    np.testing.assert_array_equal(np.bincount(labels[:50]), [5] * 10)
    assert not np.array_equal(labels[:50], labels[50:100])


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_number_of_threads_does_not_change_the_digits(workers: int) -> None:
    blocks = list(draw_in_blocks(230, 3, "test", workers=workers))
    assert [len(labels) for _, labels in blocks] == [50, 50, 50, 50, 30]
    for drawn, expected in zip(zip(*blocks, strict=True), draw_digits(230, 3, "test"), strict=True):
        np.testing.assert_array_equal(np.concatenate(drawn), expected)


def test_no_digits_are_drawn_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(DataError, match="digits cannot be drawn without a thread: can't start new thread; end other"):
        list(draw_in_blocks(20, 0, "train"))


@pytest.mark.usefixtures("small_blocks")
def test_written_digits_are_the_drawn_ones(tmp_path: Path) -> None:
    sizes: list[int] = []
    write_digits(tmp_path / "made", {"train": 120, "test": 70}, 3, workers=2, on_digits=sizes.append)
    for split, count in (("train", 120), ("test", 70)):
        for written, drawn in zip(read_split(tmp_path / "made", split), draw_digits(count, 3, split), strict=True):
            np.testing.assert_array_equal(written, drawn)
    assert sizes == [50, 50, 20, 50, 20]
    assert len(list((tmp_path / "made").iterdir())) == 4


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), MemoryError()], ids=repr)  # fmt: skip
def test_a_failure_while_writing_leaves_no_file(error: BaseException, tmp_path: Path) -> None:
    def fail(_: int) -> None:
        unfinished.append(len(list(tmp_path.iterdir())))
        if len(unfinished) == 3:
            raise error

    unfinished: list[int] = []
    with pytest.raises(type(error)) as raised:
        write_digits(tmp_path, {"train": 120, "test": 70}, 0, on_digits=fail)
    assert unfinished == [4, 4, 4]
    assert list(tmp_path.iterdir()) == []
    if isinstance(error, OSError):
        assert (raised.value.filename, raised.value.strerror) == (str(tmp_path), "No space left on device")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "my-test-labels-idx1-ubyte"]
)  # fmt: skip
def test_digits_that_are_there_are_not_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(DataError, match=f"{name}: is here already; remove it, or choose another directory"):
        write_digits(tmp_path, {"train": 20, "test": 20}, 0)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(name, b"precious")]


def test_too_little_room_is_noticed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2_000_000_000))
    with pytest.raises(DataError, match=r"6,360\.1 MB are needed, and 2,000\.0 MB are free; choose another directory"):
        write_digits(tmp_path, {"train": 8_100_000, "test": 2_000}, 0)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    leftover = temporary_name(tmp_path / "train-images-idx3-ubyte")
    leftover.touch()
    os.utime(leftover, (0, 0))
    write_digits(tmp_path, {"train": 20, "test": 20}, 0)
    assert not leftover.exists()


MEASURE = """
import re
from pathlib import Path
from data_scripts import synthetic
synthetic.BLOCK = 500
for directory, count in (("few", 2_000), ("many", 12_000)):
    synthetic.write_digits(Path(directory), {"train": count}, 0, workers=2)
    print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_more_digits_take_no_more_memory() -> None:
    """10,000 digits more are 7.8 MB more in the files."""
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    few, many = map(int, done.stdout.split())
    assert many - few < 4_000


@pytest.mark.skipif(sys.platform != "linux", reason="needs signals and limits of Linux")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_while_drawing_leaves_no_file(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "data_scripts.synthetic", "made", "--train", "1000000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob("made/.*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        error = process.communicate()[1]
    assert (process.returncode, error) == (128 + number, f"Error: interrupted by {number.name}\n")
    assert list((tmp_path / "made").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs signals and limits of Linux")
def test_a_file_that_cannot_grow_is_one_line(tmp_path: Path) -> None:
    limited = f"ulimit -f 100; exec {sys.executable} -m data_scripts.synthetic made --train 300 --test 20"
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: made: cannot be written: File too large; choose another directory\n"
    assert list((tmp_path / "made").iterdir()) == []


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    """Without a terminal it shows no progress."""
    command = [sys.executable, "-m", "data_scripts.synthetic", "made", "--train", "60", "--test", "20", "--seed", "4"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "TQDM_MININTERVAL": "x"}
    )
    assert (done.stdout, done.stderr) == ("made: 60 + 20 digits\n", "")
    np.testing.assert_array_equal(read_split(tmp_path / "made", "train")[0], draw_digits(60, 4)[0])


TRAIN, SEED = (
    "must be a whole number from 1 to 4,294,967,295",
    "must be a whole number from 0 to 18,446,744,073,709,551,615",
)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["made", "--seed", "abc"], 2, f"argument --seed: abc: {SEED}"),
        (["made", "--seed", "-1"], 2, f"argument --seed: -1: {SEED}"),
        (["made", "--seed", "1" * 5000], 2, f"argument --seed: {'1' * 5000}: {SEED}"),
        (["made", "--seed", "\x1b[31m"], 2, rf"argument --seed: \x1b[31m: {SEED}"),
        (["made", "--train", "0"], 2, f"argument --train: 0: {TRAIN}"),
        (["made", "--train", "4294967296"], 2, f"argument --train: 4294967296: {TRAIN}"),
        (["made", "--test", "1e3"], 2, f"argument --test: 1e3: {TRAIN}"),
        (["made", "--test", "٣"], 2, f"argument --test: ٣: {TRAIN}"),
        (["made", "7"], 2, "unrecognized arguments: 7"),
        (["made", "--tra", "7"], 2, "unrecognized arguments: --tra 7"),
        ([], 2, "the following arguments are required: DIRECTORY"),
        (["/dev/null/x"], 1, "/dev/null/x: cannot be written: Not a directory; choose another directory"),
    ],
    ids=["letters", "negative", "long", "escape sequence", "none", "too many", "a float", "another script", "positional", "abbreviated", "nothing", "not a directory"],
)  # fmt: skip
def test_drawing_with_bad_arguments_is_refused_in_one_line(arguments: list[str], code: int, message: str) -> None:
    command = [sys.executable, "-m", "data_scripts.synthetic", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONIOENCODING": "utf-8"})  # fmt: skip
    where = " (see `python -m data_scripts.synthetic --help`)" if code == 2 else ""
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"Error: {message}{where}\n")
    assert not Path("made").exists()
