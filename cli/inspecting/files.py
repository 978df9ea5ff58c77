"""The files that `nn inspect-gradients` writes where asked to: the gradient, and the page."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..output_files import refuse_directory, refuse_other_file, write_file
from ..text import printable

if TYPE_CHECKING:
    from mnist_nn import Examples

    from .report import Report

MAX_PARAMETERS = 1_000_000  # of a network that fits a page
MAX_EXAMPLES = 500


def check_files(save: Path | None, html: Path | None, parameters: int, examples: int) -> None:
    """Raise UsageError where a file must not be written, before anything is computed."""
    from .page_file import MARK

    for option, path in (("--save", save), ("--html", html)):
        if path is not None:
            refuse_directory(option, path)
    if save is not None and save.exists():
        raise click.UsageError(f"--save {save}: exists already, and is not written over; choose another name")
    if html is None:
        return
    if save is not None and html.absolute() == save.absolute():
        raise click.UsageError(f"--save and --html both name {html}; choose two names")
    refuse_other_file("--html", html, MARK, "page")
    if parameters > MAX_PARAMETERS:
        raise click.UsageError(
            f"--html {html}: the page holds the whole network, at most {MAX_PARAMETERS:,} parameters, "
            f"not {parameters:,}"
        )
    if examples > MAX_EXAMPLES:
        raise click.UsageError(f"--html {html}: the page holds at most {MAX_EXAMPLES} examples; use a smaller --batch")


def write_files(save: Path | None, html: Path | None, report: "Report", examples: "Examples") -> list[str]:
    """Write those that are asked for; the page with the first of these examples to pick from. Returns what to say."""
    said = []
    if save is not None:
        from safetensors.numpy import save as as_safetensors

        from mnist_nn.runs.checkpoint import named_tensors

        gradient = report.inspection.gradient
        write_file("--save", save, as_safetensors(named_tensors(gradient.dC_dw, gradient.dC_db)))
        said.append(f"gradient written to {printable(str(save))}")
    if html is not None:
        from .page_file import page

        content = page(report, examples)
        write_file("--html", html, content)
        said.append(f"page written to {printable(str(html))} ({len(content) / 1e6:.1f} MB); open it in a browser")
    return said
