"""Processes of one run, simulated by threads of this process: they share nothing but copies that they exchange."""

import pickle
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from mnist_nn.chapter.activation import Array
from mnist_nn.training.tree_sum import add_processes
from mnist_nn.training.workers import Workers

LIMIT = 60  # seconds that a member waits for another, so that no test hangs

Result = TypeVar("Result")


class Lost(Exception):
    """Another member has failed."""


class Team:
    """The mail between n members."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.barrier = threading.Barrier(n)
        self.told: list[bytes] = [b""] * n
        self.mail: dict[tuple[int, int], SimpleQueue[Array | None]] = {
            (sender, receiver): SimpleQueue() for sender in range(n) for receiver in range(n)
        }

    def leave(self, rank: int) -> None:
        """Let nobody wait for this member any longer."""
        self.barrier.abort()
        for receiver in range(self.n):
            self.mail[rank, receiver].put(None)


class Member(Workers):
    """A process of a team. It counts the messages and the numbers that it sends to add vectors."""

    def __init__(self, team: Team, rank: int, threads: int) -> None:
        super().__init__(threads)
        self.rank, self.processes, self._team = rank, team.n, team
        self.messages = self.numbers = 0

    def add(self, vector: Array) -> None:
        add_processes(vector, self.rank, self.processes, self._exchange, np.empty_like(vector))

    def _exchange(self, sent: Array, partner: int, received: Array) -> None:
        self.messages, self.numbers = self.messages + 1, self.numbers + sent.size
        self._team.mail[self.rank, partner].put(sent.copy())
        found = self._team.mail[partner, self.rank].get(timeout=LIMIT)
        if found is None:
            raise Lost
        assert found.shape == received.shape
        received[:] = found

    def gather(self, mine: Any) -> list[Any]:
        self._team.told[self.rank] = pickle.dumps(mine)
        self._team.barrier.wait(LIMIT)
        found = [pickle.loads(told) for told in self._team.told]
        self._team.barrier.wait(LIMIT)
        return found


def on_processes(n: int, job: Callable[[Member], Result], threads: int = 1) -> list[Result]:
    """What a job returns on each of n processes with this number of threads, or the first error that it raises."""
    team, results, errors = Team(n), {}, []

    def run(rank: int) -> None:
        try:
            results[rank] = job(Member(team, rank, threads))
        except BaseException as error:
            errors.append(error)
            team.leave(rank)

    processes = [threading.Thread(target=run, args=(rank,)) for rank in range(n)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if errors:
        raise next(
            (error for error in errors if not isinstance(error, (Lost, threading.BrokenBarrierError))), errors[0]
        )
    return [results[rank] for rank in range(n)]
