"""Small helpers for what is printed."""

import contextlib

import click

# Fillers and selectors, which Python calls printable.
INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800" + "".join(map(chr, range(0xFE00, 0xFE10)))


def note(message: str) -> None:
    """Say something beside the results, on stderr. Nothing ends because nobody can hear it."""
    with contextlib.suppress(OSError):
        click.echo(message, err=True)


def printable(text: str) -> str:
    """With whatever is invisible, or would break, colour or reverse a line, escaped."""
    return "".join(c if c.isprintable() and c not in INVISIBLE else c.encode("unicode_escape").decode() for c in text)


def counted(n: int, noun: str) -> str:
    """Such as "1 epoch" or "10,000 examples"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def number(value: float) -> str:
    """Nine columns: seven digits or six decimals, or an exponent where these would lose what matters."""
    size = abs(value)
    if size == 0 or 1e-3 <= size < 1:
        return f"{value or 0.0:+.6f}"
    return f"{value:+#.7g}" if 1 <= size < 1e6 else f"{value:+.2e}"


def cost(value: float) -> str:
    """The same without a sign, and with as many digits for small ones."""
    return f"{value:.6f}" if value == 0 or 1e-3 <= value < 1e6 else f"{value:.6g}"


def apart(before: float, after: float) -> tuple[str, str]:
    """Both with as many digits as it takes to tell them apart, at least seven."""
    digits = next((n for n in range(7, 17) if f"{before:.{n}g}" != f"{after:.{n}g}"), 17)
    return f"{before:#.{digits}g}", f"{after:#.{digits}g}"
