"""From a picture to the ink of each digit on it, in reading order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ink import Floats, Grey, Inked, find_ink
from .lines import without_lines
from .ordering import reading_order
from .pieces import Box, Piece, find_pieces, join_pieces

MARGIN = 2  # pixels around a digit: the soft edges of its strokes
THINNEST = 0.09  # of a digit's size: thinner strokes are made so wide. MNIST's pens are about 0.12 wide


@dataclass(frozen=True)
class FoundDigit:
    """A digit on a picture: its row, its box, and its ink from 0 to 1 in a crop of the picture."""

    row: int
    box: Box
    ink: Floats


@dataclass(frozen=True)
class Stages:
    """What each stage found on a picture: the ink, the strokes, the pieces that belong to digits, and the digits."""

    inked: Inked
    strokes: NDArray[np.bool_]
    labels: NDArray[np.int32]
    pieces: list[Piece]
    digits: list[FoundDigit]


def find_digits(grey: Grey) -> Stages:
    """Find the digits on a picture (H, W), 0 for black and 255 for white."""
    inked = find_ink(grey)
    strokes = without_lines(inked.strokes)
    evened = inked.evened
    pieces, labels = find_pieces(strokes, evened)
    joined = join_pieces(pieces)
    rows = reading_order([piece.box for piece in joined])
    digits = [FoundDigit(r, joined[i].box, _cut(evened, labels, joined[i])) for r, row in enumerate(rows) for i in row]
    return Stages(inked, strokes, labels, joined, digits)


def _cut(evened: Floats, labels: NDArray[np.int32], piece: Piece) -> Floats:
    """The ink of one digit alone, without its neighbours. Strokes that are too thin are made wider."""
    from scipy import ndimage  # type: ignore[import-untyped]

    box = piece.box
    wider = int(np.ceil(MARGIN + THINNEST * box.size / 2))
    rows = slice(max(0, box.top - wider), box.bottom + wider)
    columns = slice(max(0, box.left - wider), box.right + wider)
    mask = np.isin(labels[rows, columns], piece.labels)
    edge = ndimage.binary_dilation(mask, np.ones((3, 3)), iterations=MARGIN)
    ink = np.where(edge, evened[rows, columns], 0)
    inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    width = (
        4 * float(inside[mask].mean()) - 1
    )  # across a stroke of width w the distance to its edge is w / 4 on average
    missing = THINNEST * box.size - width
    if missing > 0:
        outside = ndimage.distance_transform_edt(~mask)
        ink = np.maximum(ink, np.clip(missing / 2 + 0.5 - (outside - 0.5), 0, 1))
    return np.asarray(ink, np.float32)
