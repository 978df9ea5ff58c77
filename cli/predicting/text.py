"""What was read, for people: each digit as the network saw it, beside the outputs as bars."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ..terminal import Terminal
from ..text import counted, printable
from .reader import LOW, Reading, ReadPicture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_DRAWN = 12  # digits of one picture; of more only the doubtful ones are drawn
BAR = 30  # columns of a bar
RAMP = " .:-=+*#%@"  # from paper to ink, in ASCII


def picture_as_text(read: ReadPicture, terminal: Terminal) -> str:
    """Return the report of one picture, several lines."""
    readings = read.readings
    name = printable(str(read.picture.path))
    if not readings:
        return f"{name}: no digit was found. Write with a darker pen, go nearer, or cut the picture to the digit."
    lines = [f"{name}: {answers(read)}"] if len(readings) > 1 else [name]
    drawn = readings if len(readings) <= MOST_DRAWN else [reading for reading in readings if reading.doubt][:MOST_DRAWN]
    if len(readings) > MOST_DRAWN:
        doubtful = sum(reading.doubt is not None for reading in readings)
        lines.append(
            f"{counted(len(readings), 'digit')} in {counted(readings[-1].row + 1, 'row')}, {doubtful} doubtful; "
            "--seen FILE.png draws them all"
        )
    for reading in drawn:
        lines += ["", *_digit(reading, terminal)]
    return terminal.spell_out("\n".join(lines)) if not terminal.symbols else "\n".join(lines)


def picture_as_line(read: ReadPicture) -> str:
    """Return the report of one picture of several in one line."""
    name = printable(str(read.picture.path))
    if not read.readings:
        return f"{name}: no digit"
    if len(read.readings) == 1:
        return f"{name}: {verdict(read.readings[0])}"
    doubtful = sum(reading.doubt is not None for reading in read.readings)
    return f"{name}: {answers(read)}" + (f"  ({doubtful} doubtful)" if doubtful else "")


def answers(read: ReadPicture) -> str:
    """Return the answers in reading order, with a stroke between rows. A doubtful answer is followed by ?."""
    rows = groupby(read.readings, key=lambda reading: reading.row)
    return " / ".join(" ".join(f"{each.answer}{'?' if each.doubt else ''}" for each in row) for _, row in rows)


def verdict(reading: Reading) -> str:
    """Return answer, runner-up and doubt in one line."""
    outputs, answer, second = reading.outputs, reading.answer, reading.runner_up
    text = f"{answer} ({outputs[answer]:.3f}), then {second} ({outputs[second]:.3f})"
    if reading.doubt == "low":
        return f"{text}; doubtful: no output reaches {LOW:g}, perhaps this is no digit"
    return f"{text}; doubtful: {answer} and {second} are near each other" if reading.doubt else text


def _digit(reading: Reading, terminal: Terminal) -> list[str]:
    """Return the lines of one digit: what the network saw, and beside it the outputs and the verdict."""
    seen = _in_colour(reading.image) if terminal.colour and terminal.symbols else _in_signs(reading.image, terminal)
    beside = [""] + [_bar(j, reading, terminal) for j in range(len(reading.outputs))]
    lines = [f"{left}  {right}".rstrip() for left, right in zip(seen, beside + [""] * len(seen), strict=False)]
    return [*lines, *terminal.wrap(f"reads {verdict(reading)}")]


def _bar(j: int, reading: Reading, terminal: Terminal) -> str:
    value = float(reading.outputs[j])
    filled = round(BAR * min(max(value, 0.0), 1.0))
    bar = ("█" if terminal.symbols else "#") * filled
    mark = {reading.answer: "  answer", reading.runner_up: "  runner-up"}.get(j, "")
    return f"{j}  {value:6.3f}  {bar:<{BAR}}{mark}".rstrip()


def _in_colour(image: "NDArray[np.uint8]") -> list[str]:
    """Return the image in half blocks: each character shows two pixels, as grey levels of the 256-colour palette."""
    grey = 232 + (image.astype(int) * 23 + 127) // 255
    return [
        "".join(f"\x1b[38;5;{upper}m\x1b[48;5;{lower}m▀" for upper, lower in zip(*pair, strict=True)) + "\x1b[0m"
        for pair in zip(grey[::2], grey[1::2], strict=True)
    ]


def _in_signs(image: "NDArray[np.uint8]", terminal: Terminal) -> list[str]:
    """Return the image without colour: half blocks where a pixel is more ink than paper, or ASCII of ten levels."""
    if terminal.symbols:
        inked = image >= 128
        pairs = 2 * inked[::2].astype(int) + inked[1::2]
        return ["".join(" ▄▀█"[value] for value in row) for row in pairs]
    level = (image[::2].astype(int) + image[1::2]) * (len(RAMP) - 1) // 510
    return ["".join(RAMP[value] for value in row) for row in level]


def all_rows(pictures: Sequence[ReadPicture]) -> list[list[Reading]]:
    """Return the digits of all pictures in their rows."""
    return [list(row) for read in pictures for _, row in groupby(read.readings, key=lambda reading: reading.row)]
