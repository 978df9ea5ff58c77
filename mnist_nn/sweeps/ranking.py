"""Whether the difference between two settings is more than chance: Welch's t test.

Source: B. L. Welch, "The generalization of 'Student's' problem when several different population variances are
involved", Biometrika 34, 1947.
"""

import math
from dataclasses import dataclass

from ..runs.comparing import Group

# Student's t for 1, 2, … degrees of freedom: chance alone brings more, in either direction, in 5 of 100 cases.
T_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10)
T_95_BEYOND = 2.09  # the next one; later ones fall to 1.96


@dataclass(frozen=True)
class Lead:
    """How far the mean accuracy of one group is above another's, and the standard error of this difference.

    `error` is None where a group has fewer than two runs. `freedom` are the degrees of freedom.
    """

    difference: float
    error: float | None = None
    freedom: float = 1.0

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would bring such a difference in less than 5 of 100 cases."""
        if self.error is None:
            return False
        whole = max(1, math.floor(self.freedom))
        return self.difference > self.error * (T_95[whole - 1] if whole <= len(T_95) else T_95_BEYOND)


def lead(first: Group, second: Group) -> Lead | None:
    """How far a group leads another. None where one of them has no accuracy."""
    if first.mean is None or second.mean is None:
        return None
    difference = first.mean - second.mean
    if first.deviation is None or second.deviation is None:
        return Lead(difference)
    n, other_n = len(first.accuracies), len(second.accuracies)
    square, other = first.deviation**2 / n, second.deviation**2 / other_n
    spread = square**2 / (n - 1) + other**2 / (other_n - 1)
    return Lead(difference, math.sqrt(square + other), (square + other) ** 2 / spread if spread else 1.0)
