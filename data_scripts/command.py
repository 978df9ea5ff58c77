"""What `python -m data_scripts.idx`, `.mnist` and `.synthetic` share: arguments, signals, errors and exit codes."""

import argparse
import re
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from .errors import DataError

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
ECHO_SECONDS = 1.0  # a second signal within this time is an echo of the first


class Interrupted(BaseException):
    """The command ends because of a signal. It is no Exception, so that no library takes it for an error of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


class Parser(argparse.ArgumentParser):
    """A parser of the arguments of `python -m module`. Wrong usage ends the process with one line and exit code 2."""

    def __init__(self, module: str, description: str) -> None:
        super().__init__(prog=f"python -m {module}", description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        _exit(f"{message} (see `{self.prog} --help`)", 2)


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A type for `Parser.add_argument`: the whole numbers of this range."""

    def read(text: str) -> int:
        if not (re.fullmatch("[0-9]{1,99}", text) and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text}: must be a whole number from {least:,} to {most:,}")
        return int(text)

    return read


def run(command: Callable[[list[str]], None]) -> None:
    """Run a command with the arguments of the process, then exit.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 128 + n after signal n. An error is one line on stderr.
    """
    try:
        _catch_signals()
        command(sys.argv[1:])
        sys.stdout.flush()
    except DataError as error:
        _exit(str(error), 1)
    except OSError as error:
        _exit(f"{error.filename or 'stdout'}: {error.strerror or error}", 1)
    except MemoryError:
        _exit("not enough memory; close other programs", 1)
    except Interrupted as interruption:
        _exit(f"interrupted by {interruption}", 128 + interruption.signal)
    sys.exit(0)


def printable(text: str) -> str:
    """Escape every character that would break, colour or reverse a line, or that the output's encoding has not."""
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    encoding = sys.stdout.encoding or "ascii"
    return escaped.encode(encoding, "backslashreplace").decode(encoding)


def _catch_signals() -> None:
    """Raise Interrupted at a signal, so that unfinished files are removed. Signals that the parent ignores stay so."""
    last = -ECHO_SECONDS

    def interrupt(number: int, _: FrameType | None) -> None:
        nonlocal last
        echo, last = time.monotonic() - last < ECHO_SECONDS, time.monotonic()
        if not echo:
            raise Interrupted(number)

    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)


def _exit(message: str, code: int) -> NoReturn:
    print(f"Error: {printable(message)}", file=sys.stderr)
    sys.exit(code)
