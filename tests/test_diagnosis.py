"""What is wrong with a gradient is found where it is wrong, and nowhere else; the page says the same as Python."""

import dataclasses
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import Command

from mnist_nn import COSTS, Network, initial_state, read_config, train
from mnist_nn.configuration.schema import Config
from mnist_nn.examples.dataset import Examples
from mnist_nn.explaining.diagnosis import Facts, Finding, diagnose, facts_of, is_guessing
from mnist_nn.explaining.inspection import Inspection, LayerSummary
from mnist_nn.page.file import module
from mnist_nn.training.state import TrainingState

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DEEP = "network.sizes=784-30-30-30-30-10"
USUAL = ("training.momentum=0.0", "training.batch_size=10", "network.sizes=784-30-10", "training.learning_rate=1.0")

Diagnosis = Callable[..., list[Finding]]


@pytest.fixture
def diagnosed(small: Path) -> Diagnosis:
    """Train a network on drawn digits, with these settings, and diagnose it on 200 of them."""

    def diagnosis(*settings: str, epochs: int = 3) -> list[Finding]:
        from nn_cli.loading import load_training

        config = read_config(str(small), (*USUAL, f"training.epochs={max(1, epochs)}", *settings))
        training, validation = load_training(config)
        state = initial_state(config)
        if epochs:
            for _ in train(config, state, training, validation):
                pass
        return diagnose(facts(config, state, training[:200]))

    return diagnosis


def facts(config: Config, state: TrainingState, examples: Examples) -> Facts:
    inspection = Inspection(state.network, COSTS[config.cost], examples, list(range(len(examples))))
    init = config.network.init
    return facts_of(
        inspection,
        config.training.learning_rate,
        is_trained=state.epoch > 0,
        initialization=init if isinstance(init, str) else None,
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["training.learning_rate=1000000"], {"saturated": 1, "stuck": 2}),
        (["training.learning_rate=30"], {"saturated": 1}),
        ([DEEP, "network.init=lecun_normal"], {"vanishing": 1}),
        (["training.learning_rate=1e-5"], {"small_steps": 1}),
        (["training.learning_rate=30", "network.activation=relu"], {"stuck": 2}),
        (["training.learning_rate=3", "network.activation=relu"], {"dead": 1}),
        (["training.learning_rate=30", "cost=cross_entropy"], {"saturated": 1}),
    ],
    ids=str,
)
def test_a_trained_networks_disease_is_found(
    settings: list[str], expected: dict[str, int], diagnosed: Diagnosis
) -> None:
    """Among others, perhaps: how ill it is depends on the last bits."""
    findings = diagnosed(*settings)
    assert expected.items() <= {finding.kind: finding.layer for finding in findings}.items()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([DEEP, "network.init=lecun_normal"], {"vanishing": 1}),
        ([DEEP, "network.init=standard_normal", "network.activation=relu"], {"exploding": 1}),
        (["training.learning_rate=1000000"], {"large_steps": 1}),
        (["training.learning_rate=1e-5"], {"small_steps": 1}),
    ],
    ids=str,
)
def test_an_untrained_networks_disease_is_found(
    settings: list[str], expected: dict[str, int], diagnosed: Diagnosis
) -> None:
    findings = diagnosed(*settings, epochs=0)
    assert {finding.kind: finding.layer for finding in findings} == expected


@pytest.mark.parametrize("init", ["centred", "standard_normal", "lecun_normal", "glorot_uniform", "he_normal"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_no_initialization_of_a_usual_network_is_blamed(init: str, activation: str, diagnosed: Diagnosis) -> None:
    settings = [f"network.init={init}", f"network.activation={activation}"]
    assert diagnosed(*settings, epochs=0) == []


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["network.activation=relu", "training.learning_rate=0.1"],
        ["network.activation=tanh", "training.learning_rate=0.3"],
        ["cost=cross_entropy"],
        ["network.init=standard_normal"],
        ["training.learning_rate=10"],  # saturated, but it learns
        ["network.sizes=784-16-16-10"],
    ],
    ids=str,
)
def test_a_network_that_learns_is_not_ill(settings: list[str], diagnosed: Diagnosis) -> None:
    assert diagnosed(*settings, epochs=12) == []


