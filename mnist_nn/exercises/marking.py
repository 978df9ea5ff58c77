"""Answers marked: right, right from an earlier wrong answer, or wrong, with the first factor that went wrong.

A wrong answer is compared with what the common slips give. They are tried with the right numbers, then with the
student's own earlier answers, then in questions that the student left blank.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from .formula import Formula, Values
from .problem import tolerance
from .questions import Question
from .sheet import Sheet

Verdict = Literal["right", "follows", "wrong", "blank"]


@dataclass(frozen=True)
class Mark:
    """The mark of one answer. `follows` is right if the student's earlier wrong answer is taken for granted.

    `reason` says which slip gives this number, or which earlier answer it follows from. It is empty if none is known.
    """

    question: Question
    answer: float | None
    solution: float
    verdict: Verdict
    reason: str = ""


def mark(sheet: Sheet, answers: Mapping[str, float]) -> list[Mark]:
    """The mark of every question of a sheet. `answers` has the answers by key; a missing one is blank."""
    marks: dict[str, Mark] = {}
    for question in sheet.level.questions:
        answer, solution = answers.get(question.key), sheet.answer(question)
        if answer is None:
            marks[question.key] = Mark(question, None, solution, "blank")
        elif _fits(answer, solution):
            marks[question.key] = Mark(question, answer, solution, "right")
        else:
            verdict, reason = _explain(sheet, question, answer, answers, marks)
            marks[question.key] = Mark(question, answer, solution, verdict, reason)
    return list(marks.values())


def _fits(answer: float, value: float) -> bool:
    return abs(answer - value) <= tolerance(value)


def _explain(
    sheet: Sheet, question: Question, answer: float, answers: Mapping[str, float], marks: Mapping[str, Mark]
) -> tuple[Verdict, str]:
    """Why an answer is not right: it follows from an earlier answer, or a slip gives it, or nothing is known."""
    own = _own_values(sheet, answers)
    earlier = _wrong_before(sheet, question, own, marks)
    from_earlier = f"follows from your {' and '.join(earlier)}"
    if earlier and _fits(answer, question.formula.value(own)):
        return "follows", from_earlier
    true = _true_values(sheet)
    if reasons := [slip.reason for slip in question.formula.slips if _fits(answer, slip.formula.value(true))]:
        return "wrong", _either(reasons)
    if earlier:
        reasons = [slip.reason for slip in question.formula.slips if _fits(answer, slip.formula.value(own))]
        if reasons:
            return "wrong", f"{_either(reasons)}; the rest {from_earlier}"
    right = {key: true[key] for key in answers}
    for base in (answers, right):
        if reasons := list(_slips_in_blanks(sheet, question, answer, base)):
            return "wrong", _either(reasons)
    return "wrong", ""


def _either(reasons: list[str]) -> str:
    return ", or ".join(dict.fromkeys(reasons))


def _true_values(sheet: Sheet) -> dict[str, float]:
    """The given numbers and the right answers."""
    return sheet.problem.given | {question.key: sheet.answer(question) for question in sheet.level.questions}


def _own_values(
    sheet: Sheet, answers: Mapping[str, float], changed: Question | None = None, formula: Formula | None = None
) -> dict[str, float]:
    """The given numbers, the student's answers, and for a blank what follows from the answers before it.

    The value of the question `changed` is computed by `formula`.
    """
    values = sheet.problem.given
    for question in sheet.level.questions:
        answer = answers.get(question.key)
        if question is changed and formula is not None:
            answer = formula.value(values)
        values[question.key] = question.formula.value(values) if answer is None else answer
    return values


def _wrong_before(sheet: Sheet, question: Question, own: Values, marks: Mapping[str, Mark]) -> list[str]:
    """The names of the answers, not right, that a formula uses: directly, or through questions left blank."""
    questions = {other.key: other for other in sheet.level.questions}
    names: dict[str, None] = {}
    for quantity in question.formula.used(own):
        earlier = marks.get(quantity.key)
        if earlier is not None and earlier.verdict == "blank":
            names |= dict.fromkeys(_wrong_before(sheet, questions[quantity.key], own, marks))
        elif earlier is not None and earlier.verdict != "right":
            names[quantity.full_text] = None
    return list(names)


def _slips_in_blanks(sheet: Sheet, question: Question, answer: float, answers: Mapping[str, float]) -> Iterator[str]:
    """Yield the slips that lead to the answer, in the nearest blank question before this one that has any."""
    before = sheet.level.questions[: sheet.level.questions.index(question)]
    for blank in reversed([other for other in before if other.key not in answers]):
        found = False
        for slip in blank.formula.slips:
            values = _own_values(sheet, answers, blank, slip.formula)
            if _fits(answer, question.formula.value(values)):
                found = True
                yield f"{slip.reason}, in {blank.quantity.full_text}"
        if found:
            return
