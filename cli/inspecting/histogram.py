"""Numbers counted in bins with round edges, of which 0 is one."""

import math
from dataclasses import dataclass

AT_MOST = 9  # bins


@dataclass(frozen=True)
class Bin:
    """`members` are the positions of the values v with low ≤ v < high."""

    low: float
    high: float
    members: list[int]


def histogram(values: list[float]) -> list[Bin]:
    """Bins of equal width, 1, 2 or 5 times a power of ten, that hold all values; none where a value is not finite."""
    if not values or not all(map(math.isfinite, values)):
        return []
    width = _width(min(values), max(values))
    place = [math.floor(value / width) for value in values]
    return [
        Bin(n * width, (n + 1) * width, [i for i, at in enumerate(place) if at == n])
        for n in range(min(place), max(place) + 1)
    ]


def _width(low: float, high: float) -> float:
    """The smallest round width with which at most AT_MOST bins hold low..high."""
    span = max(high - low, 1e-9 * max(abs(low), abs(high))) or 1.0
    power = 10.0 ** math.floor(math.log10(max(span, 1e-300) / AT_MOST))
    for factor in (1, 2, 5, 10, 20):
        width = factor * power
        if math.floor(high / width) - math.floor(low / width) < AT_MOST:
            break
    return width
