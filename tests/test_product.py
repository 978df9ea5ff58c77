"""The matrix product that adds to what an array holds, in every order of storage."""

import itertools
import threading
import time

import numpy as np
import pytest

from mnist_nn import SGD, Network
from mnist_nn.chapter.network import empty_columns
from mnist_nn.product import LARGE, N, T, order_for, product


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "k", "m"), [(3, 5, 4), (1, 7, 1), (2, 1, 3), (30, 78, 12)])
def test_the_product_is_added_in_every_order(n: int, k: int, m: int, dtype: type, random: np.random.Generator) -> None:
    a, b, held = (random.normal(size=shape).astype(dtype) for shape in ((n, k), (k, m), (n, m)))
    for a_is, b_is, of_a, of_b, of_into in itertools.product((N, T), (N, T), *["FC"] * 3):
        for times, plus in ((1.0, 0.0), (-0.5, 1.0), (2.0, 0.25)):
            into = held.copy(of_into)
            given_a, given_b = (a.T if a_is else a).copy(of_a), (b.T if b_is else b).copy(of_b)
            product(given_a, a_is, given_b, b_is, into, times, plus)
            expected = plus * held.astype(float) + times * (a.astype(float) @ b.astype(float))
            np.testing.assert_allclose(into, expected, rtol=1e-5, atol=1e-5)


def test_an_undefined_array_is_overwritten_without_plus() -> None:
    into = np.full((2, 2), np.nan, order="F")
    product(np.eye(2), N, np.eye(2), N, into)
    np.testing.assert_array_equal(into, np.eye(2))


def test_an_array_with_gaps_is_refused() -> None:
    with pytest.raises(ValueError, match="column by column or row by row"):
        product(np.ones((2, 3)), N, np.ones((3, 2)), N, np.empty((4, 4))[::2, ::2])


def test_large_networks_store_their_arrays_row_by_row() -> None:
    assert (order_for(LARGE - 1), order_for(LARGE)) == ("F", "C")
    for sizes, order in (([784, 30, 10], "F"), ([784, 1000, 10], "C")):
        arrays = empty_columns(Network(sizes), 100)
        assert all(array.flags[f"{order}_CONTIGUOUS"] for array in arrays.values())


def test_other_threads_run_during_a_large_product() -> None:
    a, into = np.ones((1500, 1500)), np.empty((1500, 1500))
    ticks, is_over = [], threading.Event()

    def tick() -> None:
        while not is_over.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    began = time.perf_counter()
    for _ in range(3):
        product(a, N, a, N, into)
    ended = time.perf_counter()
    is_over.set()
    other.join()
    assert sum(began < at < ended for at in ticks) >= 3


@pytest.mark.parametrize("sgd", [SGD(), SGD(0.9), SGD(0, 0.1), SGD(0.5, 0.1)])
def test_backprop_and_step_equals_backprop_then_step(sgd: SGD, random: np.random.Generator) -> None:
    from mnist_nn import COSTS, backprop, forward
    from mnist_nn.chapter.backprop import BackwardPass

    cost, start = COSTS["squared_error"], random.normal(size=Network([4, 3, 2]).parameters.size)
    one, other = (Network([4, 3, 2], dtype=np.float64, parameters=start.copy()) for _ in range(2))
    v, other_v = sgd.new_velocity(one), sgd.new_velocity(other)
    back = BackwardPass.empty(one, 5, sgd.gradient_for(one, v))
    for _ in range(4):
        x, y = random.normal(size=(4, 5)), random.random((2, 5))
        sgd.backprop_and_step(one, cost, forward(one, x), y, back, 0.3)
        sgd.step(other, backprop(other, cost, forward(other, x), y, scale=0.3).gradient, other_v, 0.3)
        np.testing.assert_allclose(one.parameters, other.parameters, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(v, other_v, rtol=1e-12, atol=1e-14)
