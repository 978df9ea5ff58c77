"""`nn plot`: training, sweeps, confusion and weights as pictures, or as charts in the terminal."""

from pathlib import Path
from typing import Literal

import click

from ..completion import complete_run
from ..output_files import FILE
from .picture_file import check_picture, write_picture


@click.command("plot", short_help="Draw training, a sweep, confusion or weights.")
@click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=complete_run)
@click.option(
    "--show",
    type=click.Choice(["training", "sweep", "confusion", "weights"]),
    help="Draw this. Default: training, and for the directory of a sweep the sweep.",
)
@click.option(
    "--out",
    "-o",
    metavar="FILE",
    type=FILE,
    help="Write a picture, PNG, SVG or PDF by the ending of its name. Default: a chart in the terminal.",
)
@click.option(
    "--size",
    type=click.Choice(["slide", "column"]),
    help="Make the picture for a slide (16:9) or for a column of a paper (3.4 inches). Default: slide.",
)
@click.option(
    "--data-dir",
    metavar="DIR",
    help="Read the data files for the confusion matrix from this directory. "
    "Default: the run's data.dir, else $NN_DATA_DIR, else the user's cache.",
)
def plot(
    runs: tuple[str, ...],
    show: Literal["training", "sweep", "confusion", "weights"] | None,
    out: Path | None,
    size: Literal["slide", "column"] | None,
    data_dir: str | None,
) -> None:
    """Draw training, a sweep, the confusion matrix or the first layer's weights.

    RUN is a run directory, or a directory that holds runs. Default: the newest run under runs/ that did not diverge.
    Runs that differ in the seed alone are drawn as their mean, with a band of one standard deviation.

    \b
    nn plot                                       the newest run, in the terminal
    nn plot --out training.png                    the same as a picture
    nn plot runs --out all.svg --size column      all runs, overlaid
    nn plot sweeps/rates --out sweep.pdf          accuracy against the swept key
    nn plot --show confusion --out confusion.png
    """
    if out is None and size is not None:
        raise click.UsageError(f"--size {size}: is the size of a picture; add --out FILE.png, .svg or .pdf")
    if data_dir is not None and show != "confusion":
        raise click.UsageError("--data-dir: only the confusion matrix needs data; add --show confusion")
    if out is not None:
        check_picture(out)
    from ..terminal import Terminal
    from .drawings import drawing_of

    drawing = drawing_of(show, runs, data_dir)
    if out is None:
        click.echo("\n".join(drawing.lines(Terminal.from_stdout())))
    else:
        from .style import SIZES

        write_picture(out, SIZES[size or "slide"], drawing.figure)
