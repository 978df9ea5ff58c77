"""The confusion matrix as a picture. The colours show the errors alone, because most answers are right."""

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from mnist_nn.training.evaluation import Evaluation

from .style import PALE, Size

MAP = "YlOrRd"  # grows darker with the number of errors, in grey too


def draw_confusion(result: Evaluation, what: str, title: str, size: Size) -> Figure:
    """Draw the matrix: rows are the true digits or classes, columns are answers."""
    counts, classes = result.confusion, len(result.confusion)
    errors = np.ma.masked_array(counts, np.eye(classes, dtype=bool) | (counts == 0))
    figure = Figure(figsize=(size.width, size.height or 0.87 * size.width), layout="compressed")
    panel = figure.subplots()
    panel.grid(visible=False)
    panel.imshow(np.where(np.eye(classes, dtype=bool), 1.0, np.nan), cmap=ListedColormap([PALE]))
    most = max(int(errors.max()) if errors.count() else 0, 1)
    image = panel.imshow(errors, cmap=MAP, vmin=0, vmax=most)
    points = size.points * min(0.85, 7 / max(classes, 1))
    for (t, p), count in np.ndenumerate(counts):
        light = t != p and count > 0.6 * most
        panel.text(
            p,
            t,
            f"{count:,}" if count else "·",
            ha="center",
            va="center",
            color="white" if light else "black",
            fontsize=points,
        )
    panel.set_xticks(range(classes))
    panel.set_yticks(range(classes))
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.set_xlabel("answer")
    panel.set_ylabel(f"true {what}")
    panel.set_title(title)
    bar = figure.colorbar(image, ax=panel, label="errors", shrink=0.9)
    bar.outline.set_visible(False)
    return figure
