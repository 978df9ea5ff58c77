"""The differences between two configurations, or other nested dictionaries."""

from collections.abc import Iterator
from typing import Any


def changes(first: dict[str, Any], second: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield every dotted key whose values differ between two nested dictionaries, with both values."""
    for key in first | second:
        one, other = first.get(key), second.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from changes(one, other, f"{prefix}{key}.")
        elif one != other:
            yield f"{prefix}{key}", one, other
