"""Sheets and solutions as pages to print: black on white, A4 or Letter, fractions typeset, no script."""

from collections.abc import Iterable
from html import escape

from mnist_nn.exercises.levels import LEVELS
from mnist_nn.exercises.quantity import Expression
from mnist_nn.exercises.questions import Question
from mnist_nn.exercises.sheet import Sheet

from .mathml import as_html, as_mathml, definition_as_html
from .picture import as_svg
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

STYLE = """\
@page { margin: 14mm 16mm }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 186mm; padding: 8mm 4mm; color: #000; background: #fff;
  font: 11pt/1.35 "Latin Modern Roman", "STIX Two Text", Cambria, Georgia, "DejaVu Serif", serif }
article + article { break-before: page; margin-top: 12mm }
@media print {
  body { max-width: none; padding: 0 }
  article + article { margin-top: 0 }
}
header { display: flex; justify-content: space-between; align-items: baseline; gap: 8mm }
h1 { font-size: 15pt; margin: 0 }
h2 { font-size: 12pt; margin: 4mm 0 1mm; break-after: avoid }
p { margin: 2mm 0 }
math { font-size: 12pt }
sup, sub { font-size: 70%; line-height: 0 }
code, .key { font: 8.5pt ui-monospace, "DejaVu Sans Mono", monospace }
.place, .foot, .key, .n { color: #555 }
.place, .foot { font-size: 9pt }
.name { flex: 0 0 62mm; border-bottom: 0.3mm solid #000 }
.given { border: 0.3mm solid #888; padding: 3mm 4mm; margin: 3mm 0; display: grid; gap: 1mm 8mm;
  grid-template-columns: auto auto; justify-content: space-between; break-inside: avoid }
.given svg { grid-column: 1 / -1; justify-self: center; max-width: 100%; height: auto; font-family: inherit }
.given p { margin: 0 0 1mm }
.given span { white-space: nowrap }
.blanks { display: grid; grid-template-columns: 1fr 1fr; gap: 0 8mm }
.blank { display: flex; align-items: center; gap: 1.5mm; height: 11.5mm; break-inside: avoid }
.blank .n { width: 7mm; text-align: right }
.blank .q { width: 15mm; text-align: right }
.blank .line { flex: 1; height: 1.4em; border-bottom: 0.25mm solid #555 }
.blank .key { width: 19mm }
table { border-collapse: collapse }
tbody { break-inside: avoid }
td { padding: 0.5mm 1.5mm; vertical-align: middle }
td.n { width: 9mm; text-align: right }
td.q { width: 20mm; text-align: right }
tr:last-child td { padding-bottom: 1.6mm }
@media screen and (max-width: 170mm) {
  header { flex-wrap: wrap }
  .given, .blanks { grid-template-columns: auto }
}
.answer { font-weight: bold; border: 0.25mm solid #000; padding: 0.4mm 1.2mm }
"""


def as_page(heading: str, articles: Iterable[str]) -> str:
    """Return a whole page. Each article begins on a new sheet of paper."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="generator" content="nn exercise">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(heading)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(articles)
        + "\n</body>\n</html>\n"
    )


def sheet_article(sheet: Sheet) -> str:
    """Return the sheet of one student, with a line to write each answer on."""
    parts = [
        "<article>",
        f'<header><h1>{escape(title(sheet))}</h1><div class="name">Name:</div></header>',
        _place(sheet),
        f"<p>{escape(sheet.level.task)} {escape(ROUNDING)}</p>",
        _given(sheet, definitions(sheet)),
    ]
    for part, questions in sheet.parts():
        blanks = "".join(_blank(n, question) for n, question in questions)
        parts.append(f'<h2>{escape(part)}</h2>\n<div class="blanks">{blanks}</div>')
    parts.append('<p class="foot">The word beside a blank is the question\'s name in answers.csv.</p>')
    return "\n".join([*parts, "</article>"])


def solution_article(sheet: Sheet, configuration: str) -> str:
    """Return the solution of a sheet, every factor of every answer. `configuration` names its configuration file."""
    heading = f"<header><h1>Solution: {escape(title(sheet))}</h1></header>"
    parts = ["<article>", heading, _place(sheet), _given(sheet, [])]
    for part, questions in sheet.parts():
        rows = "\n".join(_steps(sheet, n, question) for n, question in questions)
        parts.append(f"<h2>{escape(part)}</h2>\n<table>{rows}</table>")
    commands = [f"nn inspect-gradients {configuration} --init {deepest_weight(sheet)}"]
    commands += [f"nn train {configuration}"] if sheet.level.steps else []
    shown = ", ".join(f"<code>{escape(command)}</code>" for command in commands)
    parts.append(f'<p class="foot">{escape(ACCURACY)} The same network in the terminal: {shown}</p>')
    return "\n".join([*parts, "</article>"])


def _place(sheet: Sheet) -> str:
    text = f"Level {sheet.level.number} of {len(LEVELS)}, network {network_name(sheet)}. "
    return f'<p class="place">{text}<code>{escape(origin(sheet))}</code></p>'


def _given(sheet: Sheet, meanings: list[str]) -> str:
    numbers = "".join(f"<p>{escape(of.capitalize())}: {_listed(of_it)}</p>" for of, of_it in given(sheet))
    right = "".join(f"<p>{definition_as_html(line)}</p>" for line in meanings)
    return f'<div class="given">{as_svg(sheet)}<div>{numbers}</div><div>{right}</div></div>'


def _listed(expressions: list[Expression]) -> str:
    return ", ".join(f"<span>{as_html(expression)}</span>" for expression in expressions)


def _blank(n: int, question: Question) -> str:
    return (
        f'<div class="blank"><span class="n">{n}.</span><span class="q">{as_mathml([question.quantity])}</span>'
        f'<span>=</span><span class="line"></span><span class="key">{question.key}</span></div>\n'
    )


def _steps(sheet: Sheet, n: int, question: Question) -> str:
    rights = [[as_mathml(expression) for expression in row] for row in solution_rows(sheet, question)]
    rights[-1][-1] = f'<span class="answer">{rights[-1][-1]}</span>'
    rows = []
    for i, row in enumerate(rights):
        left = ("", "") if i else (f"{n}.", as_mathml([question.quantity]))
        right = " = ".join(row)
        rows.append(f'<tr><td class="n">{left[0]}</td><td class="q">{left[1]}</td><td>= {right}</td></tr>')
    return f"<tbody>{''.join(rows)}</tbody>"
