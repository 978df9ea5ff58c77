"""Download of MNIST with a progress bar."""

from pathlib import Path
from typing import TYPE_CHECKING

from .text import note, printable

if TYPE_CHECKING:
    from data_scripts.mnist import PinnedFile

ALTERNATIVES = (
    "`nn train quickstart` needs no download; if you already have the files, use --data-dir DIR or NN_DATA_DIR"
)


def fetch(directory: Path, wanted: list["PinnedFile"]) -> None:
    """Download the `wanted` files of MNIST into `directory`. Raises DownloadError, which names alternatives."""
    from data_scripts.errors import DownloadError
    from data_scripts.mnist import download_mnist
    from data_scripts.progress import progress_bar

    note(f"downloading MNIST into {printable(str(directory))}")
    done = {file.name: 0 for file in wanted}
    total = sum(file.size for file in wanted)
    with progress_bar(total=total, unit="B", unit_scale=True) as bar:

        def on_bytes(file: "PinnedFile", received: int) -> None:
            done[file.name] = min(received, file.size)
            bar.update(sum(done.values()) - bar.n)

        try:
            download_mnist(directory, wanted, on_bytes=on_bytes)
        except DownloadError as error:
            raise DownloadError(f"{error}; {ALTERNATIVES}") from None
