"""The named initialization schemes: the variance of the weights, the values of z, and what is drawn at random."""

import numpy as np
import pytest

from mnist_nn import Config, Network, forward, initial_state
from mnist_nn.chapter.activation import ActivationName
from mnist_nn.training.initialization import SCHEMES, InitName, initialize

SIZES = (400, 300, 200, 10)


def network(
    scheme: InitName, seed: int = 0, activation: ActivationName = "sigmoid", **options: ActivationName
) -> Network:
    made = Network(SIZES, activation=activation, dtype=np.float64, **options)
    initialize(made, scheme, np.random.default_rng(seed))
    return made


@pytest.mark.parametrize(
    ("scheme", "variance"),
    [
        ("standard_normal", lambda n_in, n_out: 1.0),
        ("lecun_normal", lambda n_in, n_out: 1 / n_in),
        ("glorot_uniform", lambda n_in, n_out: 2 / (n_in + n_out)),
        ("he_normal", lambda n_in, n_out: 2 / n_in),
    ],
)
def test_each_scheme_draws_weights_with_its_variance(scheme: InitName, variance: object) -> None:
    made = network(scheme)
    for l in made.layers:
        expected = variance(SIZES[l - 1], SIZES[l])  # type: ignore[operator]
        assert made.w[l].var() == pytest.approx(expected, rel=0.1)  # over at least 2,000 numbers
        assert abs(made.w[l].mean()) < 0.1 * np.sqrt(expected)
        if scheme == "standard_normal":
            assert made.b[l].std() == pytest.approx(1.0, rel=0.5)
        else:
            assert not made.b[l].any()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_same_seed_gives_the_same_parameters(scheme: InitName) -> None:
    """Values that were in the arrays before do not matter. Another seed gives other parameters."""
    first, other = network(scheme), network(scheme, seed=1)
    again = Network(SIZES, dtype=np.float64)
    again.parameters.fill(7)
    initialize(again, scheme, np.random.default_rng(0))
    np.testing.assert_array_equal(first.parameters, again.parameters)
    assert not np.array_equal(first.parameters, other.parameters)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "identity"])
def test_centred_starts_hidden_z_with_mean_0_and_variance_1(activation: ActivationName) -> None:
    """This holds in every hidden layer, over many inputs of mean square 1."""
    made = network("centred", activation=activation)
    passed = forward(made, np.random.default_rng(1).standard_normal((SIZES[0], 2000)))
    for l in (1, 2):
        assert abs(passed.z[l].mean()) < 0.1
        assert passed.z[l].var() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "relu", "identity"])
def test_centred_starts_outputs_near_the_base_rate(output: ActivationName) -> None:
    made = network("centred", output=output)
    a = forward(made, np.random.default_rng(1).standard_normal((SIZES[0], 2000))).a[3]
    assert np.median(a) == pytest.approx(0.1, abs=0.03)


def test_centred_equals_he_for_relu_in_middle_layers() -> None:
    """The first and the last layer differ."""
    centred, he = network("centred", activation="relu"), network("he_normal", activation="relu")
    np.testing.assert_allclose(centred.w[2], he.w[2], rtol=1e-6)


def test_centred_biases_subtract_half_the_sum_of_weights() -> None:
    """This applies to the layers above a sigmoid layer. The output biases also add the logit of the base rate."""
    made = network("centred")
    np.testing.assert_allclose(made.b[1], 0)
    np.testing.assert_allclose(made.b[2], -0.5 * made.w[2].sum(axis=1, keepdims=True), rtol=1e-12)
    logit = np.log(0.1 / 0.9)
    np.testing.assert_allclose(made.b[3], logit - 0.5 * made.w[3].sum(axis=1, keepdims=True), rtol=1e-12)


def test_one_output_neuron_starts_at_one_half() -> None:
    config = Config.model_validate({"network": {"sizes": [784, 300, 1], "init": "centred"}})
    made = initial_state(config).network
    assert abs(float(made.b[2][0, 0]) + 0.5 * float(made.w[2].sum())) < 1e-5