def zeros(sizes: list[int]) -> Facts:
    """The facts of a network whose parameters are all 0, after some steps."""
    config = Config.model_validate({"network": {"sizes": sizes}, "training": {"epochs": 5, "batch_size": 4}})
    state = initial_state(config)
    state.network.parameters.fill(0)
    random = np.random.default_rng(0)
    examples = Examples(random.random((40, sizes[0])), np.eye(sizes[-1])[np.arange(40) % sizes[-1]])
    for _ in train(config, state, examples, examples[:0]):
        pass
    return facts(config, state, examples)


def test_equal_neurons_are_found_also_after_training() -> None:
    (finding, *_) = diagnose(zeros([8, 6, 4]))
    assert (finding.kind, finding.layer) == ("symmetric", 1)
    assert finding.text == (
        "All 6 neurons of layer 1 have the same weights. They get the same gradient and stay equal, so the layer acts "
        "like one neuron. Start from random weights: network.init=centred."
    )
    assert diagnose(zeros([8, 6, 5, 4]))[0].text.startswith(
        "All 6 neurons of layer 1 have the same weights, likewise in 1 other layer."
    )


def test_a_single_neuron_is_not_called_equal() -> None:
    assert "symmetric" not in [finding.kind for finding in diagnose(zeros([8, 1, 4]))]


def test_one_example_says_nothing_about_eta(nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "run", "--quiet", "--set", "training.learning_rate=1000000")
    outcome = nn("inspect-gradients", "run", "--example", "3", "--json")
    assert json.loads(outcome.out)["diagnosis"] == []


def test_suggested_settings_can_be_typed(diagnosed: Diagnosis) -> None:
    (finding, _) = diagnosed("training.learning_rate=1000000")
    assert finding.suggestion is not None
    assert finding.suggestion.text == "training.learning_rate=3"
    for settings in (["training.learning_rate=30"], ["training.learning_rate=1e-5"], [DEEP, "network.init=he_normal"]):
        for finding in diagnosed(*settings, epochs=1):
            assert finding.suggestion is not None
            read_config("chain", (finding.suggestion.text,))


def test_a_percentage_is_100_only_if_all_are() -> None:
    texts = [diagnose(ill(saturated=share))[0].text for share in (0.99999, 1.0, 0.8, 0.8125)]
    assert [text.split(" of ")[0] for text in texts] == ["99.9 %", "100 %", "80 %", "81.3 %"]


def test_accuracy_of_the_most_frequent_class_is_guessing() -> None:
    labels = np.repeat(np.arange(10, dtype=np.uint8), 100)
    examples = Examples.from_labels(np.zeros((1000, 2, 2), np.uint8), labels, 10)
    assert [is_guessing(accuracy, examples) for accuracy in (0.0, 0.1, 0.118, 0.12, 0.5)] == [True] * 3 + [False] * 2
    assert not is_guessing(0.1, examples[:10])  # too few, and of one class
    assert not is_guessing(0.1, examples[:100])
    assert not is_guessing(0.1, Examples(np.zeros((40, 2)), np.full((40, 3), 0.5)))


# The page's module


def ill(activation: str = "sigmoid", eta: float = 30.0, **changes: Any) -> Facts:
    """Facts of a network 784-30-30-10 that is no better than guessing. The changes are of Facts, or of every layer."""
    of_layers = {field.name for field in dataclasses.fields(LayerSummary)}
    layer = {
        "weights": 900, "dC_dw_norm": 0.1, "dC_db_norm": 0.1, "largest": (0, 0, 0.1), "mean_sigma_prime": 0.2,
        "saturated": 0.1, "step_ratio": 0.01, "dC_dz_rms": 0.05, "dead": 0.0, "is_symmetric": False,
    }  # fmt: skip
    layer |= {name: value for name, value in changes.items() if name in of_layers}
    layers = [LayerSummary(layer=l, neurons=n, **layer) for l, n in ((1, 30), (2, 30), (3, 10))]
    given = {
        "activation": activation, "output": "sigmoid", "learning_rate": eta, "cost": 1.0, "skill": 0.0,
        "output_mean": 0.1, "examples": 64, "is_trained": True, "initialization": "centred",
    }  # fmt: skip
    return Facts(**{**given, **{name: v for name, v in changes.items() if name not in of_layers}}, layers=layers)


