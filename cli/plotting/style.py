"""How pictures look: two sizes, colours that the colour-blind can tell apart, and no trace of the user's own style."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

SizeName = Literal["slide", "column"]

# Okabe and Ito 2008, without their yellow, which is too light on white. Markers tell the curves apart in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^DvPX"
LineStyle = Literal["-", "--", ":", "-."]
LINES: tuple[LineStyle, ...] = ("-", ":", "-.", "--")  # the dashed one last: it is the training in other panels
BLACK, GREY, PALE = "#000000", "#666666", "#DDDDDD"
MOST_MARKERS = 12  # on a curve


@dataclass(frozen=True)
class Size:
    """The size of a picture: `width` and `height` in inches, text in points, pixels per inch.

    A column has any height, and its panels stand one below the other.
    """

    name: SizeName
    width: float
    height: float | None
    points: float
    dpi: int

    @property
    def line(self) -> float:
        """The width of a curve, in points."""
        return self.points / 7


SIZES: dict[str, Size] = {
    "slide": Size("slide", 40 / 3, 7.5, 18, 144),  # 16:9, 1920 × 1080 pixels
    "column": Size("column", 3.4, None, 8, 300),  # of a paper in two columns
}


@contextlib.contextmanager
def drawing(size: Size) -> Iterator[None]:
    """Set matplotlib's defaults and this project's style, whatever matplotlibrc and MPLBACKEND say; restore them after.

    Equal input gives equal bytes. Texts are never read as formulas.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it reports its caches
    os.environ.pop("MPLBACKEND", None)  # an unknown one would stop the import
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # in the name of a run
        mpl.rcdefaults()
        mpl.rcParams.update(_style(size))  # type: ignore[arg-type]
        yield


def _style(size: Size) -> dict[str, Any]:
    hair = size.points / 14
    return {
        "figure.dpi": size.dpi, "savefig.dpi": size.dpi, "figure.constrained_layout.use": True,
        "font.family": ["DejaVu Sans"], "font.size": size.points, "axes.titlesize": size.points,
        "axes.labelsize": size.points, "figure.titlesize": size.points * 1.1,
        "legend.fontsize": size.points * 0.85, "legend.title_fontsize": size.points * 0.85,
        "xtick.labelsize": size.points * 0.85, "ytick.labelsize": size.points * 0.85,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
        "grid.color": PALE, "grid.linewidth": hair * 0.7, "axes.linewidth": hair,
        "xtick.major.width": hair, "ytick.major.width": hair, "xtick.minor.width": hair * 0.7,
        "ytick.minor.width": hair * 0.7, "lines.linewidth": size.line,
        "lines.markersize": size.points / 2.6, "lines.markeredgewidth": hair * 0.7,
        "legend.frameon": True, "legend.framealpha": 0.85, "legend.edgecolor": "none", "legend.handlelength": 2.6,
        "text.parse_math": False, "svg.hashsalt": "nn", "svg.fonttype": "path", "pdf.fonttype": 42,
    }  # fmt: skip


def logarithmic(panel: "Axes", which: Literal["x", "y"]) -> None:
    """Make an axis logarithmic, with plain numbers at powers of ten, and between them if these are few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    (panel.set_xscale if which == "x" else panel.set_yscale)("log")
    axis = panel.xaxis if which == "x" else panel.yaxis
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def whole_numbers(axis: "Axis") -> None:
    """Let an axis have whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
