"""Sums of vectors in one fixed order, whoever adds: a binary tree over neighbours, (0 + 1) + (2 + 3) + ….

Floating-point addition commutes, but the result of a longer sum depends on its order. So the order is fixed: at
distance d = 1, 2, 4, … vector i gets vector i + d added, for every i that is a multiple of 2d.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ..chapter.activation import Array

SHORT = 200_000  # a vector with fewer elements · processes is exchanged whole, because that takes half as many messages

Exchange = Callable[[Array, int, Array], None]  # send an array to a process, and receive one from it


def add_neighbours(vectors: Sequence[Array], part: slice) -> None:
    """Add this part of 1, 2, 4, … vectors of equal length in the order of the tree, into the first.

    The other vectors are overwritten.
    """
    distance = 1
    while distance < len(vectors):
        for i in range(0, len(vectors), 2 * distance):
            np.add(vectors[i][part], vectors[i + distance][part], vectors[i][part])
        distance *= 2


def add_processes(vector: Array, rank: int, processes: int, exchange: Exchange, received: Array) -> None:
    """Replace the vector of each of 1, 2, 4, … processes by the sum over all of them, in the order of the tree.

    At each distance two partners have the same range of the vector. Each sends one half of it, and adds what it
    receives to the other half. Then the halves are exchanged in the reverse order. So a process sends
    2 (N − 1)/N vectors in 2 log₂ N messages. Partners send each other short vectors whole: log₂ N vectors in log₂ N
    messages. `received` is a buffer as long as the vector. (Thakur, Rabenseifner and Gropp 2005: recursive halving and
    doubling, here with the distance doubling first.)
    """
    if len(vector) * processes < SHORT:
        _add_whole(vector, rank, processes, exchange, received)
    else:
        _add_halves(vector, rank, processes, exchange, received)


def _add_whole(vector: Array, rank: int, processes: int, exchange: Exchange, received: Array) -> None:
    distance = 1
    while distance < processes:
        exchange(vector, rank ^ distance, received)
        np.add(vector, received, vector)
        distance *= 2


def _add_halves(vector: Array, rank: int, processes: int, exchange: Exchange, received: Array) -> None:
    kept = slice(0, len(vector))
    exchanged: list[tuple[int, slice, slice]] = []
    distance = 1
    while distance < processes:
        partner, middle = rank ^ distance, (kept.start + kept.stop) // 2
        kept, sent = slice(kept.start, middle), slice(middle, kept.stop)
        if rank > partner:
            kept, sent = sent, kept
        other = received[: kept.stop - kept.start]
        exchange(vector[sent], partner, other)
        np.add(vector[kept], other, vector[kept])
        exchanged.append((partner, kept, sent))
        distance *= 2
    for partner, kept, sent in reversed(exchanged):
        exchange(vector[kept], partner, vector[sent])
