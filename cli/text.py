"""Small helpers for what is printed."""

import contextlib

import click

ROUNDING = 1e-12  # what is smaller is taken for 0 in texts (not in JSON)


def note(message: str) -> None:
    """Say something beside the results, on stderr. Nothing ends because nobody can hear it."""
    with contextlib.suppress(OSError):
        click.echo(message, err=True)


def counted(n: int, noun: str) -> str:
    """Such as "1 epoch" or "10,000 examples"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def number(value: float) -> str:
    """Nine columns: six decimals, or an exponent where these would lose what matters."""
    if abs(value) < ROUNDING:
        value = 0.0
    return f"{value:+.6f}" if value == 0 or 1e-3 <= abs(value) < 100 else f"{value:+.2e}"


def ratio(numerator: float, denominator: float) -> str:
    """Their quotient, unless the denominator is taken for 0."""
    return number(numerator / denominator) if abs(denominator) >= ROUNDING else "–"


def name_of(layer: int, j: int, k: int | None) -> str:
    """A parameter as the terminal shows it: w(2)[4,12], or b(2)[4] where k is None."""
    return f"b({layer})[{j}]" if k is None else f"w({layer})[{j},{k}]"
