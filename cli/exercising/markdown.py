"""Sheets and solutions as Markdown that is also easy to read as it is, with the names of `nn inspect-gradients`."""

from mnist_nn.exercises.levels import LEVELS
from mnist_nn.exercises.quantity import Expression
from mnist_nn.exercises.questions import Question
from mnist_nn.exercises.sheet import Sheet

from .wording import (
    ACCURACY,
    ROUNDING,
    deepest_weight,
    definitions,
    given,
    network_name,
    origin,
    solution_rows,
    title,
)

BLANK = "_" * 12


def as_text(expression: Expression) -> str:
    """Return an expression with plain names, such as σ′(z(1)) · ∂C/∂a(1)."""
    return "".join(part if isinstance(part, str) else part.text for part in expression)


def sheet_as_markdown(sheet: Sheet) -> str:
    """Return the sheet of one student, without answers."""
    lines = [*_head(sheet, ""), "", "Name: " + "_" * 32, "", sheet.level.task, "", ROUNDING, "", *_given(sheet), ""]
    lines += ["```", *definitions(sheet), "```"]
    for part, questions in sheet.parts():
        width = max(len(question.quantity.text) for _, question in questions)
        lines += ["", f"## {part}", "", "```"]
        lines += [f"{n:2}.  {question.quantity.text:<{width}} = {BLANK}    {question.key}" for n, question in questions]
        lines.append("```")
    lines += ["", "The word on the right is the question's name in `answers.csv`."]
    return "\n".join(lines) + "\n"


def solution_as_markdown(sheet: Sheet, configuration: str | None = None) -> str:
    """Return the solution of a sheet. `configuration` is the name of its configuration file, if there is one."""
    lines = [*_head(sheet, "Solution: "), "", *_given(sheet)]
    for part, questions in sheet.parts():
        lines += ["", f"## {part}", "", "```"]
        for n, question in questions:
            lines += [*_solution(sheet, n, question), ""]
        lines[-1] = "```"
    lines += ["", ACCURACY]
    if configuration:
        lines += ["", *_explore(sheet, configuration)]
    return "\n".join(lines) + "\n"


def _head(sheet: Sheet, before: str) -> list[str]:
    level = sheet.level
    place = f"Level {level.number} of {len(LEVELS)}, network {network_name(sheet)}. `{origin(sheet)}`"
    return [f"# {before}{title(sheet)}", "", place]


def _given(sheet: Sheet) -> list[str]:
    return [f"- {of}: " + ", ".join(f"`{as_text(written)}`" for written in numbers) for of, numbers in given(sheet)]


def _solution(sheet: Sheet, n: int, question: Question) -> list[str]:
    left = f"{n:2}.  {question.quantity.text}"
    first, *rest = [" = ".join(map(as_text, row)) for row in solution_rows(sheet, question)]
    return [f"{left} = {first}", *(f"{'':{len(left)}} = {row}" for row in rest)]


def _explore(sheet: Sheet, configuration: str) -> list[str]:
    commands = [f"nn inspect-gradients {configuration} --init {deepest_weight(sheet)}"]
    if sheet.level.steps:
        commands.append(f"nn train {configuration}")
    return ["The same network in the terminal:", "", "```", *commands, "```"]
