"""Backpropagation, held against arithmetic by hand, a loop over examples, nudges of the cost, and PyTorch."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest

from mnist_nn import COSTS, SGD, Network, backprop, check_gradient, forward
from mnist_nn.activation import ACTIVATIONS
from mnist_nn.backprop import BackwardPass
from mnist_nn.cost import Cost
from mnist_nn.dataset import Batch, Examples
from mnist_nn.gradient_check import locate, sample_parameters
from mnist_nn.network import ForwardPass

COMBINATIONS = [
    (activation, output, cost)
    for activation, output, cost in itertools.product(ACTIVATIONS, ACTIVATIONS, COSTS)
    if cost == "squared_error" or output == "sigmoid"
]


def small_network(random: np.random.Generator, activation: str, output: str) -> Network:
    network = Network([5, 4, 3, 2], activation=activation, output=output, dtype=np.float64)
    network.parameters[:] = random.normal(0, 0.8, network.parameters.size)
    return network


def batch(random: np.random.Generator, m: int = 7) -> tuple[np.ndarray, np.ndarray]:
    return random.normal(0, 1, (5, m)), random.random((2, m))


def gradient_by_loops(network: Network, cost: Cost, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The chapter's sums written out, one example, one neuron, one weight at a time."""
    sigma = {
        "sigmoid": (lambda z: 1 / (1 + math.exp(-z)), lambda z, a: a * (1 - a)),
        "tanh": (math.tanh, lambda z, a: 1 - math.tanh(z) ** 2),
        "relu": (lambda z: max(z, 0.0), lambda z, a: float(z > 0)),
        "identity": (lambda z: z, lambda z, a: 1.0),
    }
    total = [np.zeros(0)]
    L, sizes, m = network.L, network.sizes, x.shape[1]
    total = {l: (np.zeros((sizes[l], sizes[l - 1])), np.zeros(sizes[l])) for l in network.layers}
    for k_example in range(m):
        a = {0: list(x[:, k_example])}
        z: dict[int, list[float]] = {}
        for l in network.layers:
            function = sigma[network.activation[l].name][0]
            z[l] = [
                sum(network.w[l][j, k] * a[l - 1][k] for k in range(sizes[l - 1])) + network.b[l][j, 0]
                for j in range(sizes[l])
            ]
            a[l] = [function(value) for value in z[l]]
        target = y[:, k_example]
        if cost.name == "squared_error":
            dC_da = [2 * (a[L][j] - target[j]) for j in range(sizes[L])]
        else:
            dC_da = [(1 - target[j]) / (1 - a[L][j]) - target[j] / a[L][j] for j in range(sizes[L])]
        for l in reversed(network.layers):
            prime = sigma[network.activation[l].name][1]
            for j in range(sizes[l]):
                for k in range(sizes[l - 1]):
                    total[l][0][j, k] += a[l - 1][k] * prime(z[l][j], a[l][j]) * dC_da[j]
                total[l][1][j] += prime(z[l][j], a[l][j]) * dC_da[j]
            dC_da = [
                sum(network.w[l][j, k] * prime(z[l][j], a[l][j]) * dC_da[j] for j in range(sizes[l]))
                for k in range(sizes[l - 1])
            ]
    return np.concatenate([np.concatenate([w.ravel(), b]) for w, b in total.values()]) / m


@pytest.mark.parametrize(("activation", "output", "cost"), COMBINATIONS)
def test_the_gradient_equals_a_loop_over_examples(
    activation: str, output: str, cost: str, random: np.random.Generator
) -> None:
    network = small_network(random, activation, output)
    x, y = batch(random)
    gradient = backprop(network, COSTS[cost], forward(network, x), y).gradient.vector
    expected = gradient_by_loops(network, COSTS[cost], x, y)
    assert np.abs(gradient - expected).max() <= 1e-12 * np.abs(expected).max()


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


@pytest.mark.parametrize(("activation", "output", "cost"), COMBINATIONS)
def test_the_gradient_equals_pytorchs_autograd(
    activation: str, output: str, cost: str, random: np.random.Generator
) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    functions = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "identity": lambda z: z}
    network = small_network(random, activation, output)
    x, y = batch(random)
    gradient = backprop(network, COSTS[cost], forward(network, x), y).gradient

    a, target = torch.from_numpy(x.T.copy()), torch.from_numpy(y.T.copy())
    parameters = []
    for l in network.layers:
        w = torch.from_numpy(network.w[l].copy()).requires_grad_()
        b = torch.from_numpy(network.b[l][:, 0].copy()).requires_grad_()
        parameters += [w, b]
        a = functions[network.activation[l].name](torch.nn.functional.linear(a, w, b))
    if cost == "squared_error":
        C = ((a - target) ** 2).sum(dim=1).mean()
    else:
        C = torch.nn.functional.binary_cross_entropy(a, target, reduction="none").sum(dim=1).mean()
    C.backward()
    expected = np.concatenate([parameter.grad.numpy().ravel() for parameter in parameters])
    assert np.abs(gradient.vector - expected).max() <= 1e-10 * np.abs(expected).max()


