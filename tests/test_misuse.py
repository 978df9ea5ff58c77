"""Arrays that do not fit are refused by a ValueError that names the shapes; copies of a network stay whole."""

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mnist_nn import (
    COSTS,
    SGD,
    Config,
    Examples,
    Network,
    backprop,
    check_gradient,
    deslant,
    evaluate,
    forward,
    initial_state,
    prepare_examples,
    train,
)
from mnist_nn.chapter.backprop import BackwardPass, Gradient
from mnist_nn.explaining.inspection import Inspection

SQUARED_ERROR = COSTS["squared_error"]

# Copies


def copies() -> list[Callable[[Any], Any]]:
    return [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]


@pytest.fixture
def network(random: np.random.Generator) -> Network:
    made = Network([3, 4, 2], activation="tanh", dtype=np.float64)
    made.parameters[:] = random.normal(size=made.parameters.size)
    return made


@pytest.mark.parametrize("make", copies())
def test_a_copied_network_learns_as_the_original_does(
    make: Callable[[Any], Any], network: Network, random: np.random.Generator
) -> None:
    x, y = random.normal(size=(3, 5)), random.random((2, 5))
    twin = make(network)
    assert twin.activation == network.activation
    for _ in range(3):
        for one in (network, twin):
            sgd = SGD()
            gradient = backprop(one, SQUARED_ERROR, forward(one, x), y, scale=0.5).gradient
            before = one.w[1].copy()
            sgd.step(one, gradient, sgd.new_velocity(one), 0.5)
            assert (one.w[1] != before).any()
    np.testing.assert_array_equal(twin.parameters, network.parameters)
    assert not np.shares_memory(twin.parameters, network.parameters)
    for l in twin.layers:
        assert np.shares_memory(twin.w[l], twin.parameters)
        assert np.shares_memory(twin.b[l], twin.parameters)


@pytest.mark.parametrize("make", copies())
def test_a_copied_gradient_keeps_its_views(make: Callable[[Any], Any], network: Network) -> None:
    gradient = Gradient(network)
    gradient.vector[:] = np.arange(gradient.vector.size)
    twin = make(gradient)
    np.testing.assert_array_equal(twin.vector, gradient.vector)
    twin.vector[0] = 99
    assert twin.dC_dw[1][0, 0] == 99
    assert gradient.vector[0] == 0


