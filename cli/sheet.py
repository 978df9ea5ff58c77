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

MIN_SIDE = 56  # side of a drawn digit, in pixels of the sheet
GAP = 6  # pixels between digits
CAPTION = 14  # height of a caption, in pixels
PAPER, INK = 255, 40  # grey levels
SOFTWARE = ("Software", "nn")  # a text chunk in every sheet
MARK = b"\0\0\0\x0btEXtSoftware\0nn"  # the chunk in the file: length 11, type, content


@dataclass(frozen=True)
class Captioned:
    """An image (side, side) of bytes, white on black, and the caption below it."""

    image: "Images"
    caption: str = ""


def check_sheet(option: str, path: Path) -> None:
    """Raise UsageError if `path` exists and is not a sheet. Only another sheet is overwritten."""
    refuse_other_file(option, path, MARK)


def write_sheet(option: str, path: Path, rows: Sequence[Sequence[Captioned]]) -> None:
    """Write the digits row by row as a PNG, dark on light, and print the path and size."""
    from PIL import Image, ImageDraw, ImageFont
    from PIL.PngImagePlugin import PngInfo

    side = rows[0][0].image.shape[0]
    width = height = side * ceil(MIN_SIDE / side)
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
