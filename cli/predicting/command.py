"""`nn predict`: read the digits on pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..completion import complete_run
from ..output_files import FILE
from ..text import note, printable

if TYPE_CHECKING:
    from .reader import Reader, ReadPicture


@click.command(short_help="Read the digits on your own pictures.")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", type=FILE)
@click.option(
    "--run",
    metavar="RUN",
    shell_complete=complete_run,
    help="Read with this run or checkpoint file. Default: the newest run under runs/ that did not diverge.",
)
@click.option(
    "--checkpoint", type=click.Choice(["best", "last"]), help="Use this checkpoint of the run. Default: best."
)
@click.option("--seen", metavar="FILE.png", type=FILE, help="Draw what the network saw of each digit.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def predict(
    images: tuple[Path, ...],
    run: str | None,
    checkpoint: Literal["best", "last"] | None,
    seen: Path | None,
    as_json: bool,
) -> None:
    """Read the digits on pictures: photographs, scans, screenshots.

    Each digit is found, and prepared by MNIST's own recipe. You see what the network saw, its ten outputs, and whether
    the answer is doubtful. A picture of several digits is read in rows. A picture of 28 × 28 pixels is taken as it is.

    \b
    nn predict seven.jpg                      show what the network saw
    nn predict *.jpg                          a line for each picture
    nn predict sheet.png --seen seen.png      also draw all digits as they were seen
    nn predict seven.jpg --run runs/a --json
    """
    from mnist_nn import load_checkpoint

    from ..runs import find_checkpoint
    from ..sheet import check_sheet
    from .reader import Reader

    if seen is not None:
        check_sheet("--seen", seen)
    path = find_checkpoint(run, checkpoint)
    reader = Reader(path, load_checkpoint(path))
    pictures, failures = _read(images, reader, alone=len(images) == 1, quiet=as_json)
    if seen is not None:
        _draw(seen, pictures)
    if as_json:
        import json

        from .document import as_document

        click.echo(json.dumps(as_document(path, pictures, failures)))
    if failures:
        raise click.exceptions.Exit(1)


def _read(
    images: tuple[Path, ...], reader: "Reader", *, alone: bool, quiet: bool
) -> "tuple[list[ReadPicture], dict[Path, str]]":
    """Read all pictures, and print what was read unless `quiet`. One of several that cannot be read is only named."""
    from data_scripts.progress import progress_bar

    from ..terminal import Terminal
    from .files import PictureError
    from .text import picture_as_line, picture_as_text

    pictures: list[ReadPicture] = []
    failures: dict[Path, str] = {}
    with progress_bar(quiet=alone, total=len(images), unit=" pictures") as bar:
        for image in images:
            try:
                read = reader.read(image)
            except PictureError as error:
                if alone:
                    raise
                failures[image] = error.format_message()
                bar.clear()
                note(printable(error.format_message()))
            else:
                pictures.append(read)
                if not quiet:
                    bar.clear()
                    click.echo(picture_as_text(read, Terminal.from_stdout()) if alone else picture_as_line(read))
            bar.update()
    return pictures, failures


def _draw(path: Path, pictures: "list[ReadPicture]") -> None:
    """Write a sheet of the digits as the network saw them, each with its answer, and a ? where that is doubtful."""
    from ..misread import MAX_DIGITS
    from ..sheet import Captioned, write_sheet
    from .text import all_rows

    rows = all_rows(pictures)
    digits = sum(map(len, rows))
    if not digits:
        note("no digit was found; no sheet is written")
        return
    if digits > MAX_DIGITS:
        note(f"drawing only the first {MAX_DIGITS} of {digits:,} digits")
    sheet, left = [], MAX_DIGITS
    for row in rows:
        for start in range(0, min(len(row), left), 20):
            part = row[start : start + min(20, left)]
            sheet.append([Captioned(each.image, f"{each.answer}{'?' if each.doubt else ''}") for each in part])
            left -= len(part)
    write_sheet("--seen", path, sheet)