@pytest.mark.parametrize("make", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copied_training_state_trains_to_the_same_bits(make: Callable[[Any], Any]) -> None:
    config = Config.model_validate(
        {"network": {"sizes": [4, 3, 2]}, "training": {"epochs": 2, "momentum": 0.5, "l2": 0.01}}
    )
    examples = Examples.from_labels(np.arange(160, dtype=np.uint8).reshape(40, 2, 2), np.arange(40) % 2, 2)
    state = initial_state(config)
    reports = train(config, state, *examples.split(10))
    next(reports)
    twin = make(state)
    list(reports)
    list(train(config, twin, *examples.split(10)))
    assert twin.network.parameters.tobytes() == state.network.parameters.tobytes()
    assert twin.velocity.tobytes() == state.velocity.tobytes()


@pytest.mark.parametrize("make", copies())
def test_a_copied_backward_pass_is_whole(make: Callable[[Any], Any], network: Network) -> None:
    twin = make(BackwardPass.empty(network, 3))
    assert np.shares_memory(twin.gradient.dC_db[2], twin.gradient.vector)


# Assignment


def test_assigning_to_a_layer_writes_into_the_vector(network: Network) -> None:
    network.w[1] = np.ones((4, 3))
    network.b[2] = [[2.0], [3.0]]
    network.w[2] *= 2
    assert network.parameters[:12].tolist() == [1.0] * 12
    assert network.parameters[-2:].tolist() == [2.0, 3.0]
    assert np.shares_memory(network.w[2], network.parameters)


@pytest.mark.parametrize("name", ["parameters", "w", "b", "sizes", "L", "activation"])
def test_what_belongs_together_cannot_be_replaced(name: str, network: Network) -> None:
    with pytest.raises(AttributeError, match=f"{name} cannot be replaced"):
        setattr(network, name, 0)
    network.parameters *= 0.5  # in place it stays the same vector
    assert network.w[1].base is not None


def test_an_activation_cannot_be_exchanged(network: Network) -> None:
    with pytest.raises(TypeError, match="layers of a network are fixed"):
        network.activation[1] = network.activation[2]


def test_lists_are_refused_as_arrays(network: Network) -> None:
    passed = forward(network, np.zeros((3, 1)))
    for misuse in (
        lambda: forward(network, [[0.0], [0.0], [0.0]]),  # type: ignore[arg-type]
        lambda: backprop(network, SQUARED_ERROR, passed, [[0.0], [0.0]]),  # type: ignore[arg-type]
        lambda: Examples([[0.0]], [[0.0]]),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValueError, match=r"list|NumPy arrays"):
            misuse()


def test_a_forward_pass_of_another_network_is_refused(network: Network) -> None:
    other = forward(Network([3, 5, 2], dtype=np.float64), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="forward pass") as error:
        backprop(network, SQUARED_ERROR, other, np.zeros((2, 1)))
    assert "(3, 5, 2), not (3, 4, 2)" in str(error.value)


@pytest.mark.parametrize("change", ["clear", "popitem"])
def test_layers_cannot_be_taken_away(change: str, network: Network) -> None:
    with pytest.raises(TypeError, match="layers of a network are fixed"):
        getattr(network.w, change)()
    with pytest.raises(TypeError):
        del network.w[1]
    with pytest.raises(TypeError):
        network.w.update({1: np.zeros((4, 3))})
    assert set(network.w) == {1, 2}


# Shapes

small = st.integers(0, 4)
shapes = st.lists(small, min_size=0, max_size=3).map(tuple)
dtypes = st.sampled_from([np.float16, np.float32, np.float64, np.int64, np.uint8])


def names_both(error: pytest.ExceptionInfo[ValueError], given: np.ndarray, needed: str) -> bool:
    """Whether a message names the shape that was given and the one that is needed, or else both dtypes."""
    message = str(error.value)
    shapes_named = f"shape {given.shape}" in message and needed in message
    return shapes_named or (f"is {given.dtype}, " in message and "float64" in message)


@given(shapes, dtypes, shapes, dtypes)
@settings(max_examples=400, deadline=None, derandomize=True)
def test_a_batch_fits_or_is_refused(x_shape: Any, x_dtype: Any, y_shape: Any, y_dtype: Any) -> None:
    network = Network([3, 2], dtype=np.float64)
    x, y = np.ones(x_shape, x_dtype), np.zeros(y_shape, y_dtype)
    x_fits = len(x_shape) == 2 and x_shape[0] == 3 and x_shape[1] >= 1 and x_dtype == np.float64
    if not x_fits:
        with pytest.raises(ValueError, match=r"^x ") as error:
            forward(network, x)
        assert names_both(error, x, "(3, m)")
        x = np.ones((3, 2))
    passed = forward(network, x)
    if y_shape == (2, x.shape[1]) and y_dtype == np.float64:
        gradient = backprop(network, SQUARED_ERROR, passed, y).gradient
        assert check_gradient(network, SQUARED_ERROR, x, y, gradient).passed
        return
    with pytest.raises(ValueError, match=r"^y ") as error:
        backprop(network, SQUARED_ERROR, passed, y)
    assert names_both(error, y, f"(2, {x.shape[1]})")
    with pytest.raises(ValueError, match=r"^y ") as error:
        check_gradient(network, SQUARED_ERROR, x, y, Gradient(network))
    assert names_both(error, y, f"(2, {x.shape[1]})")


@given(shapes, shapes)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_inputs_and_targets_fit_or_are_refused(inputs: Any, targets: Any) -> None:
    if len(inputs) == len(targets) == 2 and inputs[0] == targets[0]:
        examples = Examples(np.zeros(inputs), np.zeros(targets))
        if (inputs[1], targets[1]) == (3, 2) and len(examples):
            assert evaluate(Network([3, 2]), SQUARED_ERROR, examples).examples == inputs[0]
            return
        with pytest.raises(ValueError, match=r"fit|no examples"):
            evaluate(Network([3, 2]), SQUARED_ERROR, examples)
        with pytest.raises(ValueError, match="fit"):
            Inspection(Network([3, 4]), SQUARED_ERROR, examples, [0])
        return
    with pytest.raises(ValueError, match="do not fit") as error:
        Examples(np.zeros(inputs), np.zeros(targets))
    assert str(inputs) in str(error.value)
    assert str(targets) in str(error.value)


@given(shapes, shapes, st.sampled_from([np.uint8, np.int64, np.float64]))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_images_and_labels_fit_or_are_refused(images: Any, labels: Any, dtype: Any) -> None:
    pixels, given_labels = np.zeros(images, np.uint8), np.zeros(labels, dtype)
    fit = len(images) >= 2 and len(labels) == 1 and images[0] == labels[0] and dtype != np.float64
    if fit:
        assert len(Examples.from_labels(pixels, given_labels, 3)) == images[0]
        return
    with pytest.raises(ValueError, match="labels") as error:
        Examples.from_labels(pixels, given_labels, 3)
    assert str(labels) in str(error.value)


@given(shapes, dtypes)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_vector_of_parameters_fits_or_is_refused(shape: Any, dtype: Any) -> None:
    vector = np.zeros(shape, dtype)
    if shape == (4,) and dtype in (np.float32, np.float64):
        assert Network([3, 1], parameters=vector).parameters is vector
        return
    with pytest.raises(ValueError, match="parameters") as error:
        Network([3, 1], parameters=vector)
    assert f"not {vector.dtype} of shape {shape}" in str(error.value)
    assert "a vector of 4 parameters" in str(error.value)


@given(shapes, st.floats(0.1, 0.9))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_a_velocity_fits_or_is_refused(shape: Any, momentum: float) -> None:
    network = Network([3, 1])
    assume(shape != (4,))
    with pytest.raises(ValueError, match=r"shape") as error:
        SGD(momentum).step(network, Gradient(network), np.zeros(shape, np.float32), 0.1)
    assert len(re.findall(r"\(\d*,[\d, ]*\)|\(\)", str(error.value))) >= 2


def test_no_images_can_be_deslanted() -> None:
    assert deslant(np.zeros((0, 5, 5), np.uint8)).shape == (0, 5, 5)


def test_an_unknown_activation_is_named() -> None:
    with pytest.raises(ValueError, match="'foo' is none of sigmoid, tanh"):
        Network([2, 1], activation="foo")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 0, 0), np.uint8), np.zeros((2, 3, 3)), np.zeros((2, 9), np.uint8), np.zeros((2, 3, 4), np.uint8)],
)
def test_only_square_images_of_bytes_are_deslanted(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 images") as error:
        deslant(images)
    assert str(images.shape) in str(error.value)


def test_training_needs_examples_that_fit() -> None:
    config = Config.model_validate({"network": {"sizes": [3, 2]}, "training": {"epochs": 1}})
    good = Examples(np.zeros((4, 3)), np.zeros((4, 2)))
    for training, validation in (
        (good[:0], good),
        (Examples(np.zeros((4, 2)), np.zeros((4, 2))), good),
        (Examples(np.zeros((4, 3)), np.zeros((4, 1))), good),
        (good, Examples(np.zeros((4, 3)), np.zeros((4, 1)))),
    ):
        with pytest.raises(ValueError, match=r"fit|no examples"):
            next(train(config, initial_state(config), training, validation))
    state = initial_state(Config.model_validate({"network": {"sizes": [3, 3, 2]}, "training": {"momentum": 0.5}}))
    with pytest.raises(ValueError, match="state"):
        next(train(config, state, good, good))


@pytest.mark.parametrize("output", ["tanh", "relu", "identity"])
def test_a_cost_that_does_not_fit_the_output_is_refused(output: Any) -> None:
    network, cost = Network([3, 2], output=output, dtype=np.float64), COSTS["cross_entropy"]
    x, y = np.zeros((3, 1)), np.zeros((2, 1))
    examples = Examples(x.T, y.T)
    gradient = Gradient(network)
    for misuse in (
        lambda: backprop(network, cost, forward(network, x), y),
        lambda: check_gradient(network, cost, x, y, gradient),
        lambda: evaluate(network, cost, examples),
        lambda: Inspection(network, cost, examples, [0]),
    ):
        with pytest.raises(ValueError, match=f"cross_entropy needs sigmoid outputs, not {output}"):
            misuse()


def test_one_output_answers_the_labels_0_and_1() -> None:
    images = np.zeros((4, 2, 2), np.uint8)
    config = Config.model_validate({"network": {"sizes": [4, 1]}})
    examples = prepare_examples(config, images, np.array([0, 0, 1, 0], np.uint8))
    assert examples.labels.tolist() == [0, 0, 1, 0]
