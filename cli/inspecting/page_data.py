"""The data from which the page computes: networks, examples, and the course of the training, as one JSON document.

Arrays are compressed with zlib, written in base64, and named by their type in NumPy's notation. Only the snapshots are
rounded.
"""

import base64
import math
import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mnist_nn import Examples, Network

from .history import History
from .report import Report, as_document

GALLERY = 64  # examples on the page at least, if the split has so many
SNAPSHOT_BYTES = 16e6  # of all snapshots on a page; of a large network only some are kept

T = TypeVar("T")
AnyArray = NDArray[Any]


def page_data(report: Report, examples: Examples, history: History) -> dict[str, Any]:
    """Return the data of the page. `examples` is the whole split of the report."""
    indices = sorted({*range(min(GALLERY, len(examples))), *report.inspection.indices})
    held_out = [i for i in range(len(examples)) if i not in set(indices)][: len(indices)]
    shown = examples[np.array(indices + held_out)]
    side = math.isqrt(shown.inputs.shape[1])
    pixels = shown.inputs.dtype == np.uint8
    network = report.inspection.network
    fresh = None if np.array_equal(history.fresh.parameters, network.parameters) else history.fresh.parameters
    return {
        "learning_rate": report.config.training.learning_rate,
        "initialization": init if isinstance(init := report.config.network.init, str) else None,
        "name": report.name,
        "moment": history.moment,
        "parameters": _packed(network.parameters),
        "fresh": None if fresh is None else _packed(fresh),
        "snapshots": _snapshots(history, network),
        "metrics": history.metrics,
        "examples": indices,
        "held_out": held_out,
        "pixels": _packed(shown.inputs) if pixels else None,
        "side": side if pixels and side * side == shown.inputs.shape[1] and side > 2 else None,
        "deslant": report.config.data.deslant,
        "inputs": None if pixels else _packed(shown.inputs),
        "targets": _packed(shown.targets),
        "trace": as_document(report),
    }


def _packed(values: AnyArray) -> dict[str, str]:
    """Return an array as text. Doubles that all fit into single precision are stored so, without loss."""
    if values.dtype == np.float64 and np.array_equal(values.astype(np.float32), values):
        values = values.astype(np.float32)
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return {"type": little.dtype.str, "data": base64.b64encode(zlib.compress(little.tobytes(), 9)).decode()}


def _snapshots(history: History, network: Network) -> dict[str, Any] | None:
    """Return the snapshots, rounded to 16 bits with one scale for each tensor, each as the difference from the last.

    Weights of pixels that are always 0 do not change, so differences take less room.
    """
    at_most = int(SNAPSHOT_BYTES / (8 / 3 * network.parameters.size))
    kept = _spread(history.snapshots, at_most)
    if len(kept) < 2:
        return None
    vectors = [snapshot.network.parameters.astype(np.float64) for _, snapshot in kept]
    bounds = np.cumsum([0, *(size for l in network.layers for size in (network.w[l].size, network.b[l].size))])
    scales = [
        max(float(np.abs(vector[start:end]).max()) for vector in vectors) / 32767 or 1.0
        for start, end in zip(bounds, bounds[1:], strict=False)
    ]
    scale = np.repeat(scales, np.diff(bounds))
    rounded = [np.rint(vector / scale).astype(np.int16) for vector in vectors]
    differences = [rounded[0], *(after - before for before, after in zip(rounded, rounded[1:], strict=False))]
    return {
        "steps": [step for step, _ in kept],
        "epochs": [snapshot.state.epoch for _, snapshot in kept],
        "scales": scales,
        "differences": [_packed(difference) for difference in differences],
    }


def _spread(items: Sequence[T], at_most: int) -> list[T]:
    """Return at most so many of the items, evenly spread, with the first and the last."""
    if len(items) <= at_most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (at_most - 1))] for i in range(at_most)] if at_most > 1 else []
