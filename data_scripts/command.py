"""What `python -m data_scripts.idx`, `.mnist` and `.synthetic` share: one line for an error, and the exit code."""

import sys
from collections.abc import Callable

from .errors import DataError


class UsageError(Exception):
    """The command line is wrong. The message says what is right."""


def run(command: Callable[[list[str]], None]) -> None:
    """Run a command with the arguments of the process, then exit.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 130 after Ctrl-C. An error is one line on stderr.
    """
    try:
        command(sys.argv[1:])
        sys.stdout.flush()
    except UsageError as error:
        _exit(str(error), 2)
    except DataError as error:
        _exit(str(error), 1)
    except OSError as error:
        _exit(f"{error.filename or 'stdout'}: {error.strerror or error}", 1)
    except MemoryError:
        _exit("not enough memory; close other programs", 1)
    except KeyboardInterrupt:
        _exit("interrupted", 130)
    sys.exit(0)


def printable(text: str) -> str:
    """Escape every character that would break, colour or reverse a line, or that the output's encoding has not."""
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    encoding = sys.stdout.encoding or "ascii"
    return escaped.encode(encoding, "backslashreplace").decode(encoding)


def _exit(message: str, code: int) -> None:
    print(f"Error: {printable(message)}", file=sys.stderr)
    sys.exit(code)
