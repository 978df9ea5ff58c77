"""Tables that fit a terminal: long cells are shortened in the middle, and columns that may go are left out."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

GAP = 2


def stdout_width() -> int | None:
    """Return the width of the terminal behind stdout. None for a pipe, which takes lines of any length.

    COLUMNS overrides this.
    """
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return None


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading and its cells.

    Where a table is too wide, the cells are shortened to `least` characters. If that is not enough, the column with
    the highest `drop` is left out; 0 means never.
    """

    heading: str
    cells: Sequence[str]
    right: bool = False
    least: int | None = None
    drop: int = 0

    @property
    def width(self) -> int:
        return max(len(self.heading), *map(len, self.cells)) if self.cells else len(self.heading)

    def shortened(self, width: int, dots: str = "…") -> "Column":
        """Return the column with cells of at most `width` characters. `dots` stand for what was cut."""
        return replace(self, cells=[shorten_middle(cell, width, dots) for cell in self.cells])

    def lines(self) -> list[str]:
        """Return the heading and the cells, all equally wide."""
        layout = f"{'>' if self.right else '<'}{self.width}"
        return [f"{cell:{layout}}" for cell in (self.heading, *self.cells)]


def shorten_middle(text: str, length: int, dots: str = "…") -> str:
    """Cut characters from the middle of a text that is longer than `length`, and put `dots` there."""
    if len(text) <= length:
        return text
    left = length - len(dots)
    return f"{text[: left - left // 2]}{dots}{text[len(text) - left // 2 :]}"


def fit(columns: Sequence[Column], width: int | None, dots: str = "…") -> tuple[list[Column], list[Column]]:
    """Return the columns that fit into `width` together, shortened where needed, and the columns left out."""
    kept = list(columns)
    if width is None:
        return kept, []
    while True:
        fitting = _shortened(kept, width, dots)
        droppable = [column for column in kept if column.drop]
        if table_width(fitting) <= width or not droppable:
            return fitting, [column for column in columns if column not in kept]
        kept.remove(max(droppable, key=lambda column: column.drop))


def _shortened(columns: Sequence[Column], width: int, dots: str) -> list[Column]:
    """Return the columns, the widest of those with a `least` shortened as far as needed and allowed, then the next."""
    result = list(columns)
    flexible = [i for i, column in enumerate(result) if column.least is not None]
    for i in sorted(flexible, key=lambda i: result[i].width, reverse=True):
        excess = table_width(result) - width
        if excess > 0:
            result[i] = result[i].shortened(max(result[i].least or 0, result[i].width - excess), dots)
    return result


def table_width(columns: Sequence[Column]) -> int:
    """Return the width of a table of these columns."""
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)
