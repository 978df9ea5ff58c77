"""Sheets as Moodle questions: Moodle XML with one embedded-answers (Cloze) question for each sheet.

In Moodle, put them into a category and add a random question from it to a quiz: each student then gets a sheet. The
common slips are wrong answers with their own feedback, so Moodle names the factor that went wrong, too.
"""

from html import escape
from xml.sax.saxutils import escape as escape_xml

from mnist_nn.exercises.problem import tolerance
from mnist_nn.exercises.questions import Question
from mnist_nn.exercises.sheet import Sheet

from .mathml import as_html, definition_as_html
from .wording import ROUNDING, definitions, given, origin, solution_rows, title


def as_moodle(sheets: list[Sheet]) -> str:
    """Return the XML file with all sheets of a level."""
    level = sheets[0].level
    category = f"$course$/nn exercise/{level.number} {level.title.replace('/', '-')}"
    head = f'<question type="category"><category><text>{escape_xml(category)}</text></category></question>'
    questions = "\n".join(map(_question, sheets))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n{head}\n{questions}\n</quiz>\n'


def _question(sheet: Sheet) -> str:
    name = f"{origin(sheet)}: sheet {sheet.student:04}"
    return (
        '<question type="cloze">\n'
        f"<name><text>{escape_xml(name)}</text></name>\n"
        f'<questiontext format="html"><text>{_cdata(_text(sheet))}</text></questiontext>\n'
        f'<generalfeedback format="html"><text>{_cdata(_solution(sheet))}</text></generalfeedback>\n'
        "<penalty>0.3333333</penalty>\n<hidden>0</hidden>\n</question>"
    )


def _cdata(text: str) -> str:
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def _text(sheet: Sheet) -> str:
    lines = [f"<h4>{escape(title(sheet))}</h4>", f"<p>{escape(sheet.level.task)} {escape(ROUNDING)}</p>"]
    lines += [f"<p>{of.capitalize()}: {', '.join(map(as_html, numbers))}</p>" for of, numbers in given(sheet)]
    lines.append(f"<p>{'<br>'.join(map(definition_as_html, definitions(sheet)))}</p>")
    for part, questions in sheet.parts():
        lines.append(f"<h5>{escape(part)}</h5>")
        lines += [f"<p>{n}. {as_html([q.quantity])} = {_field(sheet, q)}</p>" for n, q in questions]
    return "\n".join(lines)


def _solution(sheet: Sheet) -> str:
    lines = []
    for part, questions in sheet.parts():
        lines.append(f"<h5>{escape(part)}</h5>")
        for n, question in questions:
            rows = [" = ".join(map(as_html, row)) for row in solution_rows(sheet, question)]
            lines.append(f"<p>{n}. {as_html([question.quantity])} = {'<br>= '.join(rows)}</p>")
    return "\n".join(lines)


def _field(sheet: Sheet, question: Question) -> str:
    """Return the field for an answer, in Moodle's syntax for embedded answers.

    No reason contains a character of that syntax: } ~ #.
    """
    alternatives = ["=" + _interval(sheet.answer(question))]
    for slip in question.formula.slips:
        wrong = slip.formula.value(sheet.solution.values)
        alternatives.append(f"%0%{_interval(wrong)}#{escape(slip.reason, quote=False)}")
    return "{1:NUMERICAL:" + "~".join(alternatives) + "}"


def _interval(value: float) -> str:
    return f"{value:.6f}:{tolerance(value):.6f}"
