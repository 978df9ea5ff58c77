"""Catch Ctrl-C, SIGTERM and SIGHUP (the terminal is closed), so that a command ends in good order.

A command ends at once, and what it was writing is removed. Training saves its state between two batches first.
A signal that the parent process ignores, as `nohup` does, stays ignored.
"""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
ECHO_SECONDS = 1.0  # a second signal within this time is an echo of the first


class Interrupted(BaseException):
    """The command ends because of a signal. `reported` says whether the user was told already.

    Like KeyboardInterrupt it is no Exception, so that no library takes it for an error of its own.
    """

    def __init__(self, number: int, *, reported: bool = False) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal, self.reported = number, reported


class CaughtSignal:
    """The number of the caught signal, or 0 before any; and the time at which it came, in seconds."""

    signal: int = 0
    time: float = 0.0


_active: list[CaughtSignal] = []  # of the `catch_signals` blocks that are running, the innermost last


@contextmanager
def catch_signals(*, at_once: bool = False) -> Iterator[CaughtSignal]:
    """Record the first signal instead of ending the process. With `at_once`, also raise Interrupted.

    A second signal after ECHO_SECONDS is handled as if none were caught here: it ends the process, or an outer
    `catch_signals` raises Interrupted. An earlier one is ignored as an echo of the first.
    """
    if _active and _active[-1].signal:  # Interrupted was raised, but a library dropped it
        raise Interrupted(_active[-1].signal)
    caught = CaughtSignal()
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    previous: dict[int, Any] = {number: old for number, old in handlers.items() if old not in (signal.SIG_IGN, None)}

    def on_signal(number: int, _: FrameType | None) -> None:
        if not caught.signal:
            caught.signal, caught.time = number, time.monotonic()
            if at_once:
                raise Interrupted(number)
        elif time.monotonic() - caught.time > ECHO_SECONDS:
            signal.signal(number, previous[number])
            signal.raise_signal(number)

    def on_unraisable(lost: Any) -> None:
        """End the process by the signal if Python had to drop Interrupted, for example in a `__del__`."""
        if isinstance(lost.exc_value, Interrupted):
            signal.signal(lost.exc_value.signal, signal.SIG_DFL)
            signal.raise_signal(lost.exc_value.signal)
        previous_hook(lost)

    previous_hook, sys.unraisablehook = sys.unraisablehook, on_unraisable
    _active.append(caught)
    try:
        for number in previous:
            signal.signal(number, on_signal)
        yield caught
        if at_once and caught.signal:  # a library has dropped Interrupted
            raise Interrupted(caught.signal)
    except Exception:
        if at_once and caught.signal:  # a library has made an error of its own out of Interrupted
            raise Interrupted(caught.signal) from None
        raise
    finally:
        _active.pop()
        sys.unraisablehook = previous_hook
        if at_once or not caught.signal:  # otherwise the outer one restores, so that it hears no echo
            for number, old in previous.items():
                signal.signal(number, old)
