"""Workers share items among threads: results in order, errors raised, and the same with fewer threads."""

import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest

from mnist_nn.training.workers import Workers


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("n", [0, 1, 2, 5, 12])
def test_every_item_is_used_once_whatever_the_number_of_threads(threads: int, n: int) -> None:
    workers, used = Workers(threads), []
    workers.run(used.append, range(n))
    assert sorted(used) == list(range(n))


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_map_returns_results_in_the_order_of_the_items(threads: int) -> None:
    """Even if the first items take longest."""

    def slowly(i: int) -> int:
        time.sleep(0.01 * (i == 0))
        return i * i

    assert Workers(threads).map(slowly, [0, 3, 1, 2, 5]) == [0, 9, 1, 4, 25]
    assert Workers(threads).map(slowly, []) == []


def test_each_thread_takes_neighbouring_items() -> None:
    by_thread: dict[int, list[int]] = {}
    Workers(3).run(lambda i: by_thread.setdefault(threading.get_ident(), []).append(i), range(8))
    assert sorted(by_thread.values()) == [[0, 1], [2, 3, 4], [5, 6, 7]]
    assert by_thread[threading.get_ident()] == [0, 1]


@pytest.mark.parametrize("bad", range(6))
def test_an_error_is_raised_after_the_other_threads_ended(bad: int) -> None:
    """The thread that met the error leaves its later items out, and the workers can be used again."""
    workers, raising, done = Workers(3), threading.Event(), []

    def work(i: int) -> None:
        if i == bad:
            raising.set()
            raise ValueError(f"item {i}")
        if i // 2 != bad // 2:
            raising.wait(60)
            time.sleep(0.02)
        done.append(i)

    with pytest.raises(ValueError, match=f"item {bad}"):
        workers.run(work, range(6))
    left_out = {bad, bad | 1}
    assert set(done) == set(range(6)) - left_out
    assert workers.map(abs, [-1, -2, -3]) == [1, 2, 3]


def test_an_error_of_map_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        Workers(2).map(lambda i: 1 / i, [1, 2, 0])


def overflow(_: int) -> float:
    return float(np.exp(np.full(3, 1e9, np.float32)).max())


def test_threads_follow_the_callers_numpy_warnings() -> None:
    """Every item overflows, in each of three threads. Without the setting each of them warns."""
    workers = Workers(3)
    with np.errstate(over="ignore"):
        assert workers.map(overflow, range(3)) == [np.inf] * 3
    for i in range(3):
        with pytest.raises(RuntimeWarning, match="overflow"):
            workers.run(lambda item, i=i: item == i and overflow(i), range(3))
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        workers.run(lambda item: item == 2 and overflow(item), range(3))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with np.errstate(over="ignore"):
            workers.run(overflow, range(3))
    assert caught == []


@pytest.mark.parametrize("available", [0, 1, 2])
def test_with_fewer_threads_than_wanted_the_results_are_the_same(
    available: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system starts so many threads, and no more."""
    left, begin = iter(range(available)), threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if next(left, None) is None:
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    workers = Workers(4)
    assert workers.threads == 1 + available
    assert workers.map(lambda i: 10 * i, range(9)) == [10 * i for i in range(9)]


def test_threads_are_added_but_not_taken_away() -> None:
    workers = Workers()
    assert workers.threads == 1
    for wanted, threads in ((3, 3), (2, 3), (4, 4), (1, 4)):
        workers.use_threads(wanted)
        assert workers.threads == threads


def test_workers_leave_no_thread_behind() -> None:
    before = set(threading.enumerate())
    workers = Workers(4)
    helpers = set(threading.enumerate()) - before
    assert len(helpers) == 3
    del workers
    for helper in helpers:
        helper.join(60)
        assert not helper.is_alive()


def test_one_process_adds_and_gathers_alone() -> None:
    vector = np.arange(3.0)
    workers = Workers()
    workers.add(vector)
    assert vector.tolist() == [0, 1, 2]
    assert workers.gather("mine") == ["mine"]
    assert (workers.rank, workers.processes) == (0, 1)


def test_a_forked_process_goes_on_alone() -> None:
    """Its parent's threads are not there, and it does not wait for them."""
    workers = Workers(3)
    assert workers.map(str, range(5)) == list("01234")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on, fork warns of threads
        child = os.fork()
    if not child:
        signal.alarm(30)
        os._exit(0 if workers.map(str, range(5)) == list("01234") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert workers.map(str, range(5)) == list("01234")
