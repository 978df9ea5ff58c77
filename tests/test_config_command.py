"""`nn config` prints a configuration and explains what each key may be."""

import json
from pathlib import Path

import pytest
from conftest import Command

from mnist_nn import Config, read_config


def test_config_prints_a_complete_configuration(nn: Command) -> None:
    """The output, saved to a file, is read back with every key and a comment for each."""
    outcome = nn("config", "nielsen", "--set", "training.epochs=2")
    assert outcome.code == 0
    Path("my.yaml").write_text(outcome.out)
    config = read_config(Path("my.yaml"))
    assert config.network.sizes == [784, 30, 10]
    assert config.training.epochs == 2
    assert all(f"{key}:" in outcome.out for key in ("seed", "dtype", "momentum", "early_stopping"))
    assert "# hidden layers: sigmoid, tanh, relu or identity" in outcome.out
    for line in outcome.out.splitlines():
        assert line.endswith(":") or "  # " in line, line


def test_schema_prints_the_json_schema_of_configurations(nn: Command) -> None:
    assert json.loads(nn("config", "--schema").out) == json.loads(json.dumps(Config.model_json_schema()))


def test_a_single_initial_weight_can_be_set(nn: Command) -> None:
    out = nn("config", "chain", "--set", "network.init.w.1=[[2.5]]", "--set", "network.init.b.2.0=7").out
    Path("my.yaml").write_text(out)
    init = read_config(Path("my.yaml")).plain()["network"]["init"]
    assert (init["w"][1], init["b"][2]) == ([[2.5]], [7.0])


@pytest.mark.parametrize("seed", ['!!int ""', '!!bool "maybe"', "0x" + "f" * 5000, "{!!bool q: 1}"])
def test_odd_yaml_is_refused_in_one_line(seed: str, nn: Command) -> None:
    outcome = nn("config", "chain", "--set", f"seed={seed}")
    assert outcome.code == 2
    assert len(outcome.error) < 300


def test_cross_entropy_requires_targets_between_0_and_1(nn: Command) -> None:
    outcome = nn("config", "chain", "--set", "cost=cross_entropy", "--set", "data.targets=[[5]]")
    assert outcome.code == 2
    assert "cost: cross_entropy needs data.targets between 0 and 1" in outcome.error


def test_nn_without_arguments_prints_help(nn: Command) -> None:
    outcome = nn()
    assert outcome.code == 0
    assert "inspect-gradients" in outcome.out


def test_the_version_is_printed(nn: Command) -> None:
    assert nn("--version").out.startswith("nn ")
    assert [line.split()[0] for line in nn("--version", "-v").out.splitlines()] == [
        "nn",
        "python",
        "numpy",
        "scipy",
        "BLAS",
    ]
