"""Small helpers for what is printed."""


def counted(n: int, noun: str) -> str:
    """Such as "1 epoch" or "10,000 examples"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
