"""Helpers that format text and numbers for printing."""

import contextlib

import click

# Invisible fillers and variation selectors that `str.isprintable` accepts.
INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800" + "".join(map(chr, range(0xFE00, 0xFE10)))


def note(message: str) -> None:
    """Print a message on stderr, beside the results on stdout. A stderr that cannot be written is no error."""
    with contextlib.suppress(OSError):
        click.echo(message, err=True)


def printable(text: str) -> str:
    """Escape every character that is invisible, or that would break, colour or reverse a line."""
    return "".join(c if c.isprintable() and c not in INVISIBLE else c.encode("unicode_escape").decode() for c in text)


def counted(n: int, noun: str) -> str:
    """Return a number with its noun, such as "1 epoch" or "10,000 examples"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def percent(ratio: float | None) -> str:
    """Format a ratio as a percentage with two decimals, or as a dash for None."""
    return "–" if ratio is None else f"{100 * ratio:.2f}%"


def number(value: float) -> str:
    """Format a number with its sign in nine columns: with six decimals, seven digits, or an exponent."""
    size = abs(value)
    if size == 0 or 1e-3 <= size < 1:
        return f"{value or 0.0:+.6f}"
    return f"{value:+#.7g}" if 1 <= size < 1e6 else f"{value:+.2e}"


def cost(value: float) -> str:
    """Format a cost with six decimals and no sign. A very small or large cost has six significant digits."""
    return f"{value:.6f}" if value == 0 or 1e-3 <= value < 1e6 else f"{value:.6g}"


def distinguishable(before: float, after: float) -> tuple[str, str]:
    """Format two numbers with the fewest digits that show their difference, at least seven."""
    digits = next((n for n in range(7, 17) if f"{before:.{n}g}" != f"{after:.{n}g}"), 17)
    return f"{before:#.{digits}g}", f"{after:#.{digits}g}"
