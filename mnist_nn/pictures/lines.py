"""Ruled lines as dark as the ink, taken out of the strokes that cross them."""

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.02  # of the picture's side: a line begins and ends nearer than this to the borders
THICK = 0.02  # of the picture's side: nothing thicker is a ruled line
THICKER = 1.6  # times as thick as the line: what stays of a stroke that crosses it

Mask = NDArray[np.bool_]


def without_lines(strokes: Mask) -> Mask:
    """Return the strokes (H, W) without the lines that run from border to border. What is thicker than a line stays."""
    from scipy import ndimage  # type: ignore[import-untyped]

    labels, _ = ndimage.label(strokes, np.ones((3, 3)))
    kept = strokes
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        for axis, along in ((0, columns), (1, rows)):
            length = strokes.shape[1 - axis]
            if along.start > MARGIN * length or along.stop < (1 - MARGIN) * length:
                continue
            piece = labels[rows, columns] == label
            thickness = _thickness(piece, axis)
            if thickness > THICK * length:
                continue
            reach = int(THICKER * thickness) + 1
            thicker = ndimage.binary_opening(piece, np.ones((reach, 1) if axis == 0 else (1, reach)))
            if kept is strokes:
                kept = strokes.copy()
            kept[rows, columns] &= thicker | ~piece
    return kept


def _thickness(piece: Mask, axis: int) -> float:
    """How many pixels a piece has in a row along this axis, at most places."""
    starts = np.diff(np.pad(piece, ((1, 0), (0, 0)) if axis == 0 else ((0, 0), (1, 0))).astype(np.int8), axis=axis) > 0
    runs, pixels = starts.sum(axis=axis), piece.sum(axis=axis)
    return float(np.median(pixels[runs > 0] / runs[runs > 0]))
