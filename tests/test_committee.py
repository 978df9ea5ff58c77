"""A committee answers by the average of its networks' outputs."""

from pathlib import Path

import numpy as np
import pytest

from data_scripts.idx import read_split
from mnist_nn import COSTS, Config, Examples, Network, evaluate, initial_state
from mnist_nn.training.committee import Committee


@pytest.fixture
def examples(digits: Path) -> Examples:
    return Examples.from_labels(*read_split(digits, "test"), 10)


def network(seed: int) -> Network:
    return initial_state(Config.model_validate({"seed": seed, "network": {"sizes": [784, 12, 10]}})).network


def outputs_of(one: Network, examples: Examples) -> np.ndarray:
    """The outputs, computed here layer by layer in double precision."""
    a = examples.inputs.T / 255
    for l in one.layers:
        a = 1 / (1 + np.exp(-(one.w[l].astype(float) @ a + one.b[l])))
    return a


def committee_of(seeds: list[int], examples: Examples) -> Committee:
    found = Committee(examples)
    for seed in seeds:
        a = np.empty((10, len(examples)), np.float32)
        evaluate(network(seed), COSTS["squared_error"], examples, out=a)
        found.add(a)
    return found


def test_a_committee_answers_by_the_average_output(examples: Examples) -> None:
    found = committee_of([1, 2, 3], examples)
    average = sum(outputs_of(network(seed), examples) for seed in (1, 2, 3)) / 3
    np.testing.assert_allclose(found.outputs, average, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found.answers, average.argmax(axis=0))
    result = found.evaluate()
    assert result.correct == (average.argmax(axis=0) == examples.labels).sum()
    for label, answer in zip(examples.labels, found.answers, strict=True):
        result.confusion[label, answer] -= 1
    assert not result.confusion.any()


def test_a_committee_of_one_is_the_network(examples: Examples) -> None:
    alone = evaluate(network(1), COSTS["squared_error"], examples)
    np.testing.assert_array_equal(committee_of([1], examples).evaluate().confusion, alone.confusion)


def test_a_network_alone_and_its_copies_answer_alike(examples: Examples) -> None:
    np.testing.assert_array_equal(committee_of([1, 1, 1], examples).answers, committee_of([1], examples).answers)


def test_the_order_of_the_networks_does_not_matter(examples: Examples) -> None:
    one, other = committee_of([1, 2, 3, 4], examples), committee_of([4, 2, 1, 3], examples)
    np.testing.assert_array_equal(one.outputs, other.outputs)


def test_a_committee_can_be_right_where_most_networks_are_wrong() -> None:
    """Two networks that are barely wrong are overruled by one that is surely right."""
    examples = Examples(np.zeros((1, 1)), np.array([[1, 0]]))
    found = Committee(examples)
    for outputs in ([[0.4], [0.5]], [[0.4], [0.5]], [[0.9], [0.1]]):
        found.add(np.array(outputs))
    assert found.answers.tolist() == [0]


def test_a_single_output_neuron_answers_0_or_1() -> None:
    examples = Examples(np.zeros((3, 1)), np.array([[0], [1], [1]]))
    found = Committee(examples)
    found.add(np.array([[0.2, 0.9, 0.3]]))
    found.add(np.array([[0.4, 0.8, 0.6]]))
    assert found.answers.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(found.evaluate().confusion, [[1, 0], [1, 1]])


def test_outputs_of_another_shape_are_refused(examples: Examples) -> None:
    with pytest.raises(
        ValueError, match=r"outputs of shape \(9, 100\) do not fit a committee with outputs \(10, 100\)"
    ):
        Committee(examples).add(np.zeros((9, 100)))


def test_a_committee_without_networks_has_no_answer(examples: Examples) -> None:
    with pytest.raises(ValueError, match="one network or more"):
        Committee(examples).evaluate()


def test_the_outputs_are_the_same_in_slices(examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = committee_of([1], examples).outputs
    monkeypatch.setattr("mnist_nn.training.evaluation.SLICE", 7)
    np.testing.assert_allclose(committee_of([1], examples).outputs, whole, rtol=1e-5)
