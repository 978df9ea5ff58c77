"""The weights of the first layer as images: what each neuron looks for."""

from math import ceil, sqrt

import numpy as np
from matplotlib.figure import Figure

from .curves import Floats
from .style import Size

MOST_NEURONS = 100
GAP = 2  # pixels of an image between two
MAP = "PuOr_r"  # orange is positive, purple negative; the colour-blind can tell them apart
SHARE = 0.995  # of the weights that are within the colours; a few large ones would pale the others


def draw_weights(weights: Floats, title: str, size: Size) -> Figure:
    """Draw each row of the weights (n, side²) as a square image, row by row. White is 0."""
    n, side = len(weights), round(sqrt(weights.shape[1]))
    across = min(n, max(1, ceil(sqrt(n * (16 / 9 if size.height else 1)))))
    down = ceil(n / across)
    step = side + GAP
    sheet = np.full((down * step - GAP, across * step - GAP), np.nan)
    for i, row in enumerate(weights):
        y, x = i // across * step, i % across * step
        sheet[y : y + side, x : x + side] = row.reshape(side, side)
    most = float(np.quantile(np.abs(weights), SHARE)) or 1.0
    height = size.height or 0.76 * size.width * sheet.shape[0] / sheet.shape[1] + 0.3
    figure = Figure(figsize=(size.width, height), layout="compressed")
    panel = figure.subplots()
    panel.grid(visible=False)
    image = panel.imshow(sheet, cmap=MAP, vmin=-most, vmax=most, interpolation="nearest")
    panel.set_xticks([])
    panel.set_yticks([i * step + side / 2 for i in range(down)], [str(i * across) for i in range(down)])
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.set_ylabel("first neuron of the row")
    panel.set_title(title)
    bar = figure.colorbar(image, ax=panel, label="weight", extend="both", shrink=0.9)
    bar.outline.set_visible(False)
    return figure