def with_first(facts: Facts, **changes: Any) -> Facts:
    first, *others = facts.layers
    return dataclasses.replace(facts, layers=[dataclasses.replace(first, **changes), *others])


def cases() -> list[Facts]:
    """Facts that lead to every finding, and numbers on either side of each threshold."""
    all_facts = [ill(), ill(skill=None), ill(skill=0.6), ill(skill=0.499, saturated=1.0)]
    for eta, trained, init in itertools.product(
        (1e-7, 1.25e-5, 0.01, 0.3, 1.0, 3.0, 12.345, 30.0, 1e6, 1e9),
        (True, False),
        ("centred", "standard_normal", None),
    ):
        base: dict[str, Any] = {"eta": eta, "is_trained": trained, "initialization": init}
        all_facts += [
            ill(saturated=0.8, **base),
            ill(saturated=0.9996, dC_dz_rms=1e-5, output_mean=0.001, **base),
            ill(saturated=0.95, dC_dz_rms=1e-5, output_mean=0.4, cost=4.25, **base),
            ill("tanh", output="tanh", saturated=0.91, dC_dz_rms=0.0, output_mean=-0.2, **base),
            ill("relu", output="relu", dead=0.55, saturated=0.99, **base),
            ill("relu", dead=0.5, examples=31, **base),
            with_first(ill(**base), dC_dz_rms=3.1e-5),
            with_first(ill("tanh", **base), dC_dz_rms=0.05 * 50 * 0.58),
            ill(step_ratio=0.3, **base),
            ill(step_ratio=25.0, **base),
            ill(step_ratio=3e-8, **base),
            ill(step_ratio=None, **base),
            ill(step_ratio=0.0, **base),
            ill(is_symmetric=True, **base),
            with_first(ill(**base), is_symmetric=True, neurons=2),
            with_first(ill(**base), saturated=0.85),
            with_first(ill("relu", **base), dead=1.0),
        ]
    return all_facts


def test_every_kind_of_finding_is_among_the_cases() -> None:
    kinds = {finding.kind for facts in cases() for finding in diagnose(facts)}
    assert kinds == {
        "symmetric", "saturated", "stuck", "dead", "vanishing", "exploding", "large_steps", "small_steps"
    }  # fmt: skip


def for_the_page(facts: Facts) -> dict[str, Any]:
    """The facts with the names that the page's module uses."""
    values = dataclasses.asdict(facts)
    names = {"learning_rate": "learningRate", "output_mean": "outputMean", "is_trained": "isTrained"}
    return {names.get(name, name): value for name, value in values.items()}


def module_code() -> str:
    """The page's mathematics and its diagnosis as one module."""
    without_imports = re.sub(r"^import .*?;\n", "", module("diagnosis"), flags=re.MULTILINE | re.DOTALL)
    return module("network") + without_imports


def in_browser(browser: "Browser", run: str, *arguments: Any) -> Any:
    tab = browser.new_page()
    script = f"""async ([code, ...rest]) => {{
        const page = await import("data:text/javascript," + encodeURIComponent(code));
        return ({run})(page, ...rest);
    }}"""
    answer = tab.evaluate(script, [module_code(), *arguments])
    tab.close()
    return answer


def test_the_page_has_the_same_findings_as_python(browser: "Browser") -> None:
    all_facts = cases()
    answers = in_browser(
        browser, "(page, cases) => cases.map(page.diagnose)", [for_the_page(facts) for facts in all_facts]
    )
    for facts, answer in zip(all_facts, answers, strict=True):
        assert [{**finding, "numbers": pytest.approx(finding["numbers"])} for finding in answer] == [
            dataclasses.asdict(finding) for finding in diagnose(facts)
        ]


