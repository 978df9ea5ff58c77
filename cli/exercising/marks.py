"""Marks as text and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..text import counted

if TYPE_CHECKING:
    from mnist_nn.exercises.marking import Mark
    from mnist_nn.exercises.sheet import Sheet

    from ..terminal import Terminal

VERDICTS = ("right", "follows", "wrong", "blank")
UNKNOWN = "no common slip gives this number"


@dataclass(frozen=True)
class Marked:
    """A sheet with the marks of its answers."""

    sheet: "Sheet"
    marks: "list[Mark]"

    def count(self, verdict: str) -> int:
        return sum(mark.verdict == verdict for mark in self.marks)

    @property
    def first_wrong(self) -> "Mark | None":
        """The first answer that is wrong by itself: where the student's work has to be put right."""
        return next((mark for mark in self.marks if mark.verdict == "wrong"), None)


def as_text(marked: Sequence[Marked], terminal: "Terminal") -> str:
    """Return a table of the sheets, and one of every answer that is not right."""
    rows = [["level", "seed", "student", *VERDICTS, "first wrong"]]
    for one in marked:
        sheet, first = one.sheet, one.first_wrong
        counts = [str(one.count(verdict)) for verdict in VERDICTS]
        rows.append([sheet.level.name, str(sheet.seed), str(sheet.student), *counts, _where(first)])
    lines = terminal.table(rows, "<>>>>>><", indent=0, cut=7)
    for one in marked:
        lines += _details(one, terminal)
    lines += ["", *terminal.wrap(_summary(marked))]
    return "\n".join(lines)


def _where(first: "Mark | None") -> str:
    return "" if first is None else first.question.key


def _details(one: Marked, terminal: "Terminal") -> list[str]:
    from mnist_nn.exercises.formula import number

    shown = [mark for mark in one.marks if mark.verdict in ("follows", "wrong")]
    if not shown:
        return []
    lines = ["", f"student {one.sheet.student}, level {one.sheet.level.name}"]
    rows = [
        [mark.question.key, number(mark.answer or 0.0), f"solution {number(mark.solution)}", mark.reason or UNKNOWN]
        for mark in shown
    ]
    return [*lines, *terminal.table(rows, "<>><", cut=3)]


def _summary(marked: Sequence[Marked]) -> str:
    total = {verdict: sum(one.count(verdict) for one in marked) for verdict in VERDICTS}
    return (
        f"{counted(len(marked), 'sheet')}: {total['right']:,} right, {total['follows']:,} right from an earlier wrong "
        f"answer, {total['wrong']:,} wrong, {total['blank']:,} blank"
    )


def as_document(marked: Sequence[Marked]) -> dict[str, Any]:
    """Return the document of `--check --json`. Its field names must not change: other programs read them."""
    return {"sheets": [_sheet(one) for one in marked]}


def _sheet(one: Marked) -> dict[str, Any]:
    first = one.first_wrong
    return {
        "level": one.sheet.level.name,
        "seed": one.sheet.seed,
        "student": one.sheet.student,
        **{verdict: one.count(verdict) for verdict in VERDICTS},
        "first_wrong": first and first.question.key,
        "answers": [
            {
                "question": mark.question.key,
                "answer": mark.answer,
                "solution": mark.solution,
                "mark": mark.verdict,
                "reason": mark.reason or None,
            }
            for mark in one.marks
        ],
    }
