"""Sheets of digits as PNG pictures."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from .output_files import refuse_other_file, write_file
from .text import note, printable

if TYPE_CHECKING:
    from mnist_nn.examples.interpolation import Images

DIGIT = 56  # pixels of the picture, at least, for a side of a digit
GAP = 6
CAPTION = 14  # the height of a line of text
PAPER, INK = 255, 40
SOFTWARE = ("Software", "nn")  # a text in the files of this module
MARK = b"\0\0\0\x0btEXtSoftware\0nn"  # as it stands near their beginning: its 11 bytes, its kind, itself


@dataclass(frozen=True)
class Captioned:
    """A digit (side, side) of bytes, white on black, and what stands below it."""

    image: "Images"
    caption: str = ""


def check_sheet(option: str, path: Path) -> None:
    """Raise UsageError where a sheet must not be written: over anything but another sheet."""
    refuse_other_file(option, path, MARK, "sheet")


def write_sheet(option: str, path: Path, rows: Sequence[Sequence[Captioned]]) -> None:
    """Write the digits row by row, dark on light, and say so."""
    from PIL import Image, ImageDraw, ImageFont
    from PIL.PngImagePlugin import PngInfo

    side = rows[0][0].image.shape[0]
    width = height = side * ceil(DIGIT / side)
    heights = [height + GAP + (CAPTION if any(digit.caption for digit in row) else 0) for row in rows]
    sheet = Image.new("L", (GAP + max(map(len, rows)) * (width + GAP), GAP + sum(heights)), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(CAPTION - 3)
    for row, y in zip(rows, accumulate(heights, initial=GAP), strict=False):
        for digit, x in zip(row, count(GAP, width + GAP), strict=False):
            enlarged = Image.fromarray(255 - digit.image).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (x, y))
            draw.text((x + width / 2, y + height), digit.caption, INK, font, anchor="ma")
    about = PngInfo()
    about.add_text(*SOFTWARE)
    content = io.BytesIO()
    sheet.save(content, "PNG", pnginfo=about, optimize=True)
    write_file(option, path, content.getvalue())
    note(f"sheet written to {printable(str(path))} ({sheet.width} × {sheet.height} pixels)")
