"""Deslanting as nodes of an ONNX graph, with the same bits as `examples/deslanting.py`.

The moments are sums of multiples of ¼ below 2^53, so float64 holds them exactly, in whatever order they are added. All
else is one rounding for one operator, in the order of `deslanting.py` and `interpolation.py`. Rows are sheared along x
alone, so an image is interpolated along x alone: along y the interpolation there adds 0.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from ..examples.deslanting import FLAT

UPRIGHT = "upright"  # the deslanted images (N, side²): whole numbers from 0 to 255, as float32

Constants = dict[str, NDArray[Any]]


def deslanting(image: str, side: int) -> tuple[list[NodeProto], Constants]:
    """The nodes that make UPRIGHT of the images (N, side, side), and the constants that they need."""
    wide, edge = side + 3, side + 1  # a border of one pixel before each row, two behind it
    y, x = (axis.ravel() for axis in np.mgrid[:side, :side] - (side - 1) / 2)
    constants: Constants = {
        "ones": np.ones((side**2, 1)),
        "one": np.array(1.0),
        "least_height": np.array(FLAT),
        "offset_x": x.astype(np.float32),
        "offset_y": y.astype(np.float32),
        "centre": np.array((side + 1) / 2, np.float32),
        "left_edge": np.array(0, np.float32),
        "right_edge": np.array(edge, np.float32),
        "border": np.array([0, 0, 1, 0, 0, 2]),
        "row_starts": np.repeat(np.arange(side) * wide, side),
        "next": np.array(1),
        "half": np.array(0.5, np.float32),
    }
    nodes: list[NodeProto] = []

    def node(operator: str, inputs: str, output: str, **attributes: Any) -> None:
        nodes.append(helper.make_node(operator, inputs.split(), [output], **attributes))

    # α and ȳ
    node("Flatten", image, "flat_image", axis=1)
    node("Cast", "flat_image", "brightness", to=TensorProto.DOUBLE)
    node("MatMul", "brightness ones", "sum")
    node("Max", "sum one", "total")
    for name, moment in (("x", x), ("y", y), ("xy", x * y), ("yy", y * y)):
        constants[f"grid_{name}"] = moment[:, np.newaxis]
        node("MatMul", f"brightness grid_{name}", f"sum_{name}")
        node("Div", f"sum_{name} total", f"mean_{name}")
    node("Mul", "mean_y mean_y", "squared_y")
    node("Sub", "mean_yy squared_y", "height")
    node("Mul", "mean_x mean_y", "product_xy")
    node("Sub", "mean_xy product_xy", "leaning")
    node("Greater", "height least_height", "is_high")
    node("Cast", "is_high", "high", to=TensorProto.DOUBLE)  # 1 or 0: Where takes no float64 in old runtimes
    node("Sub", "one high", "flat")
    node("Mul", "height high", "height_or_0")
    node("Add", "height_or_0 flat", "divisor")  # without height it is 1
    node("Div", "leaning divisor", "quotient")
    node("Mul", "quotient high", "slant")  # and the slant is 0

    # the place of each pixel in its row: x + α (y − ȳ)
    node("Neg", "slant", "minus_slant")
    node("Mul", "minus_slant mean_y", "shift")
    node("Cast", "slant", "slant_32", to=TensorProto.FLOAT)
    node("Cast", "shift", "shift_32", to=TensorProto.FLOAT)
    node("Mul", "slant_32 offset_y", "term")
    node("Add", "offset_x term", "sheared")
    node("Add", "shift_32 centre", "moved")
    node("Add", "sheared moved", "anywhere")
    node("Clip", "anywhere left_edge right_edge", "place")

    # the brightness there, between two pixels
    node("Floor", "place", "left_place")
    node("Sub", "place left_place", "fraction")
    node("Cast", "left_place", "column", to=TensorProto.INT64)
    node("Add", "column row_starts", "left_index")
    node("Add", "left_index next", "right_index")
    node("Cast", image, "image_32", to=TensorProto.FLOAT)
    node("Pad", "image_32 border", "bordered")
    node("Flatten", "bordered", "rows", axis=1)
    node("GatherElements", "rows left_index", "left", axis=1)
    node("GatherElements", "rows right_index", "right", axis=1)
    node("Sub", "right left", "difference")
    node("Mul", "difference fraction", "part")
    node("Add", "left part", "between")
    node("Add", "between half", "above")
    node("Floor", "above", UPRIGHT)
    return nodes, constants
