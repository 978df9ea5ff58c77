"""Connected pieces of ink, joined to digits: the bar of a 5 belongs to the 5, a ruled line to nothing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST = 4000  # pieces to look at, the largest ones
SPECK = 0.12  # of a digit's size: smaller pieces are dirt
PART = 0.45  # of a digit's size: a smaller piece is no digit of its own
FULL = 1.5  # of a digit's size: no larger digit is joined from pieces
BORDER = 0.03  # of the picture's side: upright lines begin or end so near to the borders
THIN = 0.06  # of its length: a line is thinner
FAINT = 0.75  # of the pen's ink: a piece at the border that is fainter is a shadow
LONG = 0.4  # of the picture's side: a line, or an edge of the paper, is longer


@dataclass(frozen=True)
class Box:
    """Rows top to bottom and columns left to right of a picture, without the last ones."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> int:
        return max(self.bottom - self.top, self.right - self.left)

    def joined(self, other: "Box") -> "Box":
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )


@dataclass(frozen=True)
class Piece:
    """One or several connected pieces of ink: their labels, their box, and their number of pixels."""

    labels: tuple[int, ...]
    box: Box
    area: int


def find_pieces(strokes: NDArray[np.bool_], evened: NDArray[np.float32]) -> tuple[list[Piece], NDArray[np.int32]]:
    """Return the connected pieces of the strokes, the largest first, and the label of each pixel (H, W).

    `evened` is the ink, 1 where it is as dark as the pen's. Ruled lines are left out, and so is whatever lies around
    the paper, and shadows that begin at a border.
    """
    from scipy import ndimage  # type: ignore[import-untyped]

    labels, count = ndimage.label(strokes, np.ones((3, 3)), output=np.int32)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    boxes = ndimage.find_objects(labels)
    largest = [int(label) for label in np.argsort(-areas[1:], kind="stable")[:MOST] + 1]
    pieces = []
    for label in largest:
        rows, columns = boxes[label - 1]
        box = Box(rows.start, columns.start, rows.stop, columns.stop)
        if _is_line(box, int(areas[label]), strokes.shape) or _is_surroundings(box, strokes.shape):
            continue
        at_border = min(box.top, box.left) == 0 or box.bottom == strokes.shape[0] or box.right == strokes.shape[1]
        if not at_border or evened[rows, columns][labels[rows, columns] == label].mean() > FAINT:
            pieces.append(Piece((label,), box, int(areas[label])))
    return pieces, labels


def join_pieces(pieces: list[Piece]) -> list[Piece]:
    """Join the pieces that belong to one digit, and drop dirt."""
    if not pieces:
        return []
    size = typical_size(pieces)
    digits = [piece for piece in pieces if piece.box.size >= SPECK * size]
    is_changed = True
    while is_changed:
        is_changed = False
        for i, one in enumerate(digits):
            mates = [other for other in digits[i + 1 :] if _belong_together(one.box, other.box, size)]
            if mates:
                for other in mates:
                    one = Piece(one.labels + other.labels, one.box.joined(other.box), one.area + other.area)
                digits = [*digits[:i], one, *(piece for piece in digits[i + 1 :] if piece not in mates)]
                is_changed = True
                break
    size = typical_size(digits)
    return [digit for digit in digits if digit.box.size >= PART * size]


def typical_size(pieces: list[Piece]) -> float:
    """The size of a piece in the middle, if each counts as often as it has pixels."""
    order = sorted(pieces, key=lambda piece: piece.box.size)
    middle = sum(piece.area for piece in order) / 2
    passed = 0
    for piece in order:
        passed += piece.area
        if passed >= middle:
            return float(piece.box.size)
    return 0.0


def _belong_together(one: Box, other: Box, size: float) -> bool:
    """Whether two pieces are parts of one digit of about this size."""
    across = max(one.left, other.left) - min(one.right, other.right)  # the gap, or minus the overlap
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    narrower = min(one.right - one.left, other.right - other.left)
    heights = sorted((one.bottom - one.top, other.bottom - other.top))
    fits = one.joined(other).size <= FULL * max(size, one.size, other.size)
    if -across >= 0.5 * narrower:  # one within the other's columns
        return down <= 0 or down <= 0.12 * max(one.size, other.size) or (fits and down <= 0.3 * size)
    if min(one.size, other.size) <= PART * size:  # too small to be a digit
        return fits and across <= 0.2 * size and down <= 0.2 * size
    is_part = heights[0] <= 0.6 * heights[1] and -down >= 0.7 * heights[0]  # digits beside each other are equally high
    return fits and across <= 0.1 * size and is_part


def _is_line(box: Box, area: int, shape: tuple[int, ...]) -> bool:
    """Whether a piece is a ruled line, or a net of them. An upright one that ends within the picture can be a 1."""
    height, width = box.bottom - box.top, box.right - box.left
    border = BORDER * shape[0]
    if height > width and box.top > border and box.bottom < shape[0] - border:
        return False
    is_long = width > LONG * shape[1] or height > LONG * shape[0]
    filled = area / (height * width)
    return is_long and (area / box.size < THIN * box.size and (min(height, width) < 0.2 * box.size or filled < 0.05))


def _is_surroundings(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether a piece runs along an edge of the picture, as the table beside the paper does."""
    height, width = box.bottom - box.top, box.right - box.left
    beside = (box.left == 0 or box.right == shape[1]) and height > LONG * shape[0]
    above = (box.top == 0 or box.bottom == shape[0]) and width > LONG * shape[1]
    return beside or above
