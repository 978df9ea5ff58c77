"""Sheets with their solutions as JSON."""

from collections.abc import Sequence
from typing import Any

from mnist_nn.exercises.problem import tolerance
from mnist_nn.exercises.questions import Question
from mnist_nn.exercises.sheet import Sheet

from .markdown import as_text
from .wording import solution_rows


def as_document(sheets: Sequence[Sheet]) -> dict[str, Any]:
    """Return the document of `--json`. Its field names must not change: other programs read them."""
    return {"sheets": [_sheet(sheet) for sheet in sheets]}


def _sheet(sheet: Sheet) -> dict[str, Any]:
    return {
        "level": sheet.level.name,
        "seed": sheet.seed,
        "student": sheet.student,
        "sizes": list(sheet.level.sizes),
        "given": sheet.problem.given,
        "questions": [_question(sheet, question) for question in sheet.level.questions],
    }


def _question(sheet: Sheet, question: Question) -> dict[str, Any]:
    values = sheet.solution.values
    return {
        "question": question.key,
        "name": question.quantity.full_text,
        "answer": sheet.answer(question),
        "tolerance": tolerance(sheet.answer(question)),
        "terms": [[factor.value(values) for factor in term.factors] for term in question.formula.terms],
        "steps": [" = ".join(map(as_text, row)) for row in solution_rows(sheet, question)],
    }
