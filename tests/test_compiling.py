"""A new run compiles its steps unasked where its training is long enough to gain."""

from pathlib import Path

import pytest
from conftest import Command, needs_numba

from mnist_nn import Config, read_config
from mnist_nn.training.compiling import compiling_pays


def config(sizes: tuple[int, ...], **training: object) -> Config:
    return Config.model_validate({"network": {"sizes": list(sizes)}, "training": training})


@pytest.mark.parametrize(
    ("sizes", "training", "pays"),
    [
        ((784, 30, 10), {"batch_size": 10, "epochs": 30}, False),  # too short
        ((784, 30, 10), {"batch_size": 10, "epochs": 300}, True),
        ((784, 30, 10), {"batch_size": 10, "epochs": 300, "shards": 2}, False),
        ((784, 100, 10), {"batch_size": 100, "epochs": 3000}, False),  # too many e^(−z) a step
        ((784, *[5] * 40, 10), {"batch_size": 10, "epochs": 3000}, False),  # compiles for too long
    ],
)
def test_compiling_pays_in_long_trainings_of_small_networks(
    sizes: tuple[int, ...], training: dict[str, object], pays: bool
) -> None:
    assert compiling_pays(config(sizes, **training), 50_000) is pays


@needs_numba
@pytest.mark.parametrize(("epochs", "compiled"), [(1, False), (200_000, True)])
def test_a_run_records_whether_it_compiles(epochs: int, compiled: bool, nn: Command, small: Path) -> None:
    settings = (f"training.epochs={epochs}", "training.early_stopping=1", "training.learning_rate=20.0")
    assert nn("train", small, "--run-dir", "run", *(part for s in settings for part in ("--set", s))).code == 0
    assert read_config("run/config.yaml").training.compiled is compiled


def test_without_numba_nothing_is_compiled(nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    settings = ("training.epochs=200000", "training.early_stopping=1", "training.learning_rate=20.0")
    assert nn("train", small, "--run-dir", "run", *(part for s in settings for part in ("--set", s))).code == 0
    assert read_config("run/config.yaml").training.compiled is False
