"""The IDX reader accepts exactly what the format allows, and maps plain files into memory."""

import contextlib
import gzip
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_scripts import idx
from data_scripts.errors import DataError
from data_scripts.idx import read_idx, read_pair, read_split, write_idx

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def header(*shape: int, magic: bytes = b"\0\0", code: int = 8) -> bytes:
    return magic + bytes([code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize("array", [IMAGES, np.array([3, 1, 4], np.uint8)], ids=["images", "labels"])
def test_written_files_read_back_the_same(name: str, array: np.ndarray, tmp_path: Path) -> None:
    write_idx(tmp_path / name, array)
    np.testing.assert_array_equal(read_idx(tmp_path / name, array.ndim), array)


def test_written_files_follow_the_format(tmp_path: Path) -> None:
    write_idx(tmp_path / "x", IMAGES)
    assert (tmp_path / "x").read_bytes() == bytes.fromhex("00000803 00000002 00000003 00000004") + bytes(range(24))


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    write_idx(tmp_path / "a.gz", IMAGES)
    write_idx(tmp_path / "b.gz", IMAGES)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_only_uint8_arrays_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="uint8"):
        write_idx(tmp_path / "x", np.zeros(3))
    assert list(tmp_path.iterdir()) == []


BAD = {
    "empty": (b"", "is not an IDX file"),
    "html": (b"<html>404</html>", "is not an IDX file: it begins with b'<htm'"),
    "another type": (header(1, 1, 1, code=0x0D) + b"\0" * 4, "holds IDX type 0x0d"),
    "labels as images": (header(1) + b"\0", "has 1 dimensions, but images have 3"),
    "cut in the header": (header(2, 3, 4)[:10], "is truncated in its header"),
    "cut in the data": (header(2, 3, 4) + bytes(23), "is truncated: 23 of 24 bytes"),
    "too long": (header(2, 3, 4) + bytes(25), "goes on after the 24 bytes"),
    "a header that declares too much": (
        header(2**31, 2**31, 2**31),
        "declares data of the shape (2147483648, 2147483648, 2147483648); at most",
    ),
}


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("case", BAD)
def test_a_malformed_file_is_refused_with_the_reason(case: str, compressed: bool, tmp_path: Path) -> None:
    """The message begins with the file's name."""
    content, expected = BAD[case]
    path = tmp_path / ("x.gz" if compressed else "x")
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(DataError) as error:
        read_idx(path, 3)
    assert str(error.value).startswith(f"{path}: ")
    assert expected in str(error.value)


def test_html_saved_as_gz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(b"<html>403 Forbidden</html>")
    with pytest.raises(DataError, match="is not a gzip file"):
        read_idx(tmp_path / "x.gz", 3)


def test_every_truncation_of_a_gzip_file_is_detected(tmp_path: Path) -> None:
    write_idx(tmp_path / "x.gz", IMAGES)
    whole = (tmp_path / "x.gz").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "x.gz").write_bytes(whole[:length])
        with pytest.raises(DataError):
            read_idx(tmp_path / "x.gz", 3)


def test_no_flipped_bit_changes_compressed_images_silently(tmp_path: Path) -> None:
    write_idx(tmp_path / "x.gz", IMAGES)
    whole = bytearray((tmp_path / "x.gz").read_bytes())
    for bit in range(8 * len(whole)):
        whole[bit // 8] ^= 1 << bit % 8
        (tmp_path / "x.gz").write_bytes(whole)
        with contextlib.suppress(DataError):  # a flip in gzip's own name and time fields changes nothing
            np.testing.assert_array_equal(read_idx(tmp_path / "x.gz", 3), IMAGES)
        whole[bit // 8] ^= 1 << bit % 8


def test_a_gzip_bomb_is_read_only_to_its_declared_size(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(header(1, 2, 2) + bytes(50_000_000)))
    with pytest.raises(DataError, match="goes on after the 4 bytes"):
        read_idx(tmp_path / "x.gz", 3)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([b"whole"], None),
        ([b"head", b"tail"], None),
        ([b"", b"head", b"", b"", b"tail", b""], None),
        ([b"head"], "is truncated: 10 of 24 bytes"),
        ([b"whole", b"tail"], "goes on after the 24 bytes"),
        ([b"whole", b"whole"], "goes on after the 24 bytes"),
        ([b""], "is not an IDX file"),
        ([b""] * 20_000, "is not an IDX file"),
    ],
    ids=["one", "two", "empty ones between", "half", "too much", "twice", "empty", "twenty thousand empty ones"],
)
def test_gzip_members_are_read_as_one_file(members: list[bytes], reason: str | None, tmp_path: Path) -> None:
    whole = header(2, 3, 4) + IMAGES.tobytes()
    parts = {b"whole": whole, b"head": whole[:26], b"tail": whole[26:], b"": b""}
    (tmp_path / "x.gz").write_bytes(b"".join(gzip.compress(parts[member], mtime=0) for member in members))
    if reason is None:
        np.testing.assert_array_equal(read_idx(tmp_path / "x.gz", 3), IMAGES)
    else:
        with pytest.raises(DataError, match=reason):
            read_idx(tmp_path / "x.gz", 3)


