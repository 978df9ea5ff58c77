"""The entry point of `nn` and of `python -m nn_cli`: loads the program, so that Ctrl-C ends even that quietly.

It imports next to nothing itself, because Ctrl-C shows a traceback until `main` runs.
"""

import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, then exit the process.

    Without `arguments` the process is this command's own. Then Ctrl-C ends it silently before the command begins and
    after it has ended; in between, it is handled by `nn_cli.interruption`.
    """
    if arguments is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from .main import main as run

        run(arguments)
    except (ImportError, MemoryError, OSError) as error:  # the parts that `run` itself needs to explain errors
        reason = str(error) or "not enough memory"
        sys.exit(f"Error: nn cannot be loaded: {reason}; free some memory, or install nn again")


if __name__ == "__main__":
    main()
