"""`nn export`: a trained network as a file for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..completion import complete_run
from ..output_files import write_file
from ..text import note, printable
from .formats import PLACE, find_format

if TYPE_CHECKING:
    from mnist_nn.runs.checkpoint import Checkpoint
    from mnist_nn.runs.run_directory import RunDirectory


@click.command("export", short_help="Write a network as a file for other programs.")
@click.argument("names", nargs=-1, metavar="[RUN] FILE", shell_complete=complete_run)
@click.option(
    "--checkpoint", type=click.Choice(["best", "last"]), help="Export this checkpoint of the run. Default: best."
)
def export(names: tuple[str, ...], checkpoint: Literal["best", "last"] | None) -> None:
    """Write a trained network as a file for other programs, and print the Python program that uses it.

    RUN is a run directory or a checkpoint file. Default: the newest run under runs/ that did not diverge. The ending
    of FILE says what is written:

    \b
    .onnx          the whole way from images to outputs, for onnxruntime and
                   others; needs the package onnx: pip install 'mnist-nn[onnx]'
    .safetensors   the parameters, named as torch.nn.Sequential names them
    .npz           the parameters as NumPy arrays w1, b1, … wL, bL

    Each file says where the network comes from. A file that this command did not write is never replaced.

    \b
    nn export network.onnx                         the newest run
    nn export runs/a network.onnx --checkpoint last
    nn export runs/a network.safetensors > use.py  also keep the program
    """
    run, file = _run_and_file(names)
    kind = find_format(file)
    from mnist_nn import load_checkpoint

    from ..evaluating.members import holds_runs
    from ..runs import find_checkpoint, shell_quoted

    if run is not None and holds_runs(Path(run)):
        listing = f"nn runs {shell_quoted(Path(run))} --sort -accuracy"
        raise click.UsageError(f"{run}: holds several runs; name one of those that `{listing}` lists")
    path = find_checkpoint(run, checkpoint)
    loaded = load_checkpoint(path)
    facts = _facts(path, loaded)
    content, checks = kind.build(loaded, facts, file)
    write_file(PLACE, file, content)
    where = f"epoch {facts['epoch']} of {facts['run']} ({path.stem})" if "run" in facts else printable(path.name)
    note(f"network  {facts['sizes']}, {where}")
    note(f"written  {printable(str(file))} ({len(content):,} bytes)")
    for name, check in checks:
        note(f"{name:<8} {check}")
    if loaded.config.data.deslant:
        inside = file.suffix.lower() == ".onnx"
        note(
            f"deslant  {'inside the graph, to the same pixels as nn' if inside else 'not in the file: see the program'}"
        )
    note("")
    click.echo(kind.program(loaded.config, file))


def _run_and_file(names: tuple[str, ...]) -> tuple[str | None, Path]:
    """Split the arguments. Raises UsageError if FILE is missing."""
    if not names:
        raise click.UsageError("FILE is missing: name a file that ends in .onnx, .safetensors or .npz")
    if len(names) > 2:
        raise click.UsageError(f"{names[2]}: is one name too many; give RUN and FILE")
    *run, file = names
    if not run and (Path(file) / "run.json").exists():
        raise click.UsageError(f"FILE is missing: {file} is a run; name a file after it, such as network.onnx")
    return (run[0] if run else None), Path(file)


def _facts(path: Path, loaded: "Checkpoint") -> dict[str, str]:
    """Return what the file says about the network. Damaged files of the run cost only what they would add."""
    from importlib.metadata import version

    from mnist_nn.errors import RunError
    from mnist_nn.exporting.facts import describe_network

    try:
        return describe_network(loaded, _run_of(path), version("mnist-nn"))
    except RunError as error:
        note(f"{printable(str(error))}; recipe and measurements are left out of the file")
        return describe_network(loaded, None, version("mnist-nn"))


def _run_of(path: Path) -> "RunDirectory | None":
    """Return the run that a checkpoint or a snapshot belongs to, or None."""
    from mnist_nn.runs.run_directory import RunDirectory

    absolute = path.absolute()
    directory = RunDirectory(absolute.parent.parent)
    return directory if absolute.parent.name in ("checkpoints", "snapshots") and directory.exists else None
