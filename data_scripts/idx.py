"""Read and write IDX files, the format of MNIST: images (N, height, width) and labels (N,), as uint8.

An IDX file consists of two zero bytes, a type code, the number of dimensions, each dimension as a big-endian 32-bit
integer, and then exactly the data. It may be gzip-compressed (.gz). Files with any error are refused.

    python -m data_scripts.idx FILE...      prints the type and shape of each file
"""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from .command import UsageError, printable, run
from .errors import DataError
from .files import require_regular, write_atomically

UBYTE = 0x08  # the type code for unsigned bytes
MAX_BYTES = 1 << 30  # largest decompressed size that is read: twice the largest EMNIST set
CHUNK = 1 << 20

Split = Literal["train", "test"]
Pixels = NDArray[np.uint8]


def read_idx(path: Path, dimensions: int) -> Pixels:
    """Read an IDX file of unsigned bytes with this number of dimensions.

    Raises DataError where the file is missing, unreadable or not an IDX file, has another type or number of dimensions,
    is shorter or longer than its header says, or declares more than MAX_BYTES. Memory is allocated only as data arrive.
    """
    try:
        require_regular(path)
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _read(file, path, dimensions)  # type: ignore[arg-type]
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: is not a gzip file, or a damaged one ({error}); fetch it again") from None
    except EOFError:
        raise DataError(f"{path}: is truncated (its gzip stream ends early); fetch it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise DataError(f"{path}: does not fit into the memory that is free; close other programs") from None


def _read(file: BinaryIO, path: Path, dimensions: int) -> Pixels:
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
    expected = math.prod(shape)
    if math.prod(max(n, 1) for n in shape) > MAX_BYTES:  # NumPy refuses larger shapes, even of empty arrays
        raise DataError(f"{path}: declares data of the shape {shape}; at most {MAX_BYTES:,} bytes are read")
    data = bytearray()
    while len(data) <= expected and (chunk := file.read(min(CHUNK, expected + 1 - len(data)))):
        data += chunk
    if len(data) < expected:
        raise DataError(f"{path}: is truncated: {len(data):,} of {expected:,} bytes of data; fetch it again")
    if len(data) > expected:
        raise DataError(f"{path}: goes on after the {expected:,} bytes of data that its header declares")
    return np.frombuffer(data, np.uint8).reshape(shape)


def write_idx(path: Path, array: Pixels) -> None:
    """Write a uint8 array of any shape. The file is compressed if its name ends in .gz. Equal arrays give equal bytes.

    Raises ValueError for another dtype, OSError where the file cannot be written.
    """
    if array.dtype != np.uint8:
        raise ValueError(f"IDX files are written from uint8 arrays, not {array.dtype}")
    content = struct.pack(f">2xBB{array.ndim}I", UBYTE, array.ndim, *array.shape) + array.tobytes()
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
    return read_pair(_find(directory, split, "images", 3), _find(directory, split, "labels", 1))


def _find(directory: Path, split: Split, kind: str, dimensions: int) -> Path:
    prefix = "train" if split == "train" else "(t10k|test)"
    pattern = re.compile(rf"(.*[-_])?{prefix}[-_]{kind}[-_.]idx{dimensions}[-_]ubyte(\.gz)?")
    try:
        found = sorted(file for file in directory.iterdir() if pattern.fullmatch(file.name))
    except OSError as error:
        raise DataError(f"{directory}: the data directory cannot be read: {error.strerror}") from None
    if not found:
        name = f"{'train' if split == 'train' else 't10k'}-{kind}-idx{dimensions}-ubyte"
        raise DataError(f"{directory}: there is no {name} or {name}.gz here")
    if len(found) > 1:
        names = " and ".join(file.name for file in found)
        raise DataError(f"{directory}: {names} both match; keep one of them here")
    return found[0]


def main(names: list[str]) -> None:
    """Describe the files named on the command line."""
    if not names:
        raise UsageError("no file is named; use python -m data_scripts.idx FILE...")
    for name in names:
        path = Path(name)
        array = read_idx(path, 1 if "labels" in path.name else 3)
        print(printable(f"{path}: {array.dtype} {array.shape}"))


if __name__ == "__main__":
    run(main)
