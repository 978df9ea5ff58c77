"""The values that a plan tries for one key: a list, or a range such as log:0.01..1:5."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..configuration.messages import quote, shorten
from ..errors import ConfigError

DIGITS = 3  # significant digits of the values in a range, so that they are short to read and to type
MOST = 10_000  # values in a range
EXAMPLE = "log:0.01..1:5, or linear:0..0.9:4"


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high` at equal distances, or at equal ratios if the scale is "log".

    Without a count the range has no fixed values, and values can only be drawn from it.
    """

    scale: str
    low: float
    high: float
    count: int | None = None

    def at(self, share: float, *, whole: bool) -> float:
        """The number at this share of the way from `low` to `high`, rounded: to an integer if `whole`."""
        if share in (0, 1):
            value = self.high if share else self.low
        elif self.scale == "log":
            value = self._rounded(math.exp(math.log(self.low) * (1 - share) + math.log(self.high) * share))
        else:
            value = self._rounded(self.low * (1 - share) + self.high * share)
        return round(value) if whole else value

    def values(self, *, whole: bool) -> list[float]:
        """All values in order, of a range with a count."""
        last = (self.count or 1) - 1
        return [self.at(i / last if last else 0.0, whole=whole) for i in range(last + 1)]

    def _rounded(self, value: float) -> float:
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


@dataclass(frozen=True)
class Axis:
    """A key and what is tried for it. `whole` says that the values of its ranges are integers."""

    key: str
    parts: Sequence[Any]  # a value, or a Range
    whole: bool = False

    @cached_property
    def values(self) -> list[Any] | None:
        """All values in order. None if a range has no fixed values."""
        values = []
        for part in self.parts:
            if not isinstance(part, Range):
                values.append(part)
            elif part.count is None:
                return None
            else:
                values += part.values(whole=self.whole)
        return values

    def draw(self, random: np.random.Generator) -> Any:
        """A random value: each value of a list is equally likely, and so is each part of a range's scale."""
        values = self.values
        if values is not None:
            return values[int(random.integers(len(values)))]
        part = self.parts[int(random.integers(len(self.parts)))]
        return part.at(random.random(), whole=self.whole) if isinstance(part, Range) else part


def read_axis(key: str, tried: Any, *, whole: bool) -> Axis:
    """Read what a plan tries for a key: a list of values and ranges, or one of them. Raises ConfigError."""
    parts = tried if isinstance(tried, list) else [tried]
    if not parts:
        raise ConfigError(f"grid {key}: has no values; give some, such as {key}=VALUE1,VALUE2")
    return Axis(key, [_read_part(key, part, whole=whole) for part in parts], whole)


def _read_part(key: str, part: Any, *, whole: bool) -> Any:
    scale, colon, rest = part.partition(":") if isinstance(part, str) else ("", "", "")
    if not colon or scale not in ("log", "linear"):
        return part
    place = f"grid {key}={shorten(part)}"
    ends, _, count = rest.partition(":")
    low, dots, high = ends.partition("..")
    try:
        found = Range(scale, float(low), float(high), int(count) if count else None)
    except ValueError:
        found = None
    if not dots or found is None or not (math.isfinite(found.low) and math.isfinite(found.high)):
        raise ConfigError(f"{place}: is not a range; write it as {EXAMPLE}")
    if found.low >= found.high:
        raise ConfigError(f"{place}: a range goes from a smaller to a larger number")
    if scale == "log" and found.low <= 0:
        raise ConfigError(f"{place}: a log range begins above 0, not at {quote(found.low)}; use linear:")
    if found.count is not None and not 2 <= found.count <= MOST:
        raise ConfigError(f"{place}: a range has from 2 to {MOST:,} values, not {found.count:,}")
    if found.count is not None and (different := len(set(found.values(whole=whole)))) < found.count:
        kind = "integers" if whole else "values"
        raise ConfigError(f"{place}: has only {different:,} different {kind} of {DIGITS} digits; ask for fewer")
    return found
