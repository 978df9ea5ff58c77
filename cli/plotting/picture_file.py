"""A picture as a PNG, SVG or PDF file, by its name. Only files that `nn plot` wrote before are replaced."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..output_files import refuse_other_file, write_file
from ..text import note, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .style import Size

OPTION = "--out"
WRITER = "nn plot"
# For each kind of file: what matplotlib writes about it, and the mark by which this command knows its own files.
METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": WRITER},
    ".svg": {"Creator": WRITER, "Date": None},
    ".pdf": {"Creator": WRITER, "CreationDate": None},
}
MARKS = {
    ".png": b"tEXtSoftware\0nn plot",
    ".svg": b"<dc:title>nn plot</dc:title>",
    ".pdf": b"/Creator (nn plot)",  # near the end of the file
}
LARGEST_PDF = 64 << 20  # bytes that are searched for the mark


def check_picture(path: Path) -> None:
    """Raise UsageError if the name has another ending, or if `path` is a file that this command did not write."""
    ending = path.suffix.lower()
    if ending not in MARKS:
        raise click.UsageError(f"{OPTION} {path}: must end in .png, .svg or .pdf, which says what is written")
    refuse_other_file(OPTION, path, MARKS[ending], within=LARGEST_PDF if ending == ".pdf" else 1000)


def write_picture(path: Path, size: "Size", draw: "Callable[[Size], Figure]") -> None:
    """Draw a figure and write it whole, or not at all. Print the path and the size."""
    from .style import drawing

    ending, content = path.suffix.lower(), io.BytesIO()
    with drawing(size):
        figure = draw(size)
        figure.savefig(content, format=ending[1:], metadata=METADATA[ending])
    write_file(OPTION, path, content.getvalue())
    width, height = figure.get_size_inches()
    extent = (
        f"{round(width * size.dpi)} × {round(height * size.dpi)} pixels"
        if ending == ".png"
        else f"{width:.1f} × {height:.1f} inches"
    )
    note(f"picture written to {printable(str(path))} ({extent})")
