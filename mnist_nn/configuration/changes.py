"""The differences between two configurations."""

from collections.abc import Iterator
from typing import Any


def changes(now: dict[str, Any], then: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield every dotted key whose values differ, with both values."""
    for key in now | then:
        mine, other = now.get(key), then.get(key)
        if isinstance(mine, dict) and isinstance(other, dict):
            yield from changes(mine, other, f"{prefix}{key}.")
        elif mine != other:
            yield f"{prefix}{key}", mine, other
