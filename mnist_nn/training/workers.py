"""Workers that share the work of training: the threads of this process, and other processes where there are any.

No result depends on the number of workers. A sum over processes is added in one fixed order (see `tree_sum`), and a
result of `map` is the same whoever computed it.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Thread, current_thread
from typing import Any, TypeVar

from ..chapter.activation import Array
from ..examples.shuffling import cut

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """The threads of this process, and no other process. A subclass can connect several processes.

    `rank` counts the processes from 0.
    """

    rank, processes = 0, 1

    def __init__(self, threads: int = 1) -> None:
        self._helpers: list[tuple[ThreadPoolExecutor, Thread]] = []
        self.use_threads(threads)

    def use_threads(self, threads: int) -> None:
        """Use at least this number of threads, or fewer where the system does not give as many."""
        while self.threads < threads:  # an executor for each, so that share i is always thread i's
            helper = ThreadPoolExecutor(1)
            try:
                thread = helper.submit(current_thread).result()
            except RuntimeError:  # can't start new thread
                break
            self._helpers.append((helper, thread))

    @property
    def threads(self) -> int:
        return 1 + len(self._helpers)

    def add(self, vector: Array) -> None:
        """Replace the vector by the sum of the vectors of all processes, in place."""

    def gather(self, mine: Any) -> list[Any]:
        """What each process passed, in the order of the processes."""
        return [mine]

    def run(self, function: Callable[[Item], object], items: Sequence[Item]) -> None:
        """Call a function with each item, in the threads of this process. Each thread takes neighbouring items."""
        if not all(thread.is_alive() for _, thread in self._helpers):  # a fork has left them behind
            self._helpers.clear()
        shares = [items[cut(len(items), i, self.threads)] for i in range(self.threads)]
        running: list[Future[None]] = [
            helper.submit(copy_context().run, _call, function, share)
            for (helper, _), share in zip(self._helpers, shares[1:], strict=True)
            if share
        ]
        try:
            _call(function, shares[0])
        finally:
            for future in running:
                future.exception()  # wait, so that no thread goes on after an error
        for future in running:
            future.result()

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """The results of a function for each item, in order. All processes and threads take some of the items."""
        mine: dict[int, Result] = {}

        def compute(i: int) -> None:
            mine[i] = function(items[i])

        self.run(compute, range(self.rank, len(items), self.processes))
        results = {i: result for part in self.gather(mine) for i, result in part.items()}
        return [results[i] for i in range(len(items))]


def _call(function: Callable[[Item], object], items: Iterable[Item]) -> None:
    for item in items:
        function(item)
