"""What the terminal can show: tables that fit its width, the chapter's colours, its symbols or ASCII."""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import click

NARROW, WIDE = 60, 100  # columns for which the text is laid out

# The chapter's colours: C red, w blue, b pink, z green, y gold.
COLOURS = {"C": "bright_red", "w": "bright_blue", "b": "bright_magenta", "z": "green", "y": "yellow"}
SYMBOL = re.compile(r"(?<!\w)(?:[∂Δ]|[dD](?=[Cwbzy]))?(?P<letter>[Cwbzy])(?:_\w+)?(?:\(\d+\))?(?:\[[\w,]+\])?(?!\w)")
ASCII = {
    "∂": "d", "Δ": "D", "∇": "grad ", "Σ": "Sum", "σ": "s", "η": "eta", "′": "'", "²": "^2", "‖": "|", "−": "-",
    "–": "-", "×": "x", "·": "*", "…": "...", "▶": ">", "◀": "<", "▼": "v", "─": "-", "│": "|", "━": "=", "█": "#",
    "▁": "_", "▂": ".", "▃": "-", "▄": "~", "▅": "=", "▆": "+", "▇": "*",
}  # fmt: skip


@dataclass(frozen=True)
class Terminal:
    """Lays text out for so many columns; with colour or without, with the chapter's symbols or in ASCII."""

    width: int = WIDE
    colour: bool = False
    symbols: bool = True

    @classmethod
    def from_stdout(cls) -> "Terminal":
        """The terminal behind stdout. A pipe counts as wide and without colour. COLUMNS and NO_COLOR are honoured."""
        is_terminal = sys.stdout.isatty()
        columns = shutil.get_terminal_size().columns if is_terminal or os.environ.get("COLUMNS") else WIDE
        colour = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        try:
            "".join(ASCII).encode(sys.stdout.encoding or "ascii")
        except UnicodeEncodeError:
            symbols = False
        else:
            symbols = True
        return cls(max(NARROW, min(columns, WIDE)), colour, symbols)

    def plain(self, text: str) -> str:
        """The text as this terminal can show it: wider where a symbol is spelt out, so to be measured afterwards."""
        return text if self.symbols else "".join(ASCII.get(character, character) for character in text)

    def paint(self, text: str) -> str:
        """The chapter's variables in the chapter's colours; widths stay."""
        if not self.colour:
            return text
        return SYMBOL.sub(lambda found: click.style(found[0], fg=COLOURS[found["letter"]]), text)

    def wrapped(self, text: str, indent: int = 0) -> list[str]:
        """Lines of at most the width, those after the first indented further; a no-break space does not break."""
        lines = textwrap.wrap(
            self.plain(text),
            self.width,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + 2),
            break_on_hyphens=False,
            break_long_words=False,
        )
        return [line.replace("\u00a0", " ") for line in lines]

    def spread(self, *parts: str) -> list[str]:
        """The parts one after the other, as many in a line as fit; one that alone is too long is wrapped."""
        lines: list[str] = []
        for part in map(self.plain, filter(None, parts)):
            if lines and len(lines[-1]) + 3 + len(part) <= self.width:
                lines[-1] += "   " + part
            else:
                lines += self.wrapped(part)
        return lines

    def room(self, rows: Sequence[Sequence[str]], least: int, most: int, indent: int = 2) -> int:
        """How wide, from `least` to `most`, one more column of that table may be."""
        columns = [[self.plain(cell) for cell in column] for column in zip(*rows, strict=True)]
        return max(least, min(most, self.width - self._width(columns, indent, 2) - 2))

    def table(self, rows: Sequence[Sequence[str]], align: str, *, indent: int = 2, cut: int | None = None) -> list[str]:
        """Columns side by side, each as wide as its widest cell; `align` has one of < > ^ for each.

        Where a table is too wide, its gaps shrink first; then it goes on below with the rest of its columns, from
        column `cut` or the first that does not fit, and column 0 repeated.
        """
        columns = [[self.plain(cell) for cell in column] for column in zip_longest(*rows, fillvalue="")]
        for gap in (2, 1):
            if self._width(columns, indent, gap) <= self.width:
                return self._lines(columns, align, indent, gap)
        count = cut or len(columns)
        while count > 2 and self._width(columns[:count], indent, 2) > self.width:
            count -= 1
        first = self._lines(columns[:count], align[:count], indent, 2)
        if count == len(columns):
            return first
        rest = [columns[0], *columns[count:]]
        return [*first, *self.table(list(zip(*rest, strict=True)), align[0] + align[count:], indent=indent)]

    def _width(self, columns: Sequence[Sequence[str]], indent: int, gap: int) -> int:
        return indent + sum(max(map(len, column)) for column in columns) + gap * (len(columns) - 1)

    def _lines(self, columns: Sequence[Sequence[str]], align: str, indent: int, gap: int) -> list[str]:
        widths = [max(map(len, column)) for column in columns]
        return [
            (
                " " * indent
                + (" " * gap).join(
                    f"{cell:{side}{width}}" for cell, side, width in zip(row, align, widths, strict=True)
                )
            ).rstrip()
            for row in zip(*columns, strict=True)
        ]
