"""The files of --save and --html: the gradient, and the page."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..output_files import refuse_directory, refuse_other_file, write_file
from ..text import note, printable

if TYPE_CHECKING:
    from mnist_nn import Examples
    from mnist_nn.page.history import History
    from mnist_nn.page.report import Report

    from .choices import Subject

MAX_PARAMETERS = 2_500_000  # of a network on a page
MAX_EXAMPLES = 500  # on a page


def check_files(save: Path | None, html: Path | None, parameters: int, examples: int, *, networks: int = 1) -> None:
    """Check, before anything is computed, that the files may be written. Raises UsageError.

    The page holds so many `networks` of so many `parameters`.
    """
    from mnist_nn.page.file import MARK

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
    if networks == 2 and 2 * parameters > MAX_PARAMETERS:
        raise click.UsageError(
            f"--html {html}: a page holds two networks of at most {MAX_PARAMETERS // 2:,} parameters each, "
            f"but these have {parameters:,}; name one RUN"
        )
    if parameters > MAX_PARAMETERS:
        raise click.UsageError(
            f"--html {html}: a page holds a network of at most {MAX_PARAMETERS:,} parameters, "
            f"but this network has {parameters:,}"
        )
    if examples > MAX_EXAMPLES:
        raise click.UsageError(f"--html {html}: a page holds at most {MAX_EXAMPLES} examples; use a smaller --batch")


def write_files(
    save: Path | None,
    html: Path | None,
    report: "Report",
    examples: "Examples",
    subject: "Subject",
    compared: "Subject | None" = None,
) -> list[str]:
    """Write the files of --save and --html. Returns a message for each written file.

    `examples` is the whole split. The first examples can be picked on the page, which also replays the training of the
    subject. With a subject that it is `compared` with, the page shows both side by side.
    """
    messages = []
    if save is not None:
        from safetensors.numpy import save as as_safetensors

        from mnist_nn.runs.checkpoint import named_tensors

        gradient = report.inspection.gradient
        write_file("--save", save, as_safetensors(named_tensors(gradient.dC_dw, gradient.dC_db)))
        messages.append(f"gradient written to {printable(str(save))}")
    if html is not None:
        from mnist_nn.page.data import Other
        from mnist_nn.page.file import render_page

        from ..terminal import Terminal
        from .text import as_text

        other = None
        if compared is not None:
            other = Other(compared.name, compared.checkpoint, _history(compared))
        content = render_page(report, examples, _history(subject), other, text=as_text(report, Terminal()))
        write_file("--html", html, content)
        messages.append(f"page written to {printable(str(html))} ({len(content) / 1e6:.1f} MB); open it in a browser")
    return messages


def _history(subject: "Subject") -> "History":
    """Return the training behind the subject. Without its metrics, if they are damaged."""
    from mnist_nn.errors import RunError
    from mnist_nn.page.history import read_history

    try:
        return read_history(subject.checkpoint, subject.directory)
    except RunError as error:
        note(f"{printable(str(error))}; the page leaves out the training")
        return read_history(subject.checkpoint, None)
