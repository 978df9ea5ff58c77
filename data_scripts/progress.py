"""The one kind of progress bar, of the commands and of the scripts."""

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm


def progress_bar(*, quiet: bool = False, **options: Any) -> "tqdm[Any]":
    """Return a bar on stderr with these options of tqdm. It is shown on a terminal only, and vanishes at its end."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("TQDM_")}
    try:  # while it is imported, tqdm takes TQDM_… for defaults, and a bad one would end the command
        from tqdm import tqdm
    finally:
        os.environ.update(hidden)
    tqdm.monitor_interval = 0  # no thread that only redraws
    return tqdm(leave=False, dynamic_ncols=True, disable=quiet or not sys.stderr.isatty(), **options)