NETWORKS = [
    ([6, 5, 3], "sigmoid", "sigmoid", "squared_error", 12),
    ([6, 40, 30, 4], "tanh", "sigmoid", "cross_entropy", 20),
    ([9, 7, 4], "relu", "identity", "squared_error", 40),
    ([50, 20, 10], "sigmoid", "sigmoid", "squared_error", 5),
    ([3, 1], "sigmoid", "sigmoid", "cross_entropy", 30),
    ([3, 4, 2], "relu", "tanh", "squared_error", 1),
]


@pytest.mark.parametrize("with_gradient", [False, True])
@pytest.mark.parametrize("are_classes", [False, True])
def test_the_pages_facts_equal_pythons(
    with_gradient: bool,
    are_classes: bool,
    browser: "Browser",
    random: np.random.Generator,
) -> None:
    run = """(page, sizes, hidden, output, cost, parameters, examples, learningRate, gradient) => {
        const network = new page.Network(sizes, hidden, output, cost, Float64Array.from(parameters));
        const passes = examples.map(([x, y]) => {
            const passed = page.forward(network, Float64Array.from(x));
            return { passed, y: Float64Array.from(y), back: page.backprop(network, passed, Float64Array.from(y)) };
        });
        const options = { isTrained: false, initialization: "centred" };
        if (gradient) options.gradient = Float64Array.from(gradient);
        return page.factsOf(network, passes, learningRate, options);
    }"""
    for sizes, hidden, output, cost, m in NETWORKS:
        network = Network(sizes, activation=hidden, output=output, dtype=np.float64)
        network.parameters[:] = random.normal(0, 1, network.parameters.size)
        y = random.random((m, sizes[-1]))
        examples = Examples(random.normal(0, 1, (m, sizes[0])), (y > 0.6).astype(float) if are_classes else y)
        inspection = Inspection(network, COSTS[cost], examples, list(range(m)))
        rows = [[x.tolist(), y.tolist()] for x, y in zip(examples.inputs, examples.targets, strict=True)]
        gradient = inspection.gradient.vector.tolist() if with_gradient else None
        found = in_browser(
            browser, run_with(run), [sizes, hidden, output, cost, network.parameters.tolist(), rows, 0.7, gradient]
        )
        expected = for_the_page(facts_of(inspection, 0.7, is_trained=False, initialization="centred"))
        layers = expected.pop("layers")
        for layer, wanted in zip(found.pop("layers"), layers, strict=True):
            assert layer == pytest.approx({name: wanted[name] for name in layer}, rel=1e-9, abs=1e-15)
        assert {"cost", "skill", "outputMean", "learningRate"} <= set(found)
        for name, value in expected.items():
            assert found[name] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), name


def run_with(run: str) -> str:
    """The function with its arguments in one list."""
    return f"(page, rest) => ({run})(page, ...rest)"


def test_the_pages_equal_neurons_are_pythons(browser: "Browser") -> None:
    run = """(page, parameters) => parameters.map((values) => {
        const network = new page.Network([3, 4, 2], "sigmoid", "sigmoid", "squared_error", Float64Array.from(values));
        const [passed, y] = [page.forward(network, Float64Array.of(1, 2, 3)), Float64Array.of(1, 0)];
        const facts = page.factsOf(network, [{ passed, y, back: page.backprop(network, passed, y) }], 1);
        return facts.layers.map((layer) => layer.is_symmetric);
    })"""
    networks = []
    for w1, w2 in itertools.product((0.0, 0.5, None), repeat=2):
        network = Network([3, 4, 2], dtype=np.float64)
        random = np.random.default_rng(0)
        network.w[1][:] = random.normal(0, 1, (4, 3)) if w1 is None else w1
        network.w[2][:] = random.normal(0, 1, (2, 4)) if w2 is None else w2
        networks.append(network)
    networks[0].w[1][2, 1] = 1e-7  # all others are 0
    answers = in_browser(browser, run, [network.parameters.tolist() for network in networks])
    example = Examples(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 0.0]]))
    for network, answer in zip(networks, answers, strict=True):
        inspection = Inspection(network, COSTS["squared_error"], example, [0])
        assert answer == [layer.is_symmetric for layer in inspection.layers(1.0)]
    assert answers[0] == [False, False]
    assert answers[1] == [True, False]
