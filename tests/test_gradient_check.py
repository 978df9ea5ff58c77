"""The gradient check: what passes, what fails, what is skipped, and the effect of h."""

import tracemalloc

import numpy as np
import pytest
from test_backprop import COMBINATIONS, batch, small_network

from mnist_nn import COSTS, Network, backprop, check_gradient, forward
from mnist_nn.chapter.backprop import Gradient
from mnist_nn.explaining.gradient_check import (
    RELATIVE,
    Difference,
    differences_over_h,
    sample_parameters,
)
from mnist_nn.explaining.parameter import Parameter

SQUARED_ERROR = COSTS["squared_error"]


def chain(sizes: list[int], spread: float, random: np.random.Generator, **names: str) -> Network:
    network = Network(sizes, dtype=np.float64, **names)
    network.parameters[:] = random.normal(0, spread, network.parameters.size)
    return network


@pytest.mark.parametrize(("activation", "output", "cost"), COMBINATIONS)
def test_the_gradient_equals_central_differences_in_every_parameter(
    activation: str, output: str, cost: str, random: np.random.Generator
) -> None:
    network = small_network(random, activation, output)
    x, y = batch(random)
    gradient = backprop(network, COSTS[cost], forward(network, x), y).gradient
    check = check_gradient(network, COSTS[cost], x, y, gradient)
    assert check.passed
    assert check.parameters == network.parameters.size
    assert check.max_relative_error <= 1e-7


@pytest.mark.parametrize("entry", range(3))
def test_one_entry_wrong_by_a_thousandth_fails_the_check(entry: int, random: np.random.Generator) -> None:
    network = small_network(random, "sigmoid", "sigmoid")
    x, y = batch(random)
    cost = SQUARED_ERROR
    gradient = backprop(network, cost, forward(network, x), y).gradient
    index = int(np.argsort(np.abs(gradient.vector))[[0, 20, -1][entry]])
    gradient.vector[index] *= 1.001
    check = check_gradient(network, cost, x, y, gradient)
    assert not check.passed
    assert check.worst == Parameter.at(network, index)


def test_a_nan_in_the_gradient_fails_the_check(random: np.random.Generator) -> None:
    network = small_network(random, "sigmoid", "sigmoid")
    x, y = batch(random)
    gradient = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    gradient.vector[3] = np.nan
    assert not check_gradient(network, SQUARED_ERROR, x, y, gradient).passed


def test_the_check_refuses_single_precision() -> None:
    network = Network([2, 1])
    x, y = np.zeros((2, 1), np.float32), np.zeros((1, 1), np.float32)
    gradient = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    with pytest.raises(ValueError, match="float64"):
        check_gradient(network, SQUARED_ERROR, x, y, gradient)


def test_the_check_leaves_the_network_unchanged(random: np.random.Generator) -> None:
    network = small_network(random, "relu", "sigmoid")
    before = network.parameters.copy()
    x, y = batch(random)
    gradient = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    check_gradient(network, SQUARED_ERROR, x, y, gradient)
    np.testing.assert_array_equal(network.parameters, before)


def test_the_check_finds_small_errors_in_a_vanishing_gradient(random: np.random.Generator) -> None:
    network = chain([10] * 7 + [2], 0.25, random)
    x, y = random.random((10, 8)), random.random((2, 8))
    gradient = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    assert np.abs(gradient.dC_dw[1]).max() < 1e-4 * np.abs(gradient.dC_dw[7]).max()
    assert check_gradient(network, SQUARED_ERROR, x, y, gradient).passed
    gradient.dC_dw[1][:] *= 1.001
    check = check_gradient(network, SQUARED_ERROR, x, y, gradient)
    assert not check.passed
    assert check.worst is not None
    assert check.worst.layer == 1


def test_a_correct_gradient_passes_for_large_inputs(random: np.random.Generator) -> None:
    network = chain([3, 4, 2], 0.001, random)
    x, y = 1000 * random.random((3, 5)), random.random((2, 5))
    gradient = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    assert check_gradient(network, SQUARED_ERROR, x, y, gradient).passed


@pytest.mark.parametrize("z", [-40.0, -18.0, 18.0, 30.0, 40.0])
def test_cross_entropy_passes_for_confident_outputs(z: float) -> None:
    network = Network([1, 1], dtype=np.float64)
    network.w[1][:] = z
    x, y = np.ones((1, 1)), np.zeros((1, 1))
    gradient = backprop(network, COSTS["cross_entropy"], forward(network, x), y).gradient
    assert check_gradient(network, COSTS["cross_entropy"], x, y, gradient).passed


