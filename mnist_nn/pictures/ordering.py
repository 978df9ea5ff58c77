"""Reading order: rows from above, each from the left, also on a sheet that was photographed askew."""

from collections.abc import Sequence

import numpy as np

from .pieces import Box


def reading_order(boxes: Sequence[Box]) -> list[list[int]]:
    """Return the rows of a sheet, each as the indices of its boxes from left to right."""
    if not boxes:
        return []
    centre = np.array([[(box.left + box.right) / 2, (box.top + box.bottom) / 2] for box in boxes])
    size = float(np.median([box.size for box in boxes]))
    level = centre[:, 1] - _slope(centre, size) * centre[:, 0]
    rows: list[list[int]] = []
    for i in np.argsort(level, kind="stable").tolist():
        if rows and level[i] - np.mean([level[k] for k in rows[-1]]) < 0.6 * size:
            rows[-1].append(i)
        else:
            rows.append([i])
    return [sorted(row, key=lambda i: float(centre[i, 0])) for row in rows]


def _slope(centre: np.ndarray, size: float) -> float:
    """How far the rows fall for each pixel to the right: the median over neighbours in a row."""
    slopes = []
    for x, y in centre:
        across, down = centre[:, 0] - x, centre[:, 1] - y
        right = np.flatnonzero((across > 0.3 * size) & (np.abs(down) < 0.4 * across))
        if right.size:
            nearest = right[np.argmin(across[right] + 2 * np.abs(down[right]))]
            slopes.append(down[nearest] / across[nearest])
    return float(np.median(slopes)) if slopes else 0.0
