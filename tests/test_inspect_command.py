"""`nn inspect-gradients`: the factors multiply and the paths add up to the derivative; averages and the check."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from safetensors.numpy import load_file

from mnist_nn import COSTS, backprop, forward, load_checkpoint


@pytest.fixture
def run(nn: Command, small: Path) -> Path:
    assert nn("train", small, "--run-dir", "runs/one", "--quiet").code == 0
    return Path("runs/one")


def inspect(nn: Command, *arguments: object) -> dict:
    outcome = nn("inspect-gradients", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_the_json_has_the_documented_fields(nn: Command, run: Path) -> None:
    document = inspect(nn, run, "--weight", "1,3,400", "--check")
    assert list(document) == [
        "sizes", "activation", "output", "cost_function", "split", "source", "examples", "cost", "layers", "weight",
        "paths", "check", "route", "diagnosis",
    ]  # fmt: skip
    assert list(document["layers"][0]) == [
        "layer", "weights", "dC_dw_norm", "dC_db_norm", "largest", "mean_sigma_prime", "saturated", "step_ratio",
        "dC_dz_rms", "neurons", "dead", "is_symmetric",
    ]  # fmt: skip
    assert list(document["layers"][0]["largest"]) == ["j", "k", "dC_dw"]
    assert list(document["weight"]) == [
        "layer", "j", "k", "value", "example", "label", "a_prev", "z", "a", "y", "dz_dw", "da_dz", "dC_da", "dC_dw",
        "nudge", "mean_dC_dw", "per_example", "dC_dz",
    ]  # fmt: skip
    assert list(document["weight"]["nudge"]) == ["dw", "dz", "da", "dC"]
    assert list(document["paths"]) == ["layer", "neuron", "example", "terms", "sum"]
    assert list(document["paths"]["terms"][0]) == ["j", "w", "da_dz", "dC_da", "product"]
    assert list(document["check"]) == [
        "parameters", "max_relative_error", "worst", "passed", "skipped", "differences",
    ]  # fmt: skip
    assert list(document["check"]["differences"][0]) == ["h", "derivative", "error", "passed"]
    assert list(document["check"]["worst"]) == ["layer", "j", "k"]
    assert document["diagnosis"] == []


def test_the_json_tells_what_is_wrong(nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "ill", "--quiet", "--set", "training.learning_rate=1000000")
    (finding, *_) = inspect(nn, "ill")["diagnosis"]
    assert list(finding) == ["kind", "layer", "text", "numbers", "suggestion"]
    assert (finding["kind"], finding["layer"]) == ("saturated", 1)
    assert finding["text"].endswith(" of layer 1 is saturated (σ′ < 0.01): η = 1000000 is probably too large; try 3.")
    assert list(finding["numbers"]) == ["saturated"]
    assert finding["suggestion"] == {"key": "training.learning_rate", "value": 3.0}


def test_by_default_the_first_validation_examples_are_averaged(nn: Command, run: Path) -> None:
    """The default is 64 examples, or all of them if there are fewer, as here."""
    document = inspect(nn, run)
    assert document["split"] == "validation"
    assert document["examples"] == list(range(50))  # all of them


def test_the_default_weight_has_the_largest_derivative(nn: Command, run: Path) -> None:
    """The default example is the one where that derivative is largest. With --weight it is example 0."""
    document = inspect(nn, run)
    weight = document["weight"]
    largest = max((layer["largest"]["dC_dw"] for layer in document["layers"]), key=abs)
    assert weight["mean_dC_dw"] == pytest.approx(largest, rel=1e-12)
    assert abs(weight["dC_dw"]) == pytest.approx(max(map(abs, weight["per_example"])), rel=1e-12)
    place = f"{weight['layer']},{weight['j']},{weight['k']}"
    assert inspect(nn, run, "--weight", place)["weight"]["example"] == 0
    assert inspect(nn, run, "--example", "7", "--batch", "20")["weight"]["example"] == 7


def test_the_factors_multiply_to_the_derivative(nn: Command, run: Path) -> None:
    for place in ("2,4,7", "1,3,400"):
        weight = inspect(nn, run, "--weight", place, "--example", "9", "--batch", "20")["weight"]
        assert weight["example"] == 9
        assert weight["dC_dw"] == pytest.approx(weight["dz_dw"] * weight["da_dz"] * weight["dC_da"], rel=1e-12)
        assert weight["dz_dw"] == weight["a_prev"]
        assert len(weight["per_example"]) == 20
        assert weight["per_example"][9] == pytest.approx(weight["dC_dw"], rel=1e-12)
        assert weight["mean_dC_dw"] == pytest.approx(np.mean(weight["per_example"]), rel=1e-10)


def test_output_layer_factors_follow_the_chapters_formulas(nn: Command, run: Path) -> None:
    weight = inspect(nn, run, "--weight", "2,4,7")["weight"]
    assert weight["a"] == pytest.approx(1 / (1 + np.exp(-weight["z"])), rel=1e-12)
    assert weight["da_dz"] == pytest.approx(weight["a"] * (1 - weight["a"]), rel=1e-12)
    assert weight["dC_da"] == pytest.approx(2 * (weight["a"] - weight["y"]), rel=1e-12)
    assert weight["y"] == float(weight["label"] == 4)


def test_the_nudge_agrees_with_the_derivatives(nn: Command, run: Path) -> None:
    nudge = (weight := inspect(nn, run, "--weight", "2,4,7")["weight"])["nudge"]
    assert nudge["dw"] == 0.01
    assert nudge["dz"] == pytest.approx(0.01 * weight["a_prev"], rel=1e-9)
    assert nudge["da"] / nudge["dz"] == pytest.approx(weight["da_dz"], rel=0.02)
    assert nudge["dC"] / nudge["dw"] == pytest.approx(weight["dC_dw"], rel=0.05)


def test_a_bias_has_dz_db_equal_to_1(nn: Command, run: Path) -> None:
    """Its other factors are the same as for a weight of the neuron."""
    document = inspect(nn, run, "--bias", "1,3")
    bias, weight = document["bias"], inspect(nn, run, "--weight", "1,3,400")["weight"]
    assert "k" not in bias
    assert bias["dz_db"] == 1
    assert (bias["da_dz"], bias["dC_da"]) == (weight["da_dz"], weight["dC_da"])
    assert bias["dC_db"] == pytest.approx(bias["da_dz"] * bias["dC_da"], rel=1e-12)
    assert bias["nudge"]["db"] == 0.01


def test_the_paths_add_up_to_dC_da_of_the_neuron(nn: Command, run: Path) -> None:
    document = inspect(nn, run, "--weight", "1,3,400")
    paths = document["paths"]
    assert (paths["layer"], paths["neuron"]) == (1, 3)
    assert [term["j"] for term in paths["terms"]] == list(range(10))
    for term in paths["terms"]:
        assert term["product"] == pytest.approx(term["w"] * term["da_dz"] * term["dC_da"], rel=1e-12)
    assert paths["sum"] == pytest.approx(sum(term["product"] for term in paths["terms"]), rel=1e-12)
    assert paths["sum"] == pytest.approx(document["weight"]["dC_da"], rel=1e-10)
    assert "paths" not in inspect(nn, run, "--weight", "2,0,0")


def test_the_saved_gradient_equals_backprops(nn: Command, run: Path, digits: Path) -> None:
    """Its tensors have the parameters' names and shapes."""
    nn("inspect-gradients", run, "--split", "train", "--batch", "30", "--save", "gradient.safetensors")
    saved = load_file("gradient.safetensors")
    parameters = load_file(run / "checkpoints/best.safetensors")
    assert {name: tensor.shape for name, tensor in saved.items()} == {
        name: tensor.shape for name, tensor in parameters.items() if name != "velocity"
    }
    from data_scripts.idx import read_split

    images, labels = read_split(digits, "train")
    network = load_checkpoint(run / "checkpoints/best.safetensors").network.astype(np.float64)
    x, y = images[:30].reshape(30, -1).T / 255, np.eye(10)[labels[:30]].T
    gradient = backprop(network, COSTS["squared_error"], forward(network, x), y).gradient
    for l in network.layers:
        np.testing.assert_allclose(saved[f"w{l}"], gradient.dC_dw[l], rtol=1e-10, atol=1e-18)
        np.testing.assert_allclose(saved[f"b{l}"], gradient.dC_db[l][:, 0], rtol=1e-10, atol=1e-18)