def test_derivatives_at_a_kink_are_skipped() -> None:
    """A check that has skipped everything has not passed."""
    network = Network([2, 2, 1], activation="relu", dtype=np.float64)
    network.w[1][:], network.w[2][:] = 1.0, 1.0
    x, y = np.zeros((2, 1)), np.ones((1, 1))  # z(1) is exactly 0
    gradient = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    check = check_gradient(network, SQUARED_ERROR, x, y, gradient)
    assert check.passed
    assert check.skipped == 2  # the biases of layer 1
    nothing = check_gradient(network, SQUARED_ERROR, x, y, gradient, [4, 5])
    assert nothing.skipped == 2
    assert not nothing.passed  # nothing was checked, so nothing has passed


def test_a_kink_in_a_later_layer_is_detected() -> None:
    """One example at a kink above the nudged layer is enough."""
    network = Network([1, 1, 1, 1], activation="relu", dtype=np.float64)
    network.parameters[:] = 1.0
    network.b[1][:], network.b[2][:], network.b[3][:] = 0.0, -1.0, 40.0
    x, y = np.array([[5.0, 1.0]]), np.zeros((1, 2))  # z(2) is 4 and exactly 0
    cost = COSTS["cross_entropy"]  # a straight line for a z(3) this large: half the slope would be the same at every h
    gradient = backprop(network, cost, forward(network, x), y).gradient
    check = check_gradient(network, cost, x, y, gradient)
    assert check.passed
    assert (check.parameters, check.skipped) == (2, 4)  # only w(3) and b(3) do not move z(2)


def test_a_wrong_derivative_fails_where_the_true_one_is_tiny(
    random: np.random.Generator,
) -> None:
    """The true derivative is lost in rounding."""
    network = small_network(random, "sigmoid", "sigmoid")
    network.w[2][:, 0] = 1e-12
    x, y = batch(random)
    gradient = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    assert check_gradient(network, SQUARED_ERROR, x, y, gradient).passed
    gradient.dC_dw[1][0, 3] = 1e-6
    check = check_gradient(network, SQUARED_ERROR, x, y, gradient)
    assert not check.passed
    assert check.worst == Parameter(1, 0, 3)


def test_an_infinite_cost_is_skipped() -> None:
    network = Network([1, 1], output="identity", dtype=np.float64)
    network.w[1][:] = 1e200
    check = check_gradient(network, SQUARED_ERROR, np.ones((1, 1)), np.zeros((1, 1)), Gradient(network))
    assert (check.parameters, check.skipped) == (0, 2)


def test_a_zero_derivative_of_a_zero_cost_passes() -> None:
    network = Network([1, 1], output="identity", dtype=np.float64)
    x = y = np.zeros((1, 1))
    gradient = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    check = check_gradient(network, SQUARED_ERROR, x, y, gradient, [0])  # w has no influence
    assert check.passed
    assert check.max_relative_error == 0


def test_grouped_nudges_still_find_every_wrong_entry(random: np.random.Generator) -> None:
    """Each wrong entry is found, no matter which other entries are nudged together with it."""
    network = chain([40, 7, 5, 3], 0.5, random, activation="tanh")
    x, y = (
        random.normal(0, 1, (40, 200)),
        random.random((3, 200)),
    )  # enough examples that a neuron's weights are split into groups
    right = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    check = check_gradient(network, SQUARED_ERROR, x, y, right)
    assert check.passed
    assert check.parameters == network.parameters.size
    for l, j, k in [(1, 0, 0), (1, 3, 39), (1, 6, None), (2, 4, 6), (2, 0, None), (3, 2, 4), (3, 2, None)]:
        wrong = Gradient(network)
        wrong.vector[:] = right.vector
        wrong.vector[Parameter(l, j, k).index(network)] *= 1.001
        check = check_gradient(network, SQUARED_ERROR, x, y, wrong)
        assert not check.passed
        assert check.worst == Parameter(l, j, k)
        assert check.max_relative_error == pytest.approx(1e-3, rel=1e-2)


def test_entries_may_come_in_any_order_and_repeat(random: np.random.Generator) -> None:
    """Each entry is checked only once."""
    network = small_network(random, "sigmoid", "sigmoid")
    x, y = batch(random)
    gradient = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    gradient.vector[7] *= 1.001
    check = check_gradient(network, SQUARED_ERROR, x, y, gradient, iter([30, 7, 0, 22, 7]))
    assert check.parameters == 4
    assert check.worst == Parameter.at(network, 7)


