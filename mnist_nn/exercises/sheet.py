"""A sheet: one student's problem of a level, with its checked solution."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from .levels import LEVELS, Level
from .problem import Problem, problems
from .questions import Question
from .solution import Solution, solve


@dataclass(frozen=True)
class Sheet:
    """The sheet of one student. The same level, seed and student give the same sheet."""

    level: Level
    seed: int
    student: int
    problem: Problem
    solution: Solution

    def answer(self, question: Question) -> float:
        """The right answer of a question."""
        return self.solution.values[question.key]

    def parts(self) -> Iterator[tuple[str, list[tuple[int, Question]]]]:
        """Yield the parts of the sheet: a heading and its questions, which are numbered from 1 on."""
        numbered = enumerate(self.level.questions, 1)
        for part, questions in groupby(numbered, lambda pair: pair[1].part):
            yield part, list(questions)


def make_sheets(level: Level, seed: int, students: int) -> Iterator[Sheet]:
    """Yield the sheets of students 1, 2, …, each with other numbers.

    Raises GradientCheckError if a solution is not confirmed by differences.
    """
    for student, problem in enumerate(problems(level, seed, students), 1):
        yield Sheet(level, seed, student, problem, solve(level, problem))


def find_level(name_or_number: str) -> Level | None:
    """The level of this name or number, or None."""
    return next((level for level in LEVELS if name_or_number in (level.name, str(level.number))), None)
