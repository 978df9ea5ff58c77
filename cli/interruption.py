"""Ctrl-C and SIGTERM as something to look at between two batches, so that the state can be saved first."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

PATIENCE = 1.0


class Interrupted(Exception):
    """The command stopped in good order because of a signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


@dataclass
class Caught:
    """The number of the signal that came, or 0; and when."""

    signal: int = 0
    time: float = 0.0


@contextmanager
def signals_caught() -> Iterator[Caught]:
    """Note SIGINT and SIGTERM instead of dying of them.

    Another one after PATIENCE seconds has its usual effect, at once; sooner it is taken for an echo of the first.
    """
    caught = Caught()
    previous: dict[signal.Signals, Any] = {}

    def note(number: int, _: FrameType | None) -> None:
        if not caught.signal:
            caught.signal, caught.time = number, time.monotonic()
        elif time.monotonic() - caught.time > PATIENCE:
            signal.signal(number, previous[signal.Signals(number)])
            signal.raise_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, note)
    try:
        yield caught
    finally:
        for known, handler in previous.items():
            signal.signal(known, handler)
