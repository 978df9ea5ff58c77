"""MNIST's four files: downloaded once, and verified each time they are read.

MNIST is by Yann LeCun, Corinna Cortes and Christopher J.C. Burges (CC BY-SA 3.0).

    python -m data_scripts.mnist DIRECTORY      downloads the files that are missing or damaged there
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from .command import Parser, printable, run
from .errors import DataError, DownloadError
from .fetch import Limits, fetch
from .files import ABANDONED, remove_leftovers, write_atomically
from .idx import Pixels, Split, read_pair

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


@dataclass(frozen=True)
class PinnedFile:
    """A file's name, its size in bytes and its SHA-256."""

    name: str
    size: int
    sha256: str


TRAIN_IMAGES = PinnedFile(
    "train-images-idx3-ubyte.gz",
    9_912_422,
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
)
TRAIN_LABELS = PinnedFile(
    "train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
)
TEST_IMAGES = PinnedFile(
    "t10k-images-idx3-ubyte.gz", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
)
TEST_LABELS = PinnedFile(
    "t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
)
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
PAIRS: dict[Split, tuple[PinnedFile, PinnedFile]] = {
    "train": (TRAIN_IMAGES, TRAIN_LABELS),
    "test": (TEST_IMAGES, TEST_LABELS),
}


def is_intact(directory: Path, file: PinnedFile) -> bool:
    """Whether the file is there with the right size and SHA-256."""
    path = directory / file.name
    try:
        return path.stat().st_size == file.size and _sha256(path) == file.sha256
    except OSError:
        return False


def missing_files(directory: Path) -> list[PinnedFile]:
    """The files of MNIST that do not exist in the directory. (A damaged file is not missing: see `load_mnist`.)"""
    return [file for file in FILES if not (directory / file.name).exists()]


def download_mnist(
    directory: Path,
    files: Sequence[PinnedFile],
    *,
    on_bytes: Callable[[PinnedFile, int], object] = lambda file, total: None,
    mirrors: Sequence[str] = MIRRORS,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    session: requests.Session | None = None,
) -> None:
    """Download files into a directory. The directory is made if needed, and files of the same names are replaced.

    Files that a killed download left half-written are removed once they are an hour old. `on_bytes` is called with a
    file and the number of its bytes received so far. Raises DownloadError where no mirror sends a file, DataError where
    a file cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{directory}: the data directory cannot be made: {error.strerror}") from None
    remove_leftovers(directory, older_than=ABANDONED)
    for file in files:

        def report(total: int, file: PinnedFile = file) -> None:
            on_bytes(file, total)

        urls = [mirror + file.name for mirror in mirrors]
        try:
            content = fetch(urls, file.size, file.sha256, on_bytes=report, limits=limits, session=session)
        except DownloadError as error:
            raise DownloadError(f"{file.name} could not be downloaded: {error}") from None
        try:
            write_atomically(directory / file.name, content)
        except OSError as error:
            raise DataError(f"{directory / file.name}: cannot be written: {error.strerror}") from None


def load_mnist(directory: Path, split: Split) -> tuple[Pixels, Pixels]:
    """Verify the files of a split, and read its images (N, 28, 28) and labels (N,).

    Raises DataError where a file is missing or is not MNIST's.
    """
    for file in PAIRS[split]:
        path = directory / file.name
        if not path.exists():
            raise DataError(f"{path}: there is no such file; `nn download` fetches it")
        if not is_intact(directory, file):
            raise DataError(
                f"{path}: is not MNIST's file (its size or SHA-256 is wrong); `nn download` replaces it, "
                "or read it unverified with data.source: idx"
            )
    images, labels = PAIRS[split]
    return read_pair(directory / images.name, directory / labels.name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: list[str]) -> None:
    """Download the files that are missing or damaged in the directory named on the command line."""
    parser = Parser("data_scripts.mnist", "Download the files of MNIST that are missing or damaged in DIRECTORY.")
    parser.add_argument("directory", metavar="DIRECTORY", type=Path)
    directory: Path = parser.parse_args(arguments).directory
    wanted = [file for file in FILES if not is_intact(directory, file)]
    download_mnist(directory, wanted)
    fetched = f"({len(wanted)} of {len(FILES)} files fetched)"
    print(printable(f"{directory}: MNIST is there and intact {fetched}"))


if __name__ == "__main__":
    run(main)
