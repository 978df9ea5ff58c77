"""`nn download`: download and verify MNIST."""

import click


@click.command(short_help="Download MNIST and verify it.")
@click.option("--data-dir", metavar="DIR", help="Put the files here. Default: $NN_DATA_DIR, else the user's cache.")
def download(data_dir: str | None) -> None:
    """Download MNIST (11 MB) and verify it.

    Intact files are kept. Missing and damaged files are downloaded over HTTPS.
    """
    from data_scripts.mnist import FILES, is_intact

    from .data_directory import data_directory
    from .fetching import fetch

    directory = data_directory(data_dir)
    wanted = [file for file in FILES if not is_intact(directory, file)]
    if not wanted:
        click.echo(f"MNIST is in {directory}, intact; nothing to do.")
        return
    fetch(directory, wanted)
    click.echo(f"MNIST is in {directory}, verified ({len(wanted)} of {len(FILES)} files fetched).")
