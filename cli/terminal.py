"""Layout of text for a terminal: tables that fit its width, the chapter's colours, symbols or ASCII."""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import click

MIN_WIDTH, MAX_WIDTH = 60, 100  # in columns; the text is laid out for a width in this range

# The chapter's colours: C red, w blue, b pink, z green, y gold.
COLOURS = {"C": "bright_red", "w": "bright_blue", "b": "bright_magenta", "z": "green", "y": "yellow"}
SYMBOL = re.compile(r"(?<!\w)(?:[∂Δ]|[dD](?=[Cwbzy]))?(?P<letter>[Cwbzy])(?:_\w+)?(?:\(\d+\))?(?:\[[\w,]+\])?(?!\w)")
ASCII = {
    "∂": "d", "Δ": "D", "∇": "grad ", "Σ": "Sum", "σ": "s", "η": "eta", "′": "'", "²": "^2", "‖": "|", "−": "-",
    "–": "-", "×": "x", "·": "*", "…": "...", "▶": ">", "◀": "<", "▼": "v", "─": "-", "│": "|", "━": "=", "█": "#",
    "▁": "_", "▂": ".", "▃": "-", "▄": "~", "▅": "=", "▆": "+", "▇": "*", "±": "+-",
}  # fmt: skip


@dataclass(frozen=True)
class Terminal:
    """A terminal of `width` columns: whether it shows colour, and the chapter's symbols or only ASCII."""

    width: int = MAX_WIDTH
    colour: bool = False
    symbols: bool = True

    @classmethod
    def from_stdout(cls) -> "Terminal":
        """Return the terminal behind stdout.

        A pipe has MAX_WIDTH columns and no colour. COLUMNS and NO_COLOR override this.
        """
        is_terminal = sys.stdout.isatty()
        columns = shutil.get_terminal_size().columns if is_terminal or os.environ.get("COLUMNS") else MAX_WIDTH
        colour = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        try:
            "".join(ASCII).encode(sys.stdout.encoding or "ascii")
        except UnicodeEncodeError:
            symbols = False
        else:
            symbols = True
        return cls(max(MIN_WIDTH, min(columns, MAX_WIDTH)), colour, symbols)

    def spell_out(self, text: str) -> str:
        """Return the text with only characters that this terminal can show.

        A spelt-out symbol may be wider than the symbol. Measure widths after this call.
        """
        return text if self.symbols else "".join(ASCII.get(character, character) for character in text)

    def paint(self, text: str) -> str:
        """Return the text with the chapter's variables in the chapter's colours. The visible width does not change."""
        if not self.colour:
            return text
        return SYMBOL.sub(lambda found: click.style(found[0], fg=COLOURS[found["letter"]]), text)

    def wrap(self, text: str, indent: int = 0) -> list[str]:
        """Break the text into lines that fit the terminal. Continuation lines have a larger indent.

        A line never breaks at a no-break space.
        """
        lines = textwrap.wrap(
            self.spell_out(text),
            self.width,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + 2),
            break_on_hyphens=False,
            break_long_words=False,
        )
        return [line.replace("\u00a0", " ") for line in lines]

    def fill_lines(self, *parts: str) -> list[str]:
        """Put as many parts on each line as fit. A part that is longer than a line is wrapped."""
        lines: list[str] = []
        for part in map(self.spell_out, filter(None, parts)):
            if lines and len(lines[-1]) + 3 + len(part) <= self.width:
                lines[-1] += "   " + part
            else:
                lines += self.wrap(part)
        return lines

    def room_for_column(self, rows: Sequence[Sequence[str]], least: int, most: int, indent: int = 2) -> int:
        """Return the width that is left for one more column of a table, from `least` to `most`."""
        columns = [[self.spell_out(cell) for cell in column] for column in zip(*rows, strict=True)]
        return max(least, min(most, self.width - self._width(columns, indent, 2) - 2))

    def table(self, rows: Sequence[Sequence[str]], align: str, *, indent: int = 2, cut: int | None = None) -> list[str]:
        """Return the lines of a table. Each column is as wide as its widest cell.

        `align` has one of < > ^ for each column. If the table is too wide, its gaps shrink first. If it is still too
        wide, the remaining columns follow in a second table below, which repeats column 0. The second table starts at
        column `cut`, or at the first column that does not fit.
        """
        columns = [[self.spell_out(cell) for cell in column] for column in zip_longest(*rows, fillvalue="")]
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
