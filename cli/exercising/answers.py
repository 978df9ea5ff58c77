"""Files of answers: the empty one that goes with the sheets, and filled ones, which are read strictly."""

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import LARGEST_SEED, MOST_STUDENTS

if TYPE_CHECKING:
    from mnist_nn.exercises.levels import Level
    from mnist_nn.exercises.sheet import Sheet

COLUMNS = ("level", "seed", "student", "question", "answer")
LARGEST = 16 << 20  # bytes
NUMBER = re.compile(r"[+-]?(\d{1,12}([.,]\d{0,30})?|[.,]\d{1,30})([eE][+-]?\d{1,2})?")


@dataclass
class Answered:
    """The answers of one student by question, and the sheet they belong to."""

    level: "Level"
    seed: int
    student: int
    answers: dict[str, float] = field(default_factory=dict)


def empty_answers(sheets: "list[Sheet]") -> str:
    """Return the CSV file with a row for every question of every sheet. Its column `answer` is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for sheet in sheets:
        for question in sheet.level.questions:
            writer.writerow([sheet.level.name, sheet.seed, sheet.student, question.key, ""])
    return out.getvalue()


def read_answers(path: Path) -> list[Answered]:
    """Return the answers in a file, one member for each sheet, in the order of the file.

    Commas, semicolons and tabs may separate the columns, which may have any order. Numbers may have a decimal comma.
    Raises ClickException with the line of the first mistake.
    """
    found: dict[tuple[str, int, int], Answered] = {}
    seen: set[tuple[str, int, int, str]] = set()
    for line, row in _rows(path):
        place = f"{path}: line {line}"
        level = _level(place, row["level"])
        seed = _integer(place, "seed", row["seed"], 0, LARGEST_SEED)
        student = _integer(place, "student", row["student"], 1, MOST_STUDENTS)
        key = _question(place, level, row["question"])
        sheet = (level.name, seed, student)
        if (*sheet, key) in seen:
            raise click.ClickException(
                f"{place}: question {key} of student {student} was answered before; keep one of the two lines"
            )
        seen.add((*sheet, key))
        answered = found.setdefault(sheet, Answered(level, seed, student))
        if row["answer"]:
            answered.answers[key] = _number(place, row["answer"])
    if not found:
        raise click.ClickException(f"{path}: has no answers below its first line; fill in the column answer")
    return list(found.values())


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row that is not empty, with its line."""
    text = _text(path)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        for name in COLUMNS:
            if header.count(name) != 1:
                problem = "has no column" if name not in header else "has two columns"
                raise click.ClickException(f"{path}: line 1 {problem} {name}; it must name {', '.join(COLUMNS)}")
        for cells in reader:
            if not any(map(str.strip, cells)):
                continue
            if len(cells) != len(header):
                raise click.ClickException(
                    f"{path}: line {reader.line_num} has {len(cells)} cells, but line 1 has {len(header)}; "
                    "put a number with a decimal comma in quotes"
                )
            yield reader.line_num, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    except csv.Error as error:
        raise click.ClickException(
            f"{path}: line {reader.line_num} is not CSV: {error}; save the table as CSV again"
        ) from None


def _text(path: Path) -> str:
    from data_scripts.files import read_regular

    content = read_regular(path, LARGEST)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.ClickException(
            f"{path}: byte {error.start} is not UTF-8 text; save the table as CSV in UTF-8"
        ) from None


def _level(place: str, text: str) -> "Level":
    from mnist_nn.exercises.levels import LEVELS
    from mnist_nn.exercises.sheet import find_level

    level = find_level(text)
    if level is None:
        raise click.ClickException(f"{place}: level {text!r} is none of {', '.join(level.name for level in LEVELS)}")
    return level


def _integer(place: str, name: str, text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text) or not low <= int(text) <= high:
        raise click.ClickException(f"{place}: {name} {text!r} must be a whole number from {low} to {high}")
    return int(text)


def _question(place: str, level: "Level", text: str) -> str:
    keys = [question.key for question in level.questions]
    if text not in keys:
        near = get_close_matches(text, keys, 1)
        hint = f"did you mean {near[0]}?" if near else f"its questions are {', '.join(keys)}"
        raise click.ClickException(f"{place}: level {level.name} has no question {text!r}; {hint}")
    return text


def _number(place: str, text: str) -> float:
    written = text.replace("−", "-")
    value = float(written.replace(",", ".")) if NUMBER.fullmatch(written) else math.nan
    if not math.isfinite(value):
        raise click.ClickException(f"{place}: the answer {text!r} is not a number such as -0.0359; leave a blank empty")
    return value
