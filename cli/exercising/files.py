"""The directory of --out: sheets and solutions apart, and what goes with them. It is written whole or not at all."""

from pathlib import Path

import click

from mnist_nn.exercises.sheet import Sheet

from ..text import counted, note, printable
from .answers import empty_answers
from .configuration_file import as_configuration
from .markdown import sheet_as_markdown, solution_as_markdown
from .moodle import as_moodle
from .page import as_page, sheet_article, solution_article
from .wording import title

OPTION = "--out"


def refuse_existing(path: Path) -> None:
    """Raise UsageError if there is something at the path. Sheets never replace anything."""
    if path.exists() or path.is_symlink():
        raise click.UsageError(f"{OPTION} {path}: already exists and is never overwritten; choose a new directory")


def write_sheets(path: Path, sheets: list[Sheet]) -> None:
    """Write all files of a class into a new directory, and say what they are.

    Raises ClickException with the reason if it cannot be written.
    """
    from data_scripts.files import create_directory

    try:
        with create_directory(path) as directory:
            for name, content in all_files(sheets).items():
                file = directory / name
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(content.encode("utf-8"))
    except OSError as error:
        raise click.ClickException(
            f"{OPTION} {path}: cannot be written: {error.strerror or error}; choose another directory"
        ) from None
    shown = printable(str(path))
    note(f"{counted(len(sheets), 'sheet')} written to {shown}: print {shown}/sheets.html, keep {shown}/solutions.html")
    note(f"to mark answers, fill in {shown}/answers.csv: nn exercise --check {shown}/answers.csv")


def all_files(sheets: list[Sheet]) -> dict[str, str]:
    """Return the content of every file by its name."""
    level = sheets[0].level
    width = max(2, len(str(len(sheets))))
    files = {"answers.csv": empty_answers(sheets), "moodle.xml": as_moodle(sheets)}
    articles, solutions = [], []
    for sheet in sheets:
        number = f"{sheet.student:0{width}}"
        configuration = f"sheet-{number}.yaml"
        article, solution = sheet_article(sheet), solution_article(sheet, configuration)
        articles.append(article)
        solutions.append(solution)
        files |= {
            f"sheets/sheet-{number}.md": sheet_as_markdown(sheet),
            f"sheets/sheet-{number}.html": as_page(title(sheet), [article]),
            f"solutions/solution-{number}.md": solution_as_markdown(sheet, configuration),
            f"solutions/solution-{number}.html": as_page(f"Solution: {title(sheet)}", [solution]),
            f"solutions/{configuration}": as_configuration(sheet),
        }
    files["sheets.html"] = as_page(f"{level.title}: all sheets", articles)
    files["solutions.html"] = as_page(f"{level.title}: all solutions", solutions)
    return files
