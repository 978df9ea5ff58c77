"""A histogram whose bins have round edges. Zero lies on an edge, never inside a bin."""

import math
from dataclasses import dataclass

MAX_BINS = 9


@dataclass(frozen=True)
class Bin:
    """One bin. `members` are the positions of the values v with low ≤ v < high."""

    low: float
    high: float
    members: list[int]


def histogram(values: list[float]) -> list[Bin]:
    """Return bins of equal width that hold all values, or no bins if a value is not finite.

    The width is 1, 2 or 5 times a power of ten.
    """
    if not values or not all(map(math.isfinite, values)):
        return []
    width = _width(min(values), max(values))
    numbers = [math.floor(value / width) for value in values]
    return [
        Bin(n * width, (n + 1) * width, [i for i, number in enumerate(numbers) if number == n])
        for n in range(min(numbers), max(numbers) + 1)
    ]


def _width(low: float, high: float) -> float:
    """Return the smallest round width for which at most MAX_BINS bins cover low..high."""
    span = max(high - low, 1e-9 * max(abs(low), abs(high))) or 1.0
    power = 10.0 ** math.floor(math.log10(max(span, 1e-300) / MAX_BINS))
    for factor in (1, 2, 5, 10, 20):
        width = factor * power
        if math.floor(high / width) - math.floor(low / width) < MAX_BINS:
            break
    return width
