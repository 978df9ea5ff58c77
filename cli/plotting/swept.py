"""What a sweep is about, as plain values: its keys, their values in order, and the accuracy of each combination."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any, Literal

from mnist_nn.runs.comparing import Group, setting_text
from mnist_nn.runs.selecting import short_names

from .labels import swept_keys, value_label

Scale = Literal["linear", "log", "symlog", "names"]


@dataclass(frozen=True)
class SweptKey:
    """A swept key: its short name, its different values in order, their texts, and the scale that suits them."""

    key: str
    name: str
    values: Sequence[Any]
    texts: Sequence[str]
    scale: Scale

    def index(self, group: Group) -> int:
        """Return the place of a group's value among the values."""
        return self.values.index(group.settings[self.key])

    def place(self, group: Group) -> float:
        """Return where a group's value is on the axis: the number itself, or the index of a value that is none."""
        return float(self.index(group) if self.scale == "names" else group.settings[self.key])

    @property
    def ticks(self) -> list[float]:
        return [float(i if self.scale == "names" else value) for i, value in enumerate(self.values)]


@dataclass(frozen=True)
class Sweep:
    """Groups of runs that differ in the keys of `axes`, the group with the highest mean accuracy first."""

    axes: Sequence[SweptKey]
    groups: Sequence[Group]

    @cached_property
    def measured(self) -> list[Group]:
        """The groups with an accuracy."""
        return [group for group in self.groups if group.mean is not None]

    @property
    def accuracy_on(self) -> str:
        """ "validation", "train" where nothing is held out, or "" if the runs differ in this."""
        found = {record.accuracy_on for group in self.measured for record in group.records if record.accuracy_on}
        return found.pop() or "" if len(found) == 1 else ""

    @property
    def is_grid(self) -> bool:
        """Whether two keys fill at least half of the table of their values."""
        if len(self.axes) != 2:
            return False
        cells = len(self.axes[0].values) * len(self.axes[1].values)
        return 2 * len({tuple(axis.index(group) for axis in self.axes) for group in self.groups}) >= cells


def sweep_of(groups: Sequence[Group]) -> Sweep:
    """Return the groups with an axis for each key in which they differ."""
    return Sweep([_swept_key(groups, key) for key in swept_keys(groups)], groups)


def _swept_key(groups: Sequence[Group], key: str) -> SweptKey:
    one_of_each = {setting_text(group.settings[key]): group for group in groups}.values()
    ordered = sorted(one_of_each, key=lambda group: rank(group.settings[key]))
    values = [group.settings[key] for group in ordered]
    return SweptKey(key, short_names()[key], values, [value_label(group, key) for group in ordered], scale_of(values))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def rank(value: Any) -> tuple[Any, ...]:
    """Return a sort key: null first, then numbers and lists of numbers by size, then the rest by the alphabet."""
    sizes = value if isinstance(value, list) else [value]
    by_size = all(map(is_number, sizes))
    return value is not None, not by_size, sizes if by_size else [], setting_text(value)


def scale_of(values: Sequence[Any]) -> Scale:
    """Return "log" for numbers that grow by factors, "linear" for other numbers, "names" for what is no number.

    Numbers grow by factors if their median is nearer to the middle of the logarithms than to the middle of the range.
    A zero before such numbers makes it "symlog".
    """
    if not all(map(is_number, values)):
        return "names"
    positive = [float(value) for value in values if value > 0]
    if len(positive) < 3:
        return "linear"
    low, middle, high = min(positive), statistics.median(positive), max(positive)
    share = (middle - low) / (high - low)
    log_share = log(middle / low) / log(high / low)
    if abs(log_share - 0.5) >= abs(share - 0.5):
        return "linear"
    return "log" if len(positive) == len(values) else "symlog"
