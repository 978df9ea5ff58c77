"""A sweep in the terminal: a row for each combination of values, with its accuracy as a number and as a place."""

from collections.abc import Sequence

from ..fitting import GAP, Column, fit, table_width
from ..run_table import with_deviation
from ..terminal import Terminal
from ..text import note
from .swept import Sweep

LEAST_LINE = 12  # columns
SHORTEST_VALUE = 10  # characters, on a narrow terminal


def sweep_lines(sweep: Sweep, terminal: Terminal) -> list[str]:
    """Return the table, sorted by the keys. `o` is the mean, and the line around it one standard deviation.

    Where it is too wide, values are shortened, then n and the last keys but two are left out with a note.
    """
    groups = sorted(sweep.groups, key=lambda group: [axis.index(group) for axis in sweep.axes])
    spell_out = terminal.spell_out
    on = [group.records[0].accuracy_on for group in groups]
    columns = [
        *(
            Column(
                axis.name,
                [spell_out(axis.texts[axis.index(group)]) for group in groups],
                right=axis.scale != "names",
                least=SHORTEST_VALUE,
                drop=place if place > 2 else 0,
            )
            for place, axis in enumerate(sweep.axes, 1)
        ),
        Column("n", [str(len(group.records)) for group in groups], right=True, drop=len(sweep.axes) + 1),
        Column(spell_out("mean ± s.d."), list(map(spell_out, with_deviation(groups, on))), right=True),
    ]
    columns, left_out = fit(columns, terminal.width, spell_out("…"))
    if left_out:
        note(f"too narrow for {', '.join(column.heading for column in left_out)}; a wider terminal has room for more")
    room = terminal.width - table_width(columns) - GAP
    if room >= LEAST_LINE:
        columns.append(places([(group.mean, group.deviation) for group in groups], room, terminal))
    parts = [column.lines() for column in columns]
    lines = [(" " * GAP).join(line).rstrip() for line in zip(*parts, strict=True)]
    title = f"{sweep.accuracy_on} accuracy of the best epoch (* is the best)".strip()
    return [title, "", *lines]


def places(accuracies: Sequence[tuple[float | None, float | None]], room: int, terminal: Terminal) -> Column:
    """Return a column in which the place of a mark shows the accuracy. Its heading has both ends in percent."""
    spans = [(mean - (deviation or 0), mean + (deviation or 0)) for mean, deviation in accuracies if mean is not None]
    low, high = min(a for a, _ in spans), max(b for _, b in spans)
    ends = f"{100 * low:.1f}%", f"{100 * high:.1f}%"

    def place(accuracy: float) -> int:
        return round((accuracy - low) / ((high - low) or 1) * (room - 1))

    best = max(mean for mean, _ in accuracies if mean is not None)
    cells = []
    for mean, deviation in accuracies:
        cell = [" "] * room
        if mean is not None:
            for i in range(place(mean - (deviation or 0)), place(mean + (deviation or 0)) + 1):
                cell[i] = terminal.spell_out("─")
            cell[place(mean)] = "*" if mean == best else "o"
        cells.append("".join(cell))
    return Column(f"{ends[0]}{ends[1]:>{room - len(ends[0])}}", cells)
