"""`nn exercise`: sheets to work out by hand, with checked solutions, and the marking of answers."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..output_files import FILE

if TYPE_CHECKING:
    from mnist_nn.exercises.levels import Level

MOST_STUDENTS, LARGEST_SEED = 1000, 999_999_999  # also in a file of answers


def parse_level(_: click.Context, __: click.Parameter, value: str | None) -> "Level | None":
    """Return the level of this name or number. Raises BadParameter."""
    if value is None:
        return None
    from mnist_nn.exercises.levels import LEVELS
    from mnist_nn.exercises.sheet import find_level

    if level := find_level(value):
        return level
    levels = ", ".join(f"{level.number} {level.name}" for level in LEVELS)
    raise click.BadParameter(f"{value!r} is none of {levels}")


@click.command("exercise", short_help="Make sheets to work out by hand, with solutions.")
@click.argument("level", required=False, callback=parse_level)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=LARGEST_SEED),
    metavar="N",
    help="Another seed makes other sheets. The same seed makes the same sheets again. Default: 0.",
)
@click.option(
    "--students",
    type=click.IntRange(1, MOST_STUDENTS),
    metavar="N",
    help="Make a sheet of its own for each of N students. Default: 1.",
)
@click.option(
    "--out",
    type=FILE,
    metavar="DIR",
    help="Write sheets, solutions, answers.csv and moodle.xml into this new directory.",
)
@click.option("--solution", is_flag=True, help="Print the solution, not the sheet.")
@click.option(
    "--check",
    type=FILE,
    metavar="FILE",
    help="Mark the answers in this CSV file, and name the first factor that went wrong.",
)
@click.option("--json", "as_json", is_flag=True, help="Print sheets with solutions, or marks, as one JSON document.")
def exercise(
    level: "Level | None",
    seed: int | None,
    students: int | None,
    out: Path | None,
    solution: bool,
    check: Path | None,
    as_json: bool,
) -> None:
    """Make sheets to work out by hand, and mark the answers.

    Without --out one sheet is printed as Markdown. All neurons are sigmoids, as in the chapter, so students need a
    calculator. The given numbers have one or two digits. Every solution is confirmed by central differences before
    it is written.

    \b
    LEVEL is a name or a number. Default: forward.
      1 forward        z, a and C of one neuron
      2 derivatives    three factors, three derivatives of one neuron
      3 chain          1-1-1-1: all six entries of the gradient
      4 paths          two neurons in a layer: the sum over paths
      5 average        two examples, and the average
      6 step           one step downhill, and the cost after it

    \b
    nn exercise chain                                        one sheet
    nn exercise chain --solution                             its solution
    nn exercise chain --seed 7 --students 30 --out monday    for a class
    nn exercise --check monday/answers.csv                   mark the answers
    """
    if check is not None:
        chosen = {"LEVEL": level, "--seed": seed, "--students": students, "--out": out, "--solution": solution or None}
        if given := [name for name, value in chosen.items() if value is not None]:
            raise click.UsageError(
                f"--check and {given[0]} cannot be used together; the file says which sheets it is of"
            )
        _mark(check, as_json)
        return
    if out is not None and (solution or as_json):
        other = "--solution" if solution else "--json"
        raise click.UsageError(f"--out and {other} cannot be used together; --out writes the solutions too")
    if solution and as_json:
        raise click.UsageError("--solution and --json cannot be used together; --json holds the solutions")
    _make(level, seed or 0, students or 1, out, solution, as_json)


def _make(level: "Level | None", seed: int, students: int, out: Path | None, solution: bool, as_json: bool) -> None:
    from data_scripts.progress import progress_bar
    from mnist_nn.exercises.levels import LEVELS
    from mnist_nn.exercises.sheet import make_sheets

    from .files import refuse_existing, write_sheets
    from .markdown import sheet_as_markdown, solution_as_markdown

    if out is not None:
        refuse_existing(out)
    sheets = []
    with progress_bar(total=students, desc="sheets") as bar:
        for sheet in make_sheets(level or LEVELS[0], seed, students):
            sheets.append(sheet)
            bar.update(1)
    if out is not None:
        write_sheets(out, sheets)
    elif as_json:
        import json

        from .document import as_document

        click.echo(json.dumps(as_document(sheets), allow_nan=False, ensure_ascii=False))
    else:
        texts = [solution_as_markdown(sheet) if solution else sheet_as_markdown(sheet) for sheet in sheets]
        click.echo("\n---\n\n".join(texts), nl=False)


def _mark(check: Path, as_json: bool) -> None:
    from mnist_nn.exercises.levels import LEVELS
    from mnist_nn.exercises.marking import mark
    from mnist_nn.exercises.sheet import make_sheets

    from .answers import read_answers
    from .marks import Marked, as_document, as_text

    answered = read_answers(check)
    last: dict[tuple[int, int], int] = {}  # the last student by level and seed
    for one in answered:
        group = (one.level.number, one.seed)
        last[group] = max(last.get(group, 0), one.student)
    sheets = {
        (number, seed, sheet.student): sheet
        for (number, seed), students in last.items()
        for sheet in make_sheets(LEVELS[number - 1], seed, students)
    }
    marked = []
    for one in answered:
        sheet = sheets[one.level.number, one.seed, one.student]
        marked.append(Marked(sheet, mark(sheet, one.answers)))
    if as_json:
        import json

        click.echo(json.dumps(as_document(marked), allow_nan=False, ensure_ascii=False))
    else:
        from ..terminal import Terminal

        click.echo(as_text(marked, Terminal.from_stdout()))
