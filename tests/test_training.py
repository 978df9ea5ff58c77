"""The training loop: it learns, it is repeatable to the bit, it can be cut anywhere, it stops when it diverges."""

import copy
from pathlib import Path

import numpy as np
import pytest

from data_scripts.idx import read_split
from mnist_nn import Config, Examples, fingerprint, initial_state, train
from mnist_nn.errors import DivergenceError
from mnist_nn.training import Progress, TrainingState


@pytest.fixture
def examples(digits: Path) -> Examples:
    return Examples.from_labels(*read_split(digits, "train"), 10)


def settings(**training: object) -> Config:
    training = {"epochs": 3, "batch_size": 16, "learning_rate": 0.5, **training}
    return Config.model_validate({"network": {"sizes": [784, 12, 10]}, "training": training})


def run(config: Config, examples: Examples, state: TrainingState | None = None) -> tuple[TrainingState, list[Progress]]:
    training, validation = examples.split(50)
    state = state or initial_state(config)
    return state, list(train(config, state, training, validation))


def test_training_lowers_the_cost_and_raises_the_accuracy(examples: Examples) -> None:
    _, reports = run(settings(epochs=20, learning_rate=2.0, batch_size=5), examples)
    results = [report.result for report in reports if report.result]
    assert len(results) == 20
    assert results[-1].train_cost < 0.3 * results[0].train_cost
    assert results[-1].train_accuracy > 0.9


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(examples: Examples) -> None:
    first, _ = run(settings(), examples)
    second, _ = run(settings(), examples)
    other, _ = run(settings().model_copy(update={"seed": 1}), examples)
    assert fingerprint(first.network) == fingerprint(second.network)
    assert fingerprint(first.network) != fingerprint(other.network)


@pytest.mark.parametrize("changes", [{}, {"momentum": 0.9, "l2": 0.001, "schedule": "cosine"}])
def test_a_state_copied_at_any_yield_goes_on_to_the_same_bits(
    changes: dict[str, object], examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_nn.training.SLICE_STEPS", 3)  # so that it yields within epochs too
    config = settings(**changes)
    training, validation = examples.split(50)
    state = initial_state(config)
    copies = []
    for _ in train(config, state, training, validation):
        copies.append(copy.deepcopy((state.network.parameters, state.velocity, state)))
    whole = fingerprint(state.network)
    assert len({(saved.epoch, saved.step) for _, _, saved in copies}) == len(copies) > 3 * config.training.epochs
    for parameters, velocity, saved in copies:
        resumed = initial_state(config)
        resumed.network.parameters[:] = parameters
        resumed.velocity, resumed.best = velocity, saved.best
        resumed.epoch, resumed.step = saved.epoch, saved.step
        run(config, examples, resumed)
        assert fingerprint(resumed.network) == whole
        assert resumed.best is not None
        assert state.best is not None
        assert resumed.best.quality == state.best.quality


def test_every_example_is_used_once_in_an_epoch_the_last_batch_being_smaller(
    examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    from mnist_nn.dataset import Batch

    fill = Batch.fill

    def spy(self: Batch, source: Examples, rows: np.ndarray) -> None:
        if source is training:
            seen.extend(rows.tolist())
        fill(self, source, rows)

    monkeypatch.setattr(Batch, "fill", spy)
    training, validation = examples.split(50)
    config = settings(epochs=1)
    list(train(config, initial_state(config), training, validation))
    assert len(training) % config.training.batch_size != 0
    assert sorted(seen) == list(range(len(training)))
    assert seen != sorted(seen)


def test_the_best_epoch_is_the_one_with_the_highest_validation_accuracy(examples: Examples) -> None:
    state, reports = run(settings(epochs=8, learning_rate=4.0), examples)
    results = [report.result for report in reports if report.result]
    assert state.best == max(results, key=lambda result: (result.validation_accuracy, -result.validation_cost))


def test_early_stopping_ends_training_after_so_many_epochs_without_a_better_one(examples: Examples) -> None:
    state, reports = run(settings(epochs=200, learning_rate=2.0, early_stopping=3), examples)
    assert state.best is not None
    assert state.epoch == state.best.epoch + 3 < 200
    assert len([report for report in reports if report.result]) == state.epoch


def test_a_step_that_diverges_stops_training_and_says_when(examples: Examples) -> None:
    values = settings(learning_rate=1e30).model_dump()
    values["network"]["activation"] = values["network"]["output"] = "identity"
    config = Config.model_validate(values)
    with pytest.raises(DivergenceError, match=r"diverged in epoch 1, by step \d+: .*smaller training.learning_rate"):
        run(config, examples)


def test_validation_examples_are_the_last_of_the_training_set(examples: Examples) -> None:
    training, validation = examples.split(50)
    np.testing.assert_array_equal(validation.inputs, examples.inputs[-50:])
    assert len(training) == len(examples) - 50


def test_without_validation_examples_the_training_figures_decide_what_is_best(examples: Examples) -> None:
    config = settings()
    state = initial_state(config)
    training, validation = examples.split(0)
    reports = list(train(config, state, training, validation))
    assert state.best is not None
    assert state.best.validation_accuracy is None
    assert any(report.is_best for report in reports)


@pytest.mark.parametrize("scheme", ["standard_normal", "lecun_normal", "glorot_uniform", "he_normal"])
def test_initial_weights_have_the_spread_that_their_scheme_names(scheme: str) -> None:
    config = Config.model_validate({"network": {"sizes": [400, 200, 10], "init": scheme}})
    network = initial_state(config).network
    n_in, n_out = 400, 200
    spread = {
        "standard_normal": 1.0,
        "lecun_normal": n_in**-0.5,
        "glorot_uniform": (2 / (n_in + n_out)) ** 0.5,
        "he_normal": (2 / n_in) ** 0.5,
    }[scheme]
    assert network.w[1].std() == pytest.approx(spread, rel=0.02)
    assert abs(float(network.w[1].mean())) < 0.02 * spread
    if scheme == "standard_normal":
        assert network.b[1].std() == pytest.approx(1.0, rel=0.2)
    else:
        assert not network.b[1].any()