@pytest.mark.parametrize(
    "rest", [b"x", b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x08" + bytes(7), b"\0\0x", b"PK\3\4"], ids=repr
)
def test_garbage_after_a_gzip_stream_is_refused(rest: bytes, tmp_path: Path) -> None:
    write_idx(tmp_path / "x.gz", IMAGES)
    with (tmp_path / "x.gz").open("ab") as file:
        file.write(rest)
    with pytest.raises(DataError, match=r"is not a gzip file, or a damaged one|is truncated"):
        read_idx(tmp_path / "x.gz", 3)


def test_zero_padding_after_a_gzip_stream_is_ignored(tmp_path: Path) -> None:
    write_idx(tmp_path / "x.gz", IMAGES)
    with (tmp_path / "x.gz").open("ab") as file:
        file.write(bytes(1000))
    np.testing.assert_array_equal(read_idx(tmp_path / "x.gz", 3), IMAGES)


@pytest.mark.parametrize("shape", [(2**32 - 1, 0, 2**32 - 1), (0, 2**32 - 1, 2**32 - 1), (2**32 - 1,) * 3], ids=str)
def test_an_impossible_shape_is_refused_even_if_empty(shape: tuple[int, ...], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(header(*shape))
    with pytest.raises(DataError, match="declares data of the shape"):
        read_idx(tmp_path / "x", 3)


def test_only_compressed_files_have_a_limit_of_1_gib(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(header(1024, 1024, 1025)))
    with pytest.raises(DataError, match=r"declares data of the shape .* at most 1,073,741,824 bytes are read"):
        read_idx(tmp_path / "x.gz", 3)
    (tmp_path / "x").write_bytes(header(1024, 1024, 1025))
    with pytest.raises(DataError, match="is truncated: 0 of 1,074,790,400 bytes of data"):
        read_idx(tmp_path / "x", 3)


@pytest.mark.parametrize("name", ["x", "x.gz"])
@pytest.mark.parametrize("shape", [(0, 28, 28), (5, 0, 28), (5, 28, 0), (0, 0, 0)], ids=str)
def test_an_array_without_elements_keeps_its_shape(shape: tuple[int, ...], name: str, tmp_path: Path) -> None:
    write_idx(tmp_path / name, np.zeros(shape, np.uint8))
    assert read_idx(tmp_path / name, 3).shape == shape


@pytest.mark.parametrize("name", ["x", "x.gz"])
def test_arrays_from_files_are_read_only(name: str, tmp_path: Path) -> None:
    write_idx(tmp_path / name, IMAGES)
    assert not read_idx(tmp_path / name, 3).flags.writeable


def own_memory() -> int:
    """The bytes of this process's memory that no file holds."""
    found = re.search(r"RssAnon:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_plain_file_takes_no_memory_of_its_own(tmp_path: Path) -> None:
    """Of a sparse file of 2 GB, images at the beginning, in the middle and at the end are read."""
    count = 2_700_000
    (tmp_path / "x").write_bytes(header(count, 28, 28))
    os.truncate(tmp_path / "x", 16 + count * 28 * 28)
    before = own_memory()
    images = read_idx(tmp_path / "x", 3)
    assert images.shape == (count, 28, 28)
    assert not images[:: count // 100].any()
    assert own_memory() - before < 5_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(("memory", "alone"), [(30_000, True), (1 << 30, False)])
def test_pages_of_large_files_are_read_alone(
    memory: int, alone: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file larger than half of the memory no pages are read ahead. (Linux calls this flag "rr".)"""
    monkeypatch.setattr(idx, "_memory", lambda: memory)
    write_idx(tmp_path / "x", np.zeros((30, 28, 28), np.uint8))
    array = read_idx(tmp_path / "x", 3)
    mapping = Path("/proc/self/smaps").read_text().split(str(tmp_path / "x"))[1]
    assert ("rr" in re.search("VmFlags:(.*)", mapping)[1].split()) == alone  # type: ignore[index]
    assert not array.any()


READ_AGAIN = """
import sys
from pathlib import Path
from data_scripts.idx import read_idx
images = read_idx(Path("images"), 3)
print(images.sum(), flush=True)
sys.stdin.readline()
print(images.sum())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs signals of Linux")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda path: os.truncate(path, 100), -signal.SIGBUS),
        (lambda path: write_idx(path, np.zeros(3, np.uint8)), 0),
        (Path.unlink, 0),
    ],
    ids=["cut short", "replaced by rename", "removed"],
)
def test_a_mapped_file_may_be_replaced_but_not_cut(change: Callable[[Path], object], code: int, tmp_path: Path) -> None:
    """A file that is cut short ends the process with SIGBUS. One that is replaced or removed is read to its end."""
    write_idx(tmp_path / "images", np.ones((50, 28, 28), np.uint8))
    command = [sys.executable, "-c", READ_AGAIN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "39200\n"
        change(tmp_path / "images")
        assert process.communicate("go on\n")[0] == ("" if code else "39200\n")
        assert process.returncode == code


@pytest.mark.parametrize("name", ["x", "x.gz"])
def test_a_false_header_does_not_allocate_the_declared_memory(name: str, tmp_path: Path) -> None:
    import tracemalloc

    content = header(1000, 1000, 1000)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    tracemalloc.start()
    with pytest.raises(DataError, match="truncated: 0 of 1,000,000,000"):
        read_idx(tmp_path / name, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * idx.CHUNK


def test_different_numbers_of_images_and_labels_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / "images", IMAGES)
    write_idx(tmp_path / "labels", np.zeros(3, np.uint8))
    with pytest.raises(DataError, match=r"2 images, but labels has 3 labels"):
        read_pair(tmp_path / "images", tmp_path / "labels")


def test_zero_images_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / "images", np.zeros((0, 28, 28), np.uint8))
    write_idx(tmp_path / "labels", np.zeros(0, np.uint8))
    with pytest.raises(DataError, match="holds no images"):
        read_pair(tmp_path / "images", tmp_path / "labels")


@pytest.mark.parametrize("prefix", ["", "emnist-letters-"])
def test_mnist_file_names_may_have_a_prefix(prefix: str, tmp_path: Path) -> None:
    write_idx(tmp_path / f"{prefix}test-images-idx3-ubyte.gz", IMAGES)
    write_idx(tmp_path / f"{prefix}test-labels-idx1-ubyte", np.zeros(2, np.uint8))
    images, labels = read_split(tmp_path, "test")
    assert (images.shape, labels.shape) == ((2, 3, 4), (2,))
    with pytest.raises(DataError, match="there is no train-images-idx3-ubyte"):
        read_split(tmp_path, "train")


def test_two_files_for_the_same_part_are_refused(tmp_path: Path) -> None:
    """The message gives both names."""
    for name in ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"):
        write_idx(tmp_path / name, IMAGES)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte and train-images-idx3-ubyte.gz both match"):
        read_split(tmp_path, "train")


def test_a_missing_directory_or_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: the data directory cannot be read: No such file"):
        read_split(tmp_path / "nowhere", "train")
    with pytest.raises(DataError, match=r"nothing: there is no such file"):
        read_idx(tmp_path / "nothing", 3)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_described_files_cannot_colour_the_terminal(encoding: str, tmp_path: Path) -> None:
    good, bad = tmp_path / "\x1b[31m-labels-é", tmp_path / "\x1b[31m-images"
    write_idx(good, np.zeros(3, np.uint8))
    bad.write_bytes(b"<html>")

    def describe(*arguments: object) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "data_scripts.idx", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONIOENCODING": encoding}
        )
        return done.returncode, done.stdout, done.stderr

    name = r"\x1b[31m-labels-" + ("é" if encoding == "utf-8" else r"\xe9")
    assert describe(good) == (0, f"{tmp_path}/{name}: uint8 (3,)\n", "")
    code, out, err = describe(bad)
    assert (code, out) == (1, "")
    assert err.startswith(rf"Error: {tmp_path}/\x1b[31m-images: is not an IDX file")
    code, out, err = describe()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("Error: the following arguments are required: FILE")
