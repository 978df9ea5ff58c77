"""The files of --save and --html: the gradient, and the page."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..output_files import refuse_directory, refuse_other_file, write_file
from ..text import printable

if TYPE_CHECKING:
    from mnist_nn import Examples

    from .choices import Subject
    from .report import Report

MAX_PARAMETERS = 2_500_000  # of a network on a page
MAX_EXAMPLES = 500  # on a page


def check_files(save: Path | None, html: Path | None, parameters: int, examples: int) -> None:
    """Check, before anything is computed, that the files may be written. Raises UsageError."""
    from .page_file import MARK

    for option, path in (("--save", save), ("--html", html)):
        if path is not None:
            refuse_directory(option, path)
    if save is not None and save.exists():
        raise click.UsageError(f"--save {save}: already exists and is never overwritten; choose another name")
    if html is None:
        return
    if save is not None and html.absolute() == save.absolute():
        raise click.UsageError(f"--save and --html both name {html}; choose two names")
    refuse_other_file("--html", html, MARK)
    if parameters > MAX_PARAMETERS:
        raise click.UsageError(
            f"--html {html}: a page holds a network of at most {MAX_PARAMETERS:,} parameters, "
            f"but this network has {parameters:,}"
        )
    if examples > MAX_EXAMPLES:
        raise click.UsageError(f"--html {html}: a page holds at most {MAX_EXAMPLES} examples; use a smaller --batch")


def write_files(
    save: Path | None, html: Path | None, report: "Report", examples: "Examples", subject: "Subject"
) -> list[str]:
    """Write the files of --save and --html. Returns a message for each written file.

    `examples` is the whole split. The first examples can be picked on the page, which also replays the training of the
    subject.
    """
    messages = []
    if save is not None:
        from safetensors.numpy import save as as_safetensors

        from mnist_nn.runs.checkpoint import named_tensors

        gradient = report.inspection.gradient
        write_file("--save", save, as_safetensors(named_tensors(gradient.dC_dw, gradient.dC_db)))
        messages.append(f"gradient written to {printable(str(save))}")
    if html is not None:
        from .history import read_history
        from .page_file import render_page

        content = render_page(report, examples, read_history(subject.checkpoint, subject.directory))
        write_file("--html", html, content)
        messages.append(f"page written to {printable(str(html))} ({len(content) / 1e6:.1f} MB); open it in a browser")
    return messages