@pytest.mark.parametrize("cost", ["squared_error", "cross_entropy"])
def test_the_check_passes_for_a_trained_network(cost: str, nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "run", "--set", f"cost={cost}", "--quiet")
    check = inspect(nn, "run", "--check", "--batch", "8")["check"]
    assert check["passed"]
    assert check["parameters"] == 100 + 12 + 100 + 10
    assert check["max_relative_error"] < 1e-6


def test_check_all_checks_every_parameter(nn: Command) -> None:
    check = inspect(nn, "chain", "--init", "--check-all")["check"]
    assert check["parameters"] == 6


def test_a_failed_check_ends_with_an_error(nn: Command, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mnist_nn.explaining import inspection

    def wrong(*arguments: object) -> object:
        back = backprop(*arguments)  # type: ignore[arg-type]
        back.gradient.vector *= 1.001
        return back

    monkeypatch.setattr(inspection, "backprop", wrong)
    outcome = nn("inspect-gradients", run, "--check", "--batch", "2")
    assert outcome.code == 1
    assert "check: backpropagation DISAGREES with central differences" in outcome.error


def test_init_inspects_the_network_training_started_from(nn: Command, run: Path) -> None:
    from mnist_nn import initial_state

    config = load_checkpoint(run / "checkpoints/best.safetensors").config
    value = inspect(nn, run, "--init", "--weight", "1,2,400")["weight"]["value"]
    assert value == initial_state(config).network.w[1][2, 400]
    assert value != inspect(nn, run, "--weight", "1,2,400")["weight"]["value"]


def test_the_chapters_chain_can_be_inspected_without_a_run(nn: Command) -> None:
    outcome = nn("inspect-gradients", "chain", "--init", "--weight", "3,0,0")
    assert outcome.code == 0
    a = 0.6
    for w, b in ((1.2, -0.3), (-0.8, 0.5), (1.5, -0.7)):
        previous, a = a, 1 / (1 + np.exp(-(w * a + b)))
    derivative = previous * a * (1 - a) * 2 * (a - 1.0)
    assert f"= {derivative:+.6f}" in outcome.out


def test_the_text_shows_factors_paths_and_average(nn: Command, run: Path) -> None:
    document = inspect(nn, run, "--weight", "1,3,400")
    weight = document["weight"]
    out = nn("inspect-gradients", run, "--weight", "1,3,400").out
    shown = [float(text) for text in re.findall(r"[+-]\d[\d.]*(?:e[+-]\d+)?", out)]
    figures = [weight[name] for name in ("value", "z", "dz_dw", "da_dz", "dC_da", "dC_dw", "mean_dC_dw")]
    figures += weight["nudge"].values()
    strongest = sorted((term["product"] for term in document["paths"]["terms"]), key=abs)[-8:]
    figures += [*strongest, document["paths"]["sum"]]
    for figure in figures:
        assert any(value == pytest.approx(figure, rel=5e-3, abs=1e-9) for value in shown), figure
    assert "w(1)[3,400]" in out
    assert "10 paths, 8 shown" in out
    assert "as backprop" in out


def test_every_number_is_printed_nine_characters_wide() -> None:
    """Very small and very large numbers get an exponent."""
    from nn_cli.text import number

    assert number(0.0) == "+0.000000"
    assert number(-0.187003) == "-0.187003"
    assert number(0.0000123) == "+1.23e-05"
    assert number(-2306.25) == "-2306.250"
    assert number(1e7) == "+1.00e+07"
    assert number(6.7e-16) == "+6.70e-16"  # only an exact 0 is printed as 0
    values = (0.0, -0.187003, 1.23e-5, 12345.0, 2.5, 47.0, 120.0, 1e5, 1e6, 0.001, 6.7e-16, 0.9999999)
    assert {len(number(value)) for value in values} == {9}


def test_each_layers_summary_equals_a_numpy_calculation(nn: Command, run: Path, digits: Path) -> None:
    from data_scripts.idx import read_split

    layers = inspect(nn, run, "--split", "train", "--batch", "40")["layers"]
    images, labels = read_split(digits, "train")
    network = load_checkpoint(run / "checkpoints/best.safetensors").network.astype(np.float64)
    x, y = images[:40].reshape(40, -1).T / 255, np.eye(10)[labels[:40]].T
    passed = forward(network, x)
    gradient = backprop(network, COSTS["squared_error"], passed, y).gradient
    assert [layer["layer"] for layer in layers] == [1, 2]
    for layer in layers:
        l = layer["layer"]
        dC_dw, sigma_prime = gradient.dC_dw[l], passed.a[l] * (1 - passed.a[l])
        assert layer["weights"] == network.w[l].size
        assert layer["dC_dw_norm"] == pytest.approx(np.sqrt((dC_dw**2).sum()))
        assert layer["dC_db_norm"] == pytest.approx(np.sqrt((gradient.dC_db[l] ** 2).sum()))
        assert abs(layer["largest"]["dC_dw"]) == pytest.approx(np.abs(dC_dw).max())
        assert dC_dw[layer["largest"]["j"], layer["largest"]["k"]] == pytest.approx(layer["largest"]["dC_dw"])
        assert layer["mean_sigma_prime"] == pytest.approx(sigma_prime.mean())
        assert layer["saturated"] == pytest.approx((sigma_prime < 0.01).mean())
        size = np.sqrt((network.w[l] ** 2).sum())
        assert layer["step_ratio"] == pytest.approx(0.5 * layer["dC_dw_norm"] / size)


def test_derivatives_below_a_saturated_cross_entropy_output_stay_exact(nn: Command) -> None:
    Path("saturated.yaml").write_text(
        "cost: cross_entropy\ndtype: float64\n"
        "data: {source: inline, inputs: [[0.5]], targets: [[0.0]]}\n"
        "network: {sizes: [1, 1, 1], init: {w: {1: [[2.0]], 2: [[60.0]]}, b: {1: [0.0], 2: [0.0]}}}\n"
    )
    document = inspect(nn, "saturated.yaml", "--init", "--weight", "1,0,0")
    weight, paths = document["weight"], document["paths"]
    assert weight["per_example"] == pytest.approx([weight["dC_dw"]], rel=1e-12)
    assert weight["dC_da"] == pytest.approx(60.0)
    assert paths["sum"] == pytest.approx(60.0)


def test_save_never_overwrites_a_file(nn: Command, run: Path) -> None:
    checkpoint = run / "checkpoints/best.safetensors"
    before = checkpoint.read_bytes()
    outcome = nn("inspect-gradients", run, "--save", checkpoint)
    assert outcome.code == 2
    assert "already exists and is never overwritten" in outcome.error
    assert checkpoint.read_bytes() == before


def test_misread_examples_are_listed_with_label_and_answer(nn: Command, run: Path, digits: Path) -> None:
    from data_scripts.idx import read_split

    images, labels = (part[-50:] for part in read_split(digits, "train"))  # the validation split
    network = load_checkpoint(run / "checkpoints/best.safetensors").network.astype(np.float64)
    answers = forward(network, images.reshape(50, -1).T / 255).a[2].argmax(axis=0)
    wrong = [f"{i} (a {labels[i]}, read as {answers[i]})" for i in np.flatnonzero(answers != labels)]
    assert len(wrong) > 4
    shown = " ".join(nn("inspect-gradients", run).out.split("\n\n")[0].split("\n", 2)[2].split())
    assert shown == f"misread: examples {', '.join(wrong[:4])} and {len(wrong) - 4} more"
    about = nn("inspect-gradients", run, "--weight", "2,0,0", "--example", "7").out
    reads = "" if answers[7] == labels[7] else f", read as {answers[7]}"
    assert f"example 7, label {labels[7]}{reads}\n" in about


def test_inspecting_an_untrained_recipe_is_refused(nn: Command) -> None:
    assert "quickstart: is a recipe, not a run; train it first" in nn("inspect-gradients", "quickstart").error


BAD = [
    (["--weight", "3,0,0"], 2, "--weight 3,0,0: there is no layer 3; w and b have layers 1 to 2"),
    (["--weight", "0,0,0"], 2, "there is no layer 0"),
    (["--weight", "1,12,0"], 2, "layer 1 has neurons 0 to 11, no neuron 12"),
    (["--weight", "1,0,784"], 2, "layer 0 has neurons 0 to 783, no neuron 784"),
    (["--bias", "2,10"], 2, "layer 2 has neurons 0 to 9, no neuron 10"),
    (["--weight", "1,2"], 2, "'1,2' is not of the form L,J,K"),
    (["--weight", "1,-2,3"], 2, "'1,-2,3' is not of the form L,J,K"),
    (["--bias", "x,y"], 2, "'x,y' is not of the form L,J"),
    (["--weight", "1,0,0", "--bias", "1,0"], 2, "--weight and --bias cannot be used together; choose one"),
    (["--example", "50"], 2, "--example 50: the validation split has examples 0 to 49"),
    (["--example", "-1"], 2, "Invalid value for '--example'"),
    (["--batch", "51"], 2, "--batch 51: the validation split has 50 examples"),
    (["--batch", "0"], 2, "Invalid value for '--batch'"),
    (["--example", "9", "--batch", "5"], 2, "--example 9: is not among the first 5 examples; use a larger --batch"),
    (
        ["--save", "no/where.safetensors"],
        1,
        "--save no/where.safetensors: cannot be written: No such file or directory",
    ),
    (["--html", "no/where.html"], 1, "--html no/where.html: cannot be written: No such file or directory; choose"),
    (["--html", "runs"], 2, "--html runs: is a directory; give a file name"),
    (["--html", ""], 2, "is a directory; give a file name"),
    (["--save", "x", "--html", "x"], 2, "--save and --html both name x; choose two names"),
    (["--init", "--checkpoint", "best"], 2, "--init and --checkpoint cannot be used together"),
    (["--weight", "1_0,2,3"], 2, "'1_0,2,3' is not of the form L,J,K"),
    (["--depth", "0"], 2, "Invalid value for '--depth'"),
]


@pytest.mark.parametrize(("arguments", "code", "expected"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_bad_input_gets_a_one_line_error(
    arguments: list[str], code: int, expected: str, nn: Command, run: Path
) -> None:
    outcome = nn("inspect-gradients", run, *arguments)
    assert outcome.code == code
    assert expected in outcome.error
    assert outcome.out == ""


def test_a_depth_beyond_any_network_follows_the_whole_chain(nn: Command) -> None:
    whole = nn("inspect-gradients", "chain", "--init", "--depth", "3")
    beyond = nn("inspect-gradients", "chain", "--init", "--depth", "9" * 20)
    assert (beyond.code, beyond.out) == (0, whole.out)
    assert f"--depth {'9' * 20}: the chain of this network has only 3 layers\n" in beyond.err
