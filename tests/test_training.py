"""The training loop learns, repeats exactly, can be interrupted anywhere, and stops when it diverges."""

import copy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from data_scripts.idx import read_split
from mnist_nn import Config, Examples, fingerprint, initial_state, train
from mnist_nn.errors import DivergenceError
from mnist_nn.examples.dataset import Batches
from mnist_nn.randomness import stream
from mnist_nn.training.loop import Progress
from mnist_nn.training.state import GradientNorms, TrainingState


@pytest.fixture
def examples(digits: Path) -> Examples:
    return Examples.from_labels(*read_split(digits, "train"), 10)


def settings(augmentation: dict[str, object] | None = None, **training: object) -> Config:
    training = {"epochs": 3, "batch_size": 16, "learning_rate": 0.5, **training}
    values = {"network": {"sizes": [784, 12, 10]}, "augmentation": augmentation or {}, "training": training}
    return Config.model_validate(values)


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


def test_the_seed_determines_the_result(examples: Examples) -> None:
    """The same seed gives the same bits, and another seed gives others."""
    first, _ = run(settings(), examples)
    second, _ = run(settings(), examples)
    other, _ = run(settings().model_copy(update={"seed": 1}), examples)
    assert fingerprint(first.network) == fingerprint(second.network)
    assert fingerprint(first.network) != fingerprint(other.network)


def test_augmentation_affects_training_but_not_measurement(examples: Examples) -> None:
    config = settings({"rotation": 20.0}, learning_rate=1e-9)  # so small that the network hardly changes
    state, reports = run(config, examples)
    without, others = run(settings(learning_rate=1e-9), examples)
    assert fingerprint(state.network) != fingerprint(without.network)
    for with_it, plain in zip(reports, others, strict=True):
        if with_it.result and plain.result:
            assert with_it.result.train_cost == pytest.approx(plain.result.train_cost, rel=1e-6)
            assert with_it.result.validation_cost == pytest.approx(plain.result.validation_cost, rel=1e-6)


