"""Small helpers for what is printed."""

import contextlib

import click


def note(message: str) -> None:
    """Say something beside the results, on stderr. Nothing ends because nobody can hear it."""
    with contextlib.suppress(OSError):
        click.echo(message, err=True)


def counted(n: int, noun: str) -> str:
    """Such as "1 epoch" or "10,000 examples"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
