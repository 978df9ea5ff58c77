"""`nn download`: fetch and verify MNIST."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from data_scripts.mnist import PinnedFile

WAYS_ON = (
    "`nn train quickstart` needs no download, and --data-dir DIR (or NN_DATA_DIR) takes files that you already have"
)


@click.command(short_help="Fetch MNIST and verify it.")
@click.option("--data-dir", metavar="DIR", help="Where to put the files. Default: $NN_DATA_DIR, else the user's cache.")
def download(data_dir: str | None) -> None:
    """Fetch MNIST (11 MB) and verify it.

    Files that are there and intact are left alone; missing and damaged ones are fetched over HTTPS.
    """
    from data_scripts.mnist import FILES, is_intact

    from .digits import data_directory

    directory = data_directory(data_dir)
    wanted = [file for file in FILES if not is_intact(directory, file)]
    if not wanted:
        click.echo(f"MNIST is in {directory}, intact; nothing to do.")
        return
    _fetch(directory, wanted)
    click.echo(f"MNIST is in {directory}, verified ({len(wanted)} of {len(FILES)} files fetched).")


def fetch_missing(directory: Path) -> None:
    """Fetch the files of MNIST that are not in the directory. Raises DataError, which names the ways on."""
    from data_scripts.mnist import missing_files

    if wanted := missing_files(directory):
        _fetch(directory, wanted)


def _fetch(directory: Path, wanted: list["PinnedFile"]) -> None:
    from tqdm import tqdm

    from data_scripts.errors import DownloadError
    from data_scripts.mnist import download_mnist

    click.echo(f"downloading MNIST into {directory}", err=True)
    done = {file.name: 0 for file in wanted}
    total = sum(file.size for file in wanted)
    with tqdm(
        total=total,
        unit="B",
        unit_scale=True,
        leave=False,
        dynamic_ncols=True,
        disable=not sys.stderr.isatty(),
    ) as bar:

        def on_bytes(file: "PinnedFile", received: int) -> None:
            done[file.name] = min(received, file.size)
            bar.update(sum(done.values()) - bar.n)

        try:
            download_mnist(directory, wanted, on_bytes=on_bytes)
        except DownloadError as error:
            raise DownloadError(f"{error}; {WAYS_ON}") from None
