"""Backpropagation compared with a calculation by hand, a loop over examples, and PyTorch."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest

from mnist_nn import COSTS, SGD, Network, backprop, forward
from mnist_nn.chapter.activation import ACTIVATIONS
from mnist_nn.chapter.backprop import BackwardPass
from mnist_nn.chapter.cost import Cost
from mnist_nn.chapter.network import ForwardPass, aligned_zeros
from mnist_nn.examples.dataset import Batches, Examples

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
    """The chapter's sums, one example, one neuron and one weight at a time."""
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


def test_the_chapters_chain_matches_a_calculation_by_hand() -> None:
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


def test_a_batchs_gradient_is_the_mean_over_its_examples(random: np.random.Generator) -> None:
    network = small_network(random, "sigmoid", "sigmoid")
    x, y = batch(random)
    cost = COSTS["squared_error"]
    of_batch = backprop(network, cost, forward(network, x), y).gradient.vector
    of_each = [
        backprop(network, cost, forward(network, x[:, [k]]), y[:, [k]]).gradient.vector for k in range(x.shape[1])
    ]
    np.testing.assert_allclose(of_batch, np.mean(of_each, axis=0), rtol=1e-12, atol=1e-16)


def test_w_and_b_are_views_of_one_parameter_vector() -> None:
    network = Network([3, 2, 1])
    network.parameters[:] = np.arange(network.parameters.size)
    np.testing.assert_array_equal(network.w[1], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(network.b[1], [[6], [7]])
    np.testing.assert_array_equal(network.w[2], [[8, 9]])
    np.testing.assert_array_equal(network.b[2], [[10]])
    network.w[2][0, 1] = -1
    assert network.parameters[9] == -1


def test_the_videos_network_has_13002_parameters() -> None:
    assert Network([784, 16, 16, 10]).parameters.size == 13_002


def test_parameters_of_the_wrong_length_are_refused() -> None:
    with pytest.raises(ValueError, match="need a vector of 11 parameters"):
        Network([3, 2, 1], parameters=np.zeros(10, np.float32))


@pytest.mark.parametrize("cost", COSTS.values(), ids=lambda cost: cost.name)
def test_scaling_the_cost_scales_the_gradient(cost: Cost, random: np.random.Generator) -> None:
    network = Network([4, 3, 2], dtype=np.float64)
    network.parameters[:] = random.normal(size=network.parameters.size)
    x, y = random.random((4, 5)), np.eye(2)[:, [0, 1, 1, 0, 1]]
    passed = forward(network, x)
    whole = backprop(network, cost, passed, y).gradient.vector
    np.testing.assert_allclose(backprop(network, cost, passed, y, scale=0.3).gradient.vector, 0.3 * whole, rtol=1e-13)


@pytest.mark.parametrize("n", [1, 7, 13_002])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_aligned_vectors_start_at_a_cache_line(n: int, dtype: type) -> None:
    """Parameters and gradients are created this way, filled with zeros."""
    vector = aligned_zeros(n, dtype)
    assert vector.ctypes.data % 64 == 0
    assert (vector.shape, vector.dtype) == ((n,), dtype)
    assert not vector.any()


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_a_training_step_allocates_no_arrays(cost: str, activation: str, random: np.random.Generator) -> None:
    m = 5000  # the smallest array of a batch, its outputs, then takes 200 kB, far more than NumPy's own buffers
    network = Network([784, 30, 10], activation=activation)
    network.parameters[:] = random.normal(0, 0.1, network.parameters.size)
    examples = Examples.from_labels(
        random.integers(0, 256, (m, 28, 28), dtype=np.uint8), random.integers(0, 10, m, dtype=np.uint8), 10
    )
    batches = Batches(examples, m, np.float32)
    passed, back = ForwardPass.empty(network, m), BackwardPass.empty(network, m)
    sgd = SGD(momentum=0.9, l2=1e-4)
    velocity, scratch = sgd.new_velocity(network), np.empty_like(network.parameters)
    rows = random.permutation(m)

    def step() -> None:
        for x, y in batches.batches(rows):
            forward(network, x, out=passed)
            backprop(network, COSTS[cost], passed, y, out=back, scale=0.1)
            sgd.step(network, back.gradient, velocity, 0.1, scratch)

    step()
    tracemalloc.start()
    step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80_000  # even the parameter vector is larger: 95 kB
