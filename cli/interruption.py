"""Ctrl-C and SIGTERM as something to look at between two batches, so that the state can be saved first."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any


class Interrupted(Exception):
    """The command stopped in good order because of a signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


@dataclass
class Caught:
    """The number of the signal that came, or 0."""

    signal: int = 0


@contextmanager
def signals_caught() -> Iterator[Caught]:
    """Note SIGINT and SIGTERM instead of dying of them. A second one has its usual effect, at once."""
    caught = Caught()
    previous: dict[signal.Signals, Any] = {}

    def note(number: int, _: FrameType | None) -> None:
        caught.signal = number
        restore()

    def restore() -> None:
        for known, handler in previous.items():
            signal.signal(known, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, note)
    try:
        yield caught
    finally:
        restore()
