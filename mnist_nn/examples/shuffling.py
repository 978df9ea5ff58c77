"""The order of the examples in each epoch, cut into slices of steps, batches and shares.

Each epoch has its own order of all examples, and the epoch's batches are consecutive places in this order. A batch can
be cut into shares for several processes, and again into parts. Neighbouring shares hold neighbouring places.
"""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..randomness import stream
from .dataset import Labels


def cut(m: int, i: int, n: int) -> slice:
    """The place of share i when m examples are cut into n shares, whose sizes differ by at most one."""
    return slice(m * i // n, m * (i + 1) // n)


@dataclass(frozen=True)
class Slice:
    """Steps first..last−1 of an epoch (counted from 0), with the examples that this process contributes to them.

    `sizes` are the sizes of the batches over all processes. `rows` are this process's rows of the training examples,
    batch after batch, and `places` are the places of these rows in the order of the epoch. Both have shape (k,).
    """

    epoch: int
    first: int
    last: int
    sizes: list[int]
    rows: Labels
    places: Labels
    ends_epoch: bool


@dataclass(frozen=True)
class Shuffling:
    """The order of n examples in batches of m, in slices of at most `steps` steps, for process `rank` of `processes`.

    The order of an epoch takes 4 bytes for each example.
    """

    seed: int
    n: int
    m: int
    steps: int
    rank: int = 0
    processes: int = 1

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.n // self.m)

    def slices(self, epochs: int, epoch: int = 0, step: int = 0, cuts: Sequence[int] = ()) -> Iterator[Slice]:
        """Yield the slices of `epochs` epochs, from this step of this epoch on.

        A slice also ends at each of the `cuts`: steps counted from the start of training, ascending.
        """
        while epoch < epochs:
            order, before = self.order(epoch), epoch * self.steps_per_epoch
            while step < self.steps_per_epoch:
                i = bisect(cuts, before + step)
                last = min(step + self.steps, self.steps_per_epoch, *(cut - before for cut in cuts[i : i + 1]))
                yield self._slice(epoch, step, last, order)
                step = last
            del order  # before the next one is drawn
            epoch, step = epoch + 1, 0

    def order(self, epoch: int) -> NDArray[np.uint32]:
        """The rows of the examples in the order of an epoch, shape (n,)."""
        order = np.arange(self.n, dtype=np.uint32)
        stream(self.seed, "shuffle", epoch).shuffle(order)
        return order

    def _slice(self, epoch: int, first: int, last: int, order: NDArray[np.uint32]) -> Slice:
        starts = range(first * self.m, last * self.m, self.m)
        sizes = [min(self.m, self.n - start) for start in starts]
        shares = [cut(m, self.rank, self.processes) for m in sizes]
        places = np.concatenate(
            [np.arange(start + share.start, start + share.stop) for start, share in zip(starts, shares, strict=True)]
        )
        return Slice(epoch, first, last, sizes, order[places].astype(np.intp), places, last == self.steps_per_epoch)