def test_progress_counts_checked_and_skipped_entries() -> None:
    network = Network([2, 2, 1], activation="relu", dtype=np.float64)
    network.w[1][:], network.w[2][:] = 1.0, 1.0
    x, y = np.zeros((2, 1)), np.ones((1, 1))
    gradient = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    done: list[int] = []
    check = check_gradient(network, SQUARED_ERROR, x, y, gradient, report=done.append)
    assert check.skipped == 2
    assert sum(done) == network.parameters.size


def test_checking_a_large_network_takes_little_memory(random: np.random.Generator) -> None:
    network = chain([784, 4, 10], 0.1, random)
    x, y = random.random((784, 64)), random.random((10, 64))
    gradient = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    tracemalloc.start()
    assert check_gradient(network, SQUARED_ERROR, x, y, gradient).passed
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000  # the columns for just one neuron's 785 parameters would be 16 MB


def test_parameter_places_and_vector_indices_convert_both_ways() -> None:
    network = Network([3, 4, 2])
    network.parameters[:] = np.arange(network.parameters.size)
    for index in range(network.parameters.size):
        parameter = Parameter.at(network, index)
        l, j, k = parameter.layer, parameter.j, parameter.k
        assert (network.b[l][j, 0] if k is None else network.w[l][j, k]) == index
        assert parameter.index(network) == parameter.value(network) == index
    with pytest.raises(IndexError):
        Parameter.at(network, network.parameters.size)


def test_a_sample_covers_weights_and_biases_of_every_layer(random: np.random.Generator) -> None:
    """No parameter appears twice."""
    network = small_network(random, "sigmoid", "sigmoid")
    sample = sample_parameters(network, random, per_layer=3)
    places = [Parameter.at(network, index) for index in sample]
    assert len(set(sample)) == len(sample)
    for l in network.layers:
        assert sum(place.layer == l and place.letter == "w" for place in places) == 3
        assert sum(place.layer == l and place.letter == "b" for place in places) == min(3, network.sizes[l])


def differences(
    network: Network, x: np.ndarray, y: np.ndarray, parameter: Parameter, factor: float = 1
) -> list[Difference]:
    """The differences over h, with the derivative of backpropagation multiplied by a factor."""
    gradient = backprop(network, SQUARED_ERROR, forward(network, x), y).gradient
    gradient.vector[parameter.index(network)] *= factor
    return differences_over_h(network, SQUARED_ERROR, x, y, gradient, parameter)


def test_the_error_falls_with_h_squared_until_rounding_dominates(
    random: np.random.Generator,
) -> None:
    network = small_network(random, "sigmoid", "sigmoid")
    x, y = batch(random)
    before = network.parameters.copy()
    over_h = differences(network, x, y, Parameter(2, 1, 2))
    np.testing.assert_array_equal(network.parameters, before)
    assert [d.h for d in over_h] == pytest.approx([10.0**-power for power in range(13)])
    errors = [d.error for d in over_h]
    for power in (1, 2, 3):
        assert errors[power] / errors[power + 1] == pytest.approx(100, rel=0.2)
    best = int(np.argmin(errors))
    assert 4 <= best <= 7
    assert errors[12] > 1000 * errors[best]
    assert [d.passed for d in over_h] == [False] * 3 + [True] * 6 + [False] * 4


def test_a_correct_derivative_near_zero_passes() -> None:
    """A purely relative rule would fail it."""
    network = Network([1, 1], dtype=np.float64)
    network.b[1][:] = 20.0  # saturated: σ′ is 2e-9
    x, y = np.full((1, 1), 0.01), np.zeros((1, 1))
    best = min(differences(network, x, y, Parameter(1, 0, 0)), key=lambda d: d.error)
    assert best.passed
    assert best.error > RELATIVE * abs(best.derivative) > 0


def test_a_derivative_wrong_by_a_thousandth_fails_at_every_h(random: np.random.Generator) -> None:
    network = small_network(random, "sigmoid", "sigmoid")
    x, y = batch(random)
    for l, j, k in [(1, 0, 2), (2, 1, 2), (3, 1, None)]:
        parameter = Parameter(l, j, k)
        assert any(d.passed for d in differences(network, x, y, parameter))
        assert not any(d.passed for d in differences(network, x, y, parameter, factor=1.001))


def test_differences_refuse_single_precision() -> None:
    network = Network([2, 1])
    with pytest.raises(ValueError, match="float64"):
        differences(network, np.zeros((2, 1), np.float32), np.zeros((1, 1), np.float32), Parameter(1, 0, 0))
