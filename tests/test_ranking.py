"""Welch's t test, against values worked out by hand."""

from pathlib import Path

import pytest

from mnist_nn.runs.comparing import Group, RunRecord
from mnist_nn.sweeps.ranking import T_95, T_95_BEYOND, Lead, lead
from mnist_nn.training.state import EpochResult


def group(*accuracies: float) -> Group:
    """Runs with these best accuracies on the examples held out."""
    return Group([RunRecord(Path(str(i)), best=epoch(accuracy)) for i, accuracy in enumerate(accuracies)])


def epoch(accuracy: float) -> EpochResult:
    return EpochResult(1, 10, 0.1, 0.25, accuracy, 0.25, accuracy, 1.0)


def test_two_groups_of_three_by_hand() -> None:
    """Means 0.93 and 0.90, both variances 0.01² = 0.0001.

    The error is √(0.0001/3 + 0.0001/3) = 0.0081650. The degrees of freedom are
    (2/3 · 0.0001)² / (2 · (0.0001/3)²/2) = 4, for which 2.78 errors are 0.0227: less than 0.03.
    """
    found = lead(group(0.92, 0.93, 0.94), group(0.89, 0.90, 0.91))
    assert found is not None
    assert found.difference == pytest.approx(0.03)
    assert found.error == pytest.approx(0.0081650, abs=5e-8)
    assert found.freedom == pytest.approx(4)
    assert found.is_significant


def test_groups_of_different_size_and_variance_by_hand() -> None:
    """Means 0.85 and 0.75. Variances 0.005 (n = 2) and 0.0001 (n = 4, deviations ±0.01, ±0.0070711: Σ = 0.0003).

    s²/n is 0.0025 and 0.000025, so the error is √0.002525 = 0.0502494. The degrees of freedom are
    0.002525² / (0.0025²/1 + 0.000025²/3) = 1.020066, which count as 1: 12.71 errors are far more than 0.1.
    """
    found = lead(group(0.8, 0.9), group(0.74, 0.76, 0.75 - 0.01 / 2**0.5, 0.75 + 0.01 / 2**0.5))
    assert found is not None
    assert found.difference == pytest.approx(0.1)
    assert found.error == pytest.approx(0.0502494, abs=5e-8)
    assert found.freedom == pytest.approx(1.020066, abs=5e-7)
    assert not found.is_significant


@pytest.mark.parametrize(
    ("freedom", "needed"),
    [(1.0, 12.71), (2.0, 4.30), (2.99, 4.30), (4.0, 2.78), (18.9, 2.10), (19.0, 2.09), (1e6, 2.09)],
)
def test_the_difference_must_exceed_students_t(freedom: float, needed: float) -> None:
    """The degrees of freedom are rounded down, which is the careful side."""
    assert Lead(needed + 0.001, 1.0, freedom).is_significant
    assert not Lead(needed - 0.001, 1.0, freedom).is_significant


def test_the_table_of_students_t_is_right() -> None:
    """The tabled values to two decimals: rounded, so at most 0.005 away."""
    from scipy import stats

    for freedom, t in enumerate([*T_95, T_95_BEYOND], 1):
        assert t == pytest.approx(stats.t.ppf(0.975, freedom), abs=0.0051)


def test_one_seed_gives_a_difference_without_an_error() -> None:
    for first, second in ((group(0.9), group(0.8)), (group(0.9, 0.9), group(0.8)), (group(0.9), group(0.8, 0.8))):
        found = lead(first, second)
        assert found is not None
        assert found.difference == pytest.approx(0.1)
        assert found.error is None
        assert not found.is_significant


def test_without_any_accuracy_there_is_no_lead() -> None:
    assert lead(group(0.9), Group([RunRecord(Path("x"))])) is None
    assert lead(Group([RunRecord(Path("x"))]), group(0.9)) is None


def test_runs_without_an_epoch_do_not_count() -> None:
    both = group(0.92, 0.93, 0.94)
    assert lead(Group([*both.records, RunRecord(Path("x"))]), group(0.89, 0.90, 0.91)) == lead(
        both, group(0.89, 0.90, 0.91)
    )


def test_equal_groups_are_never_significant() -> None:
    for equal in (group(0.5, 0.5), group(0.4, 0.6)):
        found = lead(equal, equal)
        assert found is not None
        assert (found.difference, found.is_significant) == (0.0, False)