def test_the_chapters_chain_of_single_neurons_worked_by_hand() -> None:
    # a(0) = 1, w = 2, 1, b = 0, 0, identity below a sigmoid: z(2) = 2, and y = 0
    network = Network([1, 1, 1], activation="identity", dtype=np.float64)
    network.w[1][:], network.w[2][:] = 2.0, 1.0
    gradient = backprop(
        network, COSTS["squared_error"], forward(network, np.array([[1.0]])), np.array([[0.0]])
    ).gradient
    a = 1 / (1 + math.exp(-2))
    dC_dz = a * (1 - a) * 2 * a  # ∂a/∂z · ∂C/∂a
    assert gradient.dC_dw[2][0, 0] == pytest.approx(2 * dC_dz, rel=1e-14)  # ∂z(2)/∂w(2) = a(1) = 2
    assert gradient.dC_db[2][0, 0] == pytest.approx(dC_dz, rel=1e-14)
    assert gradient.dC_dw[1][0, 0] == pytest.approx(1 * dC_dz, rel=1e-14)  # w(2) = 1, a(0) = 1
    assert gradient.dC_db[1][0, 0] == pytest.approx(1 * dC_dz, rel=1e-14)


def test_the_gradient_of_a_batch_is_the_average_of_its_examples_gradients(random: np.random.Generator) -> None:
    network = small_network(random, "sigmoid", "sigmoid")
    x, y = batch(random)
    cost = COSTS["squared_error"]
    of_batch = backprop(network, cost, forward(network, x), y).gradient.vector
    of_each = [
        backprop(network, cost, forward(network, x[:, [k]]), y[:, [k]]).gradient.vector for k in range(x.shape[1])
    ]
    np.testing.assert_allclose(of_batch, np.mean(of_each, axis=0), rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("entry", range(3))
def test_the_checker_fails_a_gradient_that_is_wrong_by_a_tenth_of_a_percent_in_one_entry(
    entry: int, random: np.random.Generator
) -> None:
    network = small_network(random, "sigmoid", "sigmoid")
    x, y = batch(random)
    cost = COSTS["squared_error"]
    gradient = backprop(network, cost, forward(network, x), y).gradient
    index = int(np.argsort(np.abs(gradient.vector))[[0, 20, -1][entry]])
    gradient.vector[index] *= 1.001
    check = check_gradient(network, cost, x, y, gradient)
    assert not check.passed
    assert check.worst == locate(network, index)


def test_the_checker_fails_a_gradient_that_is_not_a_number(random: np.random.Generator) -> None:
    network = small_network(random, "sigmoid", "sigmoid")
    x, y = batch(random)
    gradient = backprop(network, COSTS["squared_error"], forward(network, x), y).gradient
    gradient.vector[3] = np.nan
    assert not check_gradient(network, COSTS["squared_error"], x, y, gradient).passed


def test_the_checker_refuses_single_precision() -> None:
    network = Network([2, 1])
    x, y = np.zeros((2, 1), np.float32), np.zeros((1, 1), np.float32)
    gradient = backprop(network, COSTS["squared_error"], forward(network, x), y).gradient
    with pytest.raises(ValueError, match="float64"):
        check_gradient(network, COSTS["squared_error"], x, y, gradient)


def test_the_checker_leaves_the_network_as_it_was(random: np.random.Generator) -> None:
    network = small_network(random, "relu", "sigmoid")
    before = network.parameters.copy()
    x, y = batch(random)
    gradient = backprop(network, COSTS["squared_error"], forward(network, x), y).gradient
    check_gradient(network, COSTS["squared_error"], x, y, gradient)
    np.testing.assert_array_equal(network.parameters, before)


def test_a_sample_of_parameters_has_weights_and_biases_of_each_layer_once(random: np.random.Generator) -> None:
    network = small_network(random, "sigmoid", "sigmoid")
    sample = sample_parameters(network, random, per_layer=3)
    places = [locate(network, index) for index in sample]
    assert len(set(sample)) == len(sample)
    for l in network.layers:
        assert sum(layer == l and k is not None for layer, _, k in places) == 3
        assert sum(layer == l and k is None for layer, _, k in places) == min(3, network.sizes[l])


def test_the_parameters_are_one_vector_of_which_w_and_b_are_views() -> None:
    network = Network([3, 2, 1])
    network.parameters[:] = np.arange(network.parameters.size)
    np.testing.assert_array_equal(network.w[1], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(network.b[1], [[6], [7]])
    np.testing.assert_array_equal(network.w[2], [[8, 9]])
    np.testing.assert_array_equal(network.b[2], [[10]])
    network.w[2][0, 1] = -1
    assert network.parameters[9] == -1


def test_the_network_of_the_videos_has_13002_parameters() -> None:
    assert Network([784, 16, 16, 10]).parameters.size == 13_002


def test_parameters_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="need a vector of 11 parameters"):
        Network([3, 2, 1], parameters=np.zeros(10, np.float32))


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_a_training_step_allocates_no_arrays(cost: str, activation: str, random: np.random.Generator) -> None:
    m = 5000  # so that the smallest array of a batch, its outputs, takes 200 kB, well above NumPy's own buffers
    network = Network([784, 30, 10], activation=activation)
    network.parameters[:] = random.normal(0, 0.1, network.parameters.size)
    examples = Examples.from_labels(
        random.integers(0, 256, (m, 28, 28), dtype=np.uint8), random.integers(0, 10, m, dtype=np.uint8), 10
    )
    columns = Batch(examples, m, np.float32)
    passed, back = ForwardPass.empty(network, m), BackwardPass.empty(network, m)
    sgd = SGD(momentum=0.9, l2=1e-4)
    velocity, scratch = sgd.new_velocity(network), np.empty_like(network.parameters)
    rows = random.permutation(m)

    def step() -> None:
        columns.fill(examples, rows)
        forward(network, columns.x, out=passed)
        backprop(network, COSTS[cost], passed, columns.y, out=back)
        sgd.step(network, back.gradient, velocity, 0.1, scratch)

    step()
    tracemalloc.start()
    step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80_000  # the vector of parameters, too, is longer: 95 kB


def chain(sizes: list[int], spread: float, random: np.random.Generator, **names: str) -> Network:
    network = Network(sizes, dtype=np.float64, **names)
    network.parameters[:] = random.normal(0, spread, network.parameters.size)
    return network


def test_the_checker_catches_a_small_error_where_the_gradient_has_nearly_vanished(random: np.random.Generator) -> None:
    network = chain([10] * 7 + [2], 0.25, random)
    x, y = random.random((10, 8)), random.random((2, 8))
    gradient = backprop(network, COSTS["squared_error"], forward(network, x), y).gradient
    assert np.abs(gradient.dC_dw[1]).max() < 1e-4 * np.abs(gradient.dC_dw[7]).max()
    assert check_gradient(network, COSTS["squared_error"], x, y, gradient).passed
    gradient.dC_dw[1][:] *= 1.001
    check = check_gradient(network, COSTS["squared_error"], x, y, gradient)
    assert not check.passed
    assert check.worst is not None
    assert check.worst[0] == 1


def test_the_checker_passes_a_right_gradient_for_inputs_that_are_large(random: np.random.Generator) -> None:
    network = chain([3, 4, 2], 0.001, random)
    x, y = 1000 * random.random((3, 5)), random.random((2, 5))
    gradient = backprop(network, COSTS["squared_error"], forward(network, x), y).gradient
    assert check_gradient(network, COSTS["squared_error"], x, y, gradient).passed


@pytest.mark.parametrize("z", [-40.0, -18.0, 18.0, 30.0, 40.0])
def test_the_checker_passes_cross_entropy_for_confident_outputs(z: float) -> None:
    network = Network([1, 1], dtype=np.float64)
    network.w[1][:] = z
    x, y = np.ones((1, 1)), np.zeros((1, 1))
    gradient = backprop(network, COSTS["cross_entropy"], forward(network, x), y).gradient
    assert check_gradient(network, COSTS["cross_entropy"], x, y, gradient).passed


def test_the_checker_judges_no_derivative_at_a_kink() -> None:
    network = Network([2, 2, 1], activation="relu", dtype=np.float64)
    network.w[1][:], network.w[2][:] = 1.0, 1.0
    x, y = np.zeros((2, 1)), np.ones((1, 1))  # z(1) is exactly 0
    gradient = backprop(network, COSTS["squared_error"], forward(network, x), y).gradient
    check = check_gradient(network, COSTS["squared_error"], x, y, gradient)
    assert check.passed
    assert check.skipped == 2  # the biases of layer 1
    nothing = check_gradient(network, COSTS["squared_error"], x, y, gradient, [4, 5])
    assert nothing.skipped == 2
    assert not nothing.passed  # what was not judged has not passed