def test_recording_gradient_norms_does_not_change_training(examples: Examples) -> None:
    """Without the setting, no report has gradient norms."""
    without, reports = run(settings(momentum=0.9), examples)
    recorded, others = run(settings(momentum=0.9, gradient_norms=True), examples)
    assert fingerprint(without.network) == fingerprint(recorded.network)
    assert without.velocity.tobytes() == recorded.velocity.tobytes()
    assert not any(report.gradient_norms for report in reports)
    assert len(others) == len(reports) + 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_norms_equal_a_plain_numpy_calculation(
    dtype: str, random: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are measured on the first 1000 examples of the sample."""
    monkeypatch.setattr("mnist_nn.training.measuring.TRAIN_SAMPLE", 1100)
    config = Config.model_validate(
        {
            "seed": 4,
            "dtype": dtype,
            "network": {"sizes": [3, 4, 2], "activation": "tanh"},
            "training": {"epochs": 2, "learning_rate": 0.5, "l2": 0.1, "gradient_norms": True},
        }
    )
    examples = Examples(random.normal(size=(1200, 3)), random.random((1200, 2)))
    rows = np.sort(stream(4, "sample").choice(1200, 1100, replace=False))[:1000]
    x, y = examples.inputs[rows].T, examples.targets[rows].T
    state = initial_state(config)
    untrained = state.network.parameters.copy()
    told = []
    for report in train(config, state, *examples.split(0)):
        if report.gradient_norms is None:
            continue
        told.append(report.gradient_norms.epoch)
        assert report.epoch == report.gradient_norms.epoch
        assert (
            (report.result is None)
            == (report.epoch == 0)
            == (state.network.parameters.tobytes() == untrained.tobytes())
        )
        w1, b1, w2, b2 = (part.astype(float) for l in (1, 2) for part in (state.network.w[l], state.network.b[l]))
        a1 = np.tanh(w1 @ x + b1)
        a2 = 1 / (1 + np.exp(-(w2 @ a1 + b2)))
        delta2 = 2 * (a2 - y) * a2 * (1 - a2)
        delta1 = (1 - a1**2) * (w2.T @ delta2)
        for l, delta, a in ((1, delta1, x), (2, delta2, a1)):
            dC_dw, dC_db = delta @ a.T / 1000, delta.mean(axis=1)
            assert report.gradient_norms.dC_dw[l] == pytest.approx(np.sqrt((dC_dw**2).sum()), rel=1e-12)
            assert report.gradient_norms.dC_db[l] == pytest.approx(np.sqrt((dC_db**2).sum()), rel=1e-12)
    assert told == [0, 1, 2]


def test_an_epochs_seconds_exclude_its_gradient_norms(examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def take_a_minute(_: Config, state: TrainingState, *__: object) -> GradientNorms:
        nonlocal now
        now += 60
        return GradientNorms(state.epoch, {}, {})

    monkeypatch.setattr("mnist_nn.training.loop.measure_gradient", take_a_minute)
    monkeypatch.setattr("mnist_nn.training.loop.time", SimpleNamespace(perf_counter=lambda: now))
    _, reports = run(settings(gradient_norms=True), examples)
    assert now == 4 * 60
    assert [report.result.seconds for report in reports if report.result] == [0, 0, 0]


def test_an_overflowing_gradient_has_infinite_norm_and_diverges() -> None:
    config = Config.model_validate(
        {
            "dtype": "float64",
            "network": {"sizes": [1, 1], "output": "identity", "init": {"w": {1: [[1.0]]}, "b": {1: [0.0]}}},
            "training": {"epochs": 1, "gradient_norms": True},
        }
    )
    examples = Examples(np.array([[1e200]]), np.array([[0.0]]))
    progress = train(config, initial_state(config), *examples.split(0))
    assert next(progress).gradient_norms == GradientNorms(0, {1: np.inf}, {1: np.inf})
    with pytest.raises(DivergenceError):
        next(progress)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gradient_norms": True},
        {"momentum": 0.9, "l2": 0.001, "schedule": "cosine", "warmup": 2},
        {"augmentation": {"rotation": 10.0, "elastic": {"alpha": 30.0}}},
    ],
)
def test_training_resumes_identically_from_any_yielded_state(
    changes: dict[str, object], examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_nn.training.loop.SLICE_STEPS", 3)  # so that it also yields within epochs
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


def test_every_epoch_uses_each_example_once(examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last batch is smaller than the others."""
    seen: list[int] = []
    batches = Batches.batches

    def spy(self: Batches, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        if not np.array_equal(rows, np.arange(len(rows))):  # only the evaluation reads the rows in order
            seen.extend(rows.tolist())
        return batches(self, rows)

    monkeypatch.setattr(Batches, "batches", spy)
    training, validation = examples.split(50)
    config = settings(epochs=1)
    list(train(config, initial_state(config), training, validation))
    assert len(training) % config.training.batch_size != 0
    assert sorted(seen) == list(range(len(training)))
    assert seen != sorted(seen)


def test_the_best_epoch_has_the_highest_validation_accuracy(examples: Examples) -> None:
    """If two epochs are equal, the lower validation cost decides."""
    state, reports = run(settings(epochs=8, learning_rate=4.0), examples)
    results = [report.result for report in reports if report.result]
    assert state.best == max(results, key=lambda result: (result.validation_accuracy, -result.validation_cost))


def test_early_stopping_ends_training_without_improvement(examples: Examples) -> None:
    """Training ends after the configured number of epochs without a better one."""
    state, reports = run(settings(epochs=200, learning_rate=2.0, early_stopping=3), examples)
    assert state.best is not None
    assert state.epoch == state.best.epoch + 3 < 200
    assert len([report for report in reports if report.result]) == state.epoch


def test_divergence_stops_training_and_names_the_step(examples: Examples) -> None:
    values = settings(learning_rate=1e30).model_dump()
    values["network"]["activation"] = values["network"]["output"] = "identity"
    config = Config.model_validate(values)
    with pytest.raises(DivergenceError, match=r"diverged in epoch 1, by step \d+: .*smaller training.learning_rate"):
        run(config, examples)


def test_validation_examples_are_the_last_of_the_training_set(examples: Examples) -> None:
    training, validation = examples.split(50)
    np.testing.assert_array_equal(validation.inputs, examples.inputs[-50:])
    assert len(training) == len(examples) - 50


def test_without_validation_the_training_figures_choose_the_best_epoch(examples: Examples) -> None:
    config = settings()
    state = initial_state(config)
    training, validation = examples.split(0)
    reports = list(train(config, state, training, validation))
    assert state.best is not None
    assert state.best.validation_accuracy is None
    assert any(report.is_best for report in reports)


@pytest.mark.parametrize(
    ("network", "cost"),
    [
        ({"activation": "relu", "output": "tanh"}, "squared_error"),
        ({"activation": "tanh", "output": "sigmoid"}, "cross_entropy"),
    ],
)
def test_training_equals_a_plain_numpy_loop(network: dict[str, str], cost: str, examples: Examples) -> None:
    """Writes the whole loop once more, without buffers. Every setting must have its effect."""
    momentum, l2, eta, epochs, m = 0.8, 0.01, 0.05, 3, 48
    config = Config.model_validate(
        {
            "seed": 3,
            "dtype": "float64",
            "network": {"sizes": [784, 7, 10], **network},
            "cost": cost,
            "training": {
                "epochs": epochs, "batch_size": m, "learning_rate": eta, "momentum": momentum, "l2": l2, "schedule": "cosine",
            },
        }
    )  # fmt: skip
    training, validation = examples.split(50)
    state = initial_state(config)
    w1, b1, w2, b2 = (part.copy() for l in (1, 2) for part in (state.network.w[l], state.network.b[l]))
    results = [report.result for report in train(config, state, training, validation) if report.result]

    sigma = {
        "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
        "tanh": (np.tanh, lambda a: 1 - a**2),
        "relu": (lambda z: np.maximum(z, 0), lambda a: (a > 0) * 1.0),
    }
    (f, f_prime), (g, g_prime) = sigma[network["activation"]], sigma[network["output"]]

    def figures(part: Examples) -> tuple[float, float]:
        a = g(w2 @ f(w1 @ (part.inputs.T / 255) + b1) + b2)
        y = part.targets.T.astype(float)
        if cost == "squared_error":
            C = ((a - y) ** 2).sum(axis=0).mean()
        else:
            C = -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=0).mean()
        return C, (a.argmax(axis=0) == part.labels).mean()

    velocity = [np.zeros_like(part) for part in (w1, b1, w2, b2)]
    for epoch, result in enumerate(results):
        rate = eta * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        order = stream(3, "shuffle", epoch).permutation(len(training))
        for start in range(0, len(training), m):
            batch = training[order[start : start + m]]
            x, y = batch.inputs.T / 255, batch.targets.T
            a1 = f(w1 @ x + b1)
            a2 = g(w2 @ a1 + b2)
            delta2 = (a2 - y) if cost == "cross_entropy" else g_prime(a2) * 2 * (a2 - y)
            delta1 = f_prime(a1) * (w2.T @ delta2)
            n = x.shape[1]
            steps = (delta1 @ x.T / n + l2 * w1, delta1.mean(axis=1, keepdims=True),
                     delta2 @ a1.T / n + l2 * w2, delta2.mean(axis=1, keepdims=True))  # fmt: skip
            for part, v, step in zip((w1, b1, w2, b2), velocity, steps, strict=True):
                v *= momentum
                v += rate * step
                part -= v
        assert result.epoch == epoch + 1
        assert result.step == (epoch + 1) * -(-len(training) // m)
        assert result.learning_rate == pytest.approx(rate)
        assert (result.train_cost, result.train_accuracy) == pytest.approx(figures(training), rel=1e-9)
        assert (result.validation_cost, result.validation_accuracy) == pytest.approx(figures(validation), rel=1e-9)
    for l, (w, b) in ((1, (w1, b1)), (2, (w2, b2))):
        np.testing.assert_allclose(state.network.w[l], w, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(state.network.b[l], b, rtol=1e-9, atol=1e-12)


def test_each_epoch_has_its_own_order() -> None:
    orders = [stream(0, "shuffle", epoch).permutation(100).tolist() for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 3


def test_training_figures_use_a_fixed_sample_of_10000(monkeypatch: pytest.MonkeyPatch) -> None:
    from mnist_nn.training.measuring import train_sample

    inputs = np.arange(30_000, dtype=np.float64)[:, None]
    examples = Examples(inputs, np.zeros_like(inputs))
    first, second = train_sample(0, examples), train_sample(0, examples)
    assert len(np.unique(first.inputs)) == 10_000
    np.testing.assert_array_equal(first.inputs, second.inputs)


def test_an_infinite_validation_cost_counts_as_divergence() -> None:
    config = Config.model_validate(
        {
            "dtype": "float64",
            "network": {"sizes": [1, 3, 1], "activation": "relu", "output": "identity"},
            "training": {"epochs": 2, "learning_rate": 0.01},
        }
    )
    examples = Examples(np.array([[0.1], [0.2], [1e300]]), np.array([[0.1], [0.2], [0.5]]))
    with pytest.raises(DivergenceError, match="the cost is NaN or infinite"):
        list(train(config, initial_state(config), *examples.split(1)))


def test_large_finite_parameters_are_not_divergence() -> None:
    config = Config.model_validate(
        {
            "network": {"sizes": [1, 1], "output": "identity"},
            "training": {"epochs": 1, "learning_rate": 0.3},
        }
    )
    examples = Examples(np.array([[1.0]]), np.array([[1e18]]))
    state = initial_state(config)
    list(train(config, state, *examples.split(0)))
    assert state.network.parameters.max() > 1e17
