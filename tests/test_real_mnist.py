"""Tests on the real MNIST. They are skipped unless NN_TEST_MNIST names its directory."""

from pathlib import Path

import pytest
from conftest import Command

from data_scripts.errors import DataError
from data_scripts.idx import read_split
from data_scripts.mnist import FILES, PAIRS, is_intact, load_mnist
from mnist_nn import COSTS, Examples, evaluate, load_checkpoint
from mnist_nn.training.evaluation import Evaluation


def held_out(real_mnist: Path, checkpoint: Path) -> Evaluation:
    """Accuracy on the last 10,000 training images. The test set is not used here."""
    _, validation = Examples.from_labels(*read_split(real_mnist, "train"), 10).split(10_000)
    return evaluate(load_checkpoint(checkpoint).network, COSTS["squared_error"], validation)


def test_the_mnist_source_accepts_only_mnists_own_files(real_mnist: Path) -> None:
    for split, pair in PAIRS.items():
        if all(is_intact(real_mnist, file) for file in pair):
            images, labels = load_mnist(real_mnist, split)
            assert images.shape == ({"train": 60_000, "test": 10_000}[split], 28, 28)
            assert labels.shape == images.shape[:1]
        else:
            with pytest.raises(DataError, match=r"is not MNIST's file .* data.source: idx"):
                load_mnist(real_mnist, split)
    assert sum(is_intact(real_mnist, file) for file in FILES) >= 3


@pytest.mark.parametrize(("recipe", "epochs", "accuracy"), [("mnist", 1, 0.94), ("nielsen", 2, 0.90)])
def test_recipes_read_most_digits_after_few_epochs(
    recipe: str, epochs: int, accuracy: float, nn: Command, real_mnist: Path
) -> None:
    outcome = nn(
        "train", recipe, "--run-dir", "run", "--data-dir", real_mnist,
        "--set", "data.source=idx", "--set", f"training.epochs={epochs}",
    )  # fmt: skip
    assert outcome.code == 0
    assert held_out(real_mnist, Path("run/checkpoints/best.safetensors")).accuracy > accuracy


def test_a_network_trained_on_drawn_digits_reads_handwritten_ones(nn: Command, real_mnist: Path) -> None:
    assert nn("train", "quickstart", "--run-dir", "run").code == 0
    result = held_out(real_mnist, Path("run/checkpoints/best.safetensors"))
    assert result.accuracy > 0.87


def test_evaluate_reads_the_real_test_files(nn: Command, real_mnist: Path) -> None:
    nn("train", "quickstart", "--run-dir", "run", "--set", "training.epochs=1")
    outcome = nn("evaluate", "run", "--data-source", "idx", "--data-dir", real_mnist)
    assert "idx, test split, 10,000 examples" in outcome.out
