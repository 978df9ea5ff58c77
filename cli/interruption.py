"""Catch Ctrl-C and SIGTERM, so that training can save its state between two batches before it stops."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

ECHO_SECONDS = 1.0  # a second signal within this time is an echo of the first


class Interrupted(Exception):
    """The command stopped because of a signal, and its state is saved."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


@dataclass
class CaughtSignal:
    """The number of the caught signal, or 0 before any; and the time at which it came, in seconds."""

    signal: int = 0
    time: float = 0.0


@contextmanager
def catch_signals() -> Iterator[CaughtSignal]:
    """Record SIGINT and SIGTERM instead of ending the process.

    A second signal after ECHO_SECONDS ends the process at once.
    An earlier one is ignored as an echo of the first.
    """
    caught = CaughtSignal()
    previous: dict[signal.Signals, Any] = {}

    def on_signal(number: int, _: FrameType | None) -> None:
        if not caught.signal:
            caught.signal, caught.time = number, time.monotonic()
        elif time.monotonic() - caught.time > ECHO_SECONDS:
            signal.signal(number, previous[signal.Signals(number)])
            signal.raise_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, on_signal)
    try:
        yield caught
    finally:
        for known, handler in previous.items():
            signal.signal(known, handler)
