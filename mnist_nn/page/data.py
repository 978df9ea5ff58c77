"""The data from which the page computes: networks, examples, and the course of the training, as one JSON document.

Arrays are compressed with zlib, written in base64, and named by their type in NumPy's notation. Only the snapshots are
rounded.
"""

import base64
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..chapter.network import Network
from ..configuration.schema import Config
from ..examples.dataset import Examples
from ..runs.checkpoint import Checkpoint
from ..runs.comparing import setting_text, settings_of
from .history import History
from .report import Report, as_document

GALLERY = 64  # examples on the page at least, if the split has so many
SNAPSHOT_BYTES = 16e6  # of all snapshots on a page; of a large network only some are kept

T = TypeVar("T")
AnyArray = NDArray[Any]


@dataclass(frozen=True)
class Other:
    """The network that a page shows beside the first one: its name, its checkpoint, and how it came to be."""

    name: str
    checkpoint: Checkpoint
    history: History


def page_data(report: Report, examples: Examples, history: History, other: Other | None = None) -> dict[str, Any]:
    """Return the data of the page. `examples` is the whole split of the report. With an `other` network: of both."""
    indices = sorted({*range(min(GALLERY, len(examples))), *report.inspection.indices})
    held_out = [i for i in range(len(examples)) if i not in set(indices)][: len(indices)]
    shown = examples[np.array(indices + held_out)]
    side = math.isqrt(shown.inputs.shape[1])
    pixels = shown.inputs.dtype == np.uint8
    room = SNAPSHOT_BYTES / (1 if other is None else 2)
    return {
        **_network_data(report.name, report.config, report.inspection.network, history, room),
        "other": None if other is None else _other_data(report, other, room),
        "examples": indices,
        "held_out": held_out,
        "pixels": _packed(shown.inputs) if pixels else None,
        "side": side if pixels and side * side == shown.inputs.shape[1] and side > 2 else None,
        "deslant": report.config.data.deslant,
        "inputs": None if pixels else _packed(shown.inputs),
        "targets": _packed(shown.targets),
        "trace": as_document(report),
    }


def differing_settings(one: Config, other: Config) -> list[tuple[str, str, str]]:
    """Return the keys in which two configurations differ, each with both values, in the order of config.yaml."""
    settings, others = settings_of(one), settings_of(other)
    return [
        (key, setting_text(value), setting_text(others[key])) for key, value in settings.items() if value != others[key]
    ]


def _other_data(report: Report, other: Other, room: float) -> dict[str, Any]:
    config, network = other.checkpoint.config, other.checkpoint.network
    return {
        **_network_data(other.name, config, network, other.history, room),
        "activation": config.network.activation,
        "output": config.network.output,
        "settings": differing_settings(report.config, config),
    }


def _network_data(name: str, config: Config, network: Network, history: History, room: float) -> dict[str, Any]:
    """Return a network with the states and figures of its training. The snapshots take `room` bytes at most."""
    init = config.network.init
    is_fresh = np.array_equal(history.fresh.parameters, network.parameters)
    return {
        "name": name,
        "learning_rate": config.training.learning_rate,
        "initialization": init if isinstance(init, str) else None,
        "moment": history.moment,
        "parameters": _packed(network.parameters),
        "fresh": None if is_fresh else _packed(history.fresh.parameters),
        "snapshots": _snapshots(history, network, room),
        "metrics": history.metrics,
    }


def _packed(values: AnyArray) -> dict[str, str]:
    """Return an array as text. Doubles that all fit into single precision are stored so, without loss."""
    if values.dtype == np.float64 and np.array_equal(values.astype(np.float32), values):
        values = values.astype(np.float32)
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return {"type": little.dtype.str, "data": base64.b64encode(zlib.compress(little.tobytes(), 9)).decode()}


def _snapshots(history: History, network: Network, room: float) -> dict[str, Any] | None:
    """Return the snapshots, rounded to 16 bits with one scale for each tensor, each as the difference from the last.

    Weights of pixels that are always 0 do not change, so differences take less room.
    """
    at_most = int(room / (8 / 3 * network.parameters.size))
    kept = _spread(history.snapshots, at_most)
    if len(kept) < 2:
        return None
    vectors = [snapshot.network.parameters.astype(np.float64) for _, snapshot in kept]
    bounds = np.cumsum([0, *(size for l in network.layers for size in (network.w[l].size, network.b[l].size))])
    scales = [
        max(float(np.abs(vector[start:end]).max()) for vector in vectors) / 32767 or 1.0
        for start, end in pairwise(bounds)
    ]
    scale = np.repeat(scales, np.diff(bounds))
    rounded = [np.rint(vector / scale).astype(np.int16) for vector in vectors]
    differences = [rounded[0], *(after - before for before, after in pairwise(rounded))]
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
