"""Read and write IDX files, the format of MNIST: images (N, height, width) and labels (N,), as uint8.

An IDX file consists of two zero bytes, a type code, the number of dimensions, each dimension as a big-endian 32-bit
integer, and then exactly the data. It may be gzip-compressed (.gz). Files with any error are refused.

A plain file is mapped into memory: its pages are read when they are used, so it may be larger than the memory. A .gz
file is read whole.

    python -m data_scripts.idx FILE...      prints the type and shape of each file
"""

import errno
import gzip
import math
import mmap
import os
import re
import struct
import sys
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from .command import Parser, printable, run
from .errors import DataError
from .files import open_regular, write_atomically

UBYTE = 0x08  # the type code for unsigned bytes
MAX_BYTES = 1 << 30  # largest decompressed size of a .gz file that is read: twice the largest EMNIST set
CHUNK = 1 << 20

Split = Literal["train", "test"]
Kind = Literal["images", "labels"]
Pixels = NDArray[np.uint8]
DIMENSIONS: dict[Kind, int] = {"images": 3, "labels": 1}


def read_idx(path: Path, dimensions: int) -> Pixels:
    """The array of an IDX file of unsigned bytes with this number of dimensions. It is read-only.

    The array of a plain file is a view of the file, whose pages are read when they are used. If the file is cut short
    while the array is in use, the process ends with SIGBUS. A .gz file is read at once, into memory that is allocated
    only as data arrive.

    Raises DataError where the file is missing, unreadable or not an IDX file, has another type or number of dimensions,
    is shorter or longer than its header says, or where a .gz file declares more than MAX_BYTES.
    """
    try:
        with open_regular(path) as file:
            if path.suffix != ".gz":
                return _map(file, path, dimensions)
            with gzip.open(file) as decompressed:
                return _read(decompressed, path, dimensions)  # type: ignore[arg-type]
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: is not a gzip file, or a damaged one ({error}); fetch it again") from None
    except EOFError:
        raise DataError(f"{path}: is truncated (its gzip stream ends early); fetch it again") from None
    except (OSError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno != errno.ENOMEM:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
        raise DataError(f"{path}: does not fit into the memory that is free; close other programs") from None


def _map(file: BinaryIO, path: Path, dimensions: int) -> Pixels:
    shape = _read_shape(file, path, dimensions, at_most=sys.maxsize)
    begin, end = file.tell(), os.fstat(file.fileno()).st_size
    _require_exactly(math.prod(shape), end - begin, path)
    content = mmap.mmap(file.fileno(), end, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_RANDOM") and end > _memory() / 2:
        content.madvise(mmap.MADV_RANDOM)  # read no pages ahead: shuffled images would need few of them
    return np.frombuffer(content, np.uint8)[begin:].reshape(shape)


def _memory() -> int:
    """The size of the machine's memory in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _read(file: BinaryIO, path: Path, dimensions: int) -> Pixels:
    shape = _read_shape(file, path, dimensions, at_most=MAX_BYTES)
    expected = math.prod(shape)
    data = bytearray()
    while len(data) <= expected and (chunk := file.read(min(CHUNK, expected + 1 - len(data)))):
        data += chunk
    _require_exactly(expected, len(data), path)
    array = np.frombuffer(data, np.uint8).reshape(shape)
    array.flags.writeable = False
    return array


def _read_shape(file: BinaryIO, path: Path, dimensions: int, *, at_most: int) -> tuple[int, ...]:
    """Read the header, and return the shape that it declares, of at most so many bytes."""
    header = file.read(4 + 4 * dimensions)
    if len(header) < 4 or header[:2] != b"\0\0":
        raise DataError(f"{path}: is not an IDX file: it begins with {header[:4]!r}, not with two zero bytes")
    if header[2] != UBYTE:
        raise DataError(f"{path}: holds IDX type 0x{header[2]:02x}; only unsigned bytes (0x08) are read")
    if header[3] != dimensions:
        kind = {1: "labels", 3: "images"}.get(dimensions, f"{dimensions}-dimensional data")
        raise DataError(f"{path}: has {header[3]} dimensions, but {kind} have {dimensions}")
    if len(header) < 4 + 4 * dimensions:
        raise DataError(f"{path}: is truncated in its header; fetch it again")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    if math.prod(max(n, 1) for n in shape) > at_most:  # NumPy refuses shapes above sys.maxsize, even of empty arrays
        raise DataError(f"{path}: declares data of the shape {shape}; at most {at_most:,} bytes are read")
    return shape


def _require_exactly(expected: int, found: int, path: Path) -> None:
    if found < expected:
        raise DataError(f"{path}: is truncated: {found:,} of {expected:,} bytes of data; fetch it again")
    if found > expected:
        raise DataError(f"{path}: goes on after the {expected:,} bytes of data that its header declares")


def header(*shape: int) -> bytes:
    """The bytes with which an IDX file of this shape begins. The data follow."""
    return struct.pack(f">2xBB{len(shape)}I", UBYTE, len(shape), *shape)


def write_idx(path: Path, array: Pixels) -> None:
    """Write a uint8 array of any shape. The file is compressed if its name ends in .gz. Equal arrays give equal bytes.

    Raises ValueError for another dtype, OSError where the file cannot be written.
    """
    if array.dtype != np.uint8:
        raise ValueError(f"IDX files are written from uint8 arrays, not {array.dtype}")
    content = header(*array.shape) + array.tobytes()
    if path.suffix == ".gz":
        content = gzip.compress(content, compresslevel=1, mtime=0)
    write_atomically(path, content)


def read_pair(images_path: Path, labels_path: Path) -> tuple[Pixels, Pixels]:
    """Read images (N, height, width) and their labels (N,).

    Raises DataError like `read_idx`, where the numbers of images and labels differ, or where there are no images.
    """
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise DataError(f"{images_path}: {len(images):,} images, but {labels_path.name} has {len(labels):,} labels")
    if not images.size:
        raise DataError(f"{images_path}: holds no images (its shape is {images.shape})")
    return images, labels


def read_split(directory: Path, split: Split) -> tuple[Pixels, Pixels]:
    """Read the training or test images and labels in a directory.

    The files must have MNIST's names, with any prefix. Examples are train-images-idx3-ubyte.gz and
    emnist-letters-test-labels-idx1-ubyte. Raises DataError like `read_pair`, or where not exactly one file matches.
    """
    return read_pair(_find(directory, split, "images"), _find(directory, split, "labels"))


def matching_files(directory: Path, split: Split, kind: Kind) -> list[Path]:
    """The files that `read_split` would read as a split's images or labels. Raises DataError without a directory."""
    prefix = "train" if split == "train" else "(t10k|test)"
    pattern = re.compile(rf"(.*[-_])?{prefix}[-_]{kind}[-_.]idx{DIMENSIONS[kind]}[-_]ubyte(\.gz)?")
    try:
        return sorted(file for file in directory.iterdir() if pattern.fullmatch(file.name))
    except OSError as error:
        raise DataError(f"{directory}: the data directory cannot be read: {error.strerror}") from None


def _find(directory: Path, split: Split, kind: Kind) -> Path:
    found = matching_files(directory, split, kind)
    if not found:
        name = f"{'train' if split == 'train' else 't10k'}-{kind}-idx{DIMENSIONS[kind]}-ubyte"
        raise DataError(f"{directory}: there is no {name} or {name}.gz here")
    if len(found) > 1:
        names = " and ".join(file.name for file in found)
        raise DataError(f"{directory}: {names} both match; keep one of them here")
    return found[0]


def main(arguments: list[str]) -> None:
    """Describe the files named on the command line."""
    parser = Parser("data_scripts.idx", "Print the type and shape of each FILE.")
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+")
    for path in parser.parse_args(arguments).files:
        array = read_idx(path, 1 if "labels" in path.name else 3)
        print(printable(f"{path}: {array.dtype} {array.shape}"))


if __name__ == "__main__":
    run(main)
