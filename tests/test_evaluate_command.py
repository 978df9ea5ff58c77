"""`nn evaluate`: correct figures as text and as JSON, from any run or checkpoint."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Command

from data_scripts.idx import read_split
from data_scripts.synthetic import COUNTS
from mnist_nn import COSTS, Examples, evaluate, forward, load_checkpoint, save_checkpoint
from mnist_nn.examples.dataset import classify, columns


@pytest.fixture
def run(nn: Command, small: Path) -> Path:
    assert nn("train", small, "--run-dir", "runs/one", "--quiet").code == 0
    return Path("runs/one")


def test_the_json_has_exactly_the_documented_fields(nn: Command, run: Path) -> None:
    """stdout holds nothing else."""
    outcome = nn("evaluate", run, "--json")
    document = json.loads(outcome.out)
    assert list(document) == [
        "run", "checkpoint", "split", "examples", "correct", "accuracy", "cost", "confusion", "digits",
    ]  # fmt: skip
    assert [list(digit) for digit in document["digits"]] == [["digit", "precision", "recall", "support"]] * 10
    assert document["split"] == "test"
    assert document["examples"] == 100


def test_the_figures_equal_a_count_by_hand(nn: Command, run: Path, digits: Path) -> None:
    document = json.loads(nn("evaluate", run, "--json").out)
    network = load_checkpoint(run / "checkpoints/best.safetensors").network
    images, labels = read_split(digits, "test")
    a = forward(network, (images.reshape(100, -1).T / 255).astype(np.float32)).a[2]
    answers = a.argmax(axis=0)
    assert document["correct"] == (answers == labels).sum()
    assert document["accuracy"] == document["correct"] / 100
    y = np.eye(10)[labels].T
    assert document["cost"] == pytest.approx(((a - y) ** 2).sum(axis=0).mean(), rel=1e-5)
    for digit, figures in enumerate(document["digits"]):
        assert figures["support"] == (labels == digit).sum()
        right = ((labels == digit) & (answers == digit)).sum()
        assert figures["recall"] == pytest.approx(right / (labels == digit).sum())
        taken = (answers == digit).sum()
        assert figures["precision"] == (pytest.approx(right / taken) if taken else None)
    for true, answer in zip(labels, answers, strict=True):
        document["confusion"][true][answer] -= 1
    assert not np.any(document["confusion"])


def test_without_a_run_argument_the_newest_is_evaluated(nn: Command, run: Path, small: Path) -> None:
    """stderr names the run."""
    nn("train", small, "--run-dir", "runs/a-newer-one", "--quiet")
    outcome = nn("evaluate")
    assert outcome.err == "run runs/a-newer-one\n"
    assert "runs/a-newer-one/checkpoints/best.safetensors" in outcome.out


@pytest.mark.parametrize(("split", "examples"), [("test", 100), ("validation", 50), ("train", 250)])
def test_each_split_can_be_evaluated(split: str, examples: int, nn: Command, run: Path) -> None:
    assert json.loads(nn("evaluate", run, "--split", split, "--json").out)["examples"] == examples


def test_a_checkpoint_can_be_evaluated_without_its_run(nn: Command, run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.safetensors"
    (run / "checkpoints/last.safetensors").rename(moved)
    assert json.loads(nn("evaluate", moved, "--json").out)["checkpoint"] == str(moved)


def test_best_and_last_select_the_checkpoint(nn: Command, run: Path) -> None:
    for name in ("best", "last"):
        document = json.loads(nn("evaluate", run, "--checkpoint", name, "--json").out)
        assert document["checkpoint"] == str(run / f"checkpoints/{name}.safetensors")


def test_other_data_can_be_evaluated(nn: Command, run: Path, tmp_path: Path) -> None:
    from data_scripts.idx import write_idx
    from data_scripts.synthetic import draw_digits

    images, labels = draw_digits(30, 5)
    write_idx(tmp_path / "t10k-images-idx3-ubyte", images)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", labels)
    outcome = nn("evaluate", run, "--data-source", "idx", "--data-dir", tmp_path, "--json")
    assert json.loads(outcome.out)["examples"] == 30


def test_the_text_fits_60_columns(nn: Command, run: Path) -> None:
    body = nn("evaluate", run).out.splitlines()[1:]
    assert max(map(len, body)) <= 60


BAD = [
    (["nowhere"], 1, "Error: nowhere: there is no such run directory or checkpoint"),
    (["."], 1, "Error: .: is not a run directory (it holds no run.json)"),
    (["small.yaml"], 1, "Error: small.yaml: is a configuration, not a run; train it first with `nn train small.yaml`"),
    (["runs/one/metrics.csv"], 1, "Error: runs/one/metrics.csv: is not a checkpoint of nn; name a run directory"),
    (
        ["runs/one/metrics.csv", "--checkpoint", "last"],
        2,
        "--checkpoint needs a run directory, but runs/one/metrics.csv is a file",
    ),
    (["--split", "tset"], 2, "Error: Invalid value for '--split': 'tset' is not one of 'test', 'validation', 'train'"),
    (["--data-dir", "nowhere"], 1, "nowhere: there is no such data directory"),
]


@pytest.mark.parametrize(("arguments", "code", "expected"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_bad_input_gets_a_one_line_error(
    arguments: list[str], code: int, expected: str, nn: Command, run: Path
) -> None:
    outcome = nn("evaluate", *arguments)
    assert outcome.code == code
    assert expected in outcome.error
    assert outcome.out == ""


def test_without_any_run_the_error_suggests_nn_train(nn: Command) -> None:
    outcome = nn("evaluate")
    assert outcome.code == 1
    assert outcome.error.startswith("Error: runs: there are no runs here yet; make one with `nn train quickstart`")


def test_a_run_without_a_best_checkpoint_suggests_last(nn: Command, run: Path) -> None:
    (run / "checkpoints/best.safetensors").unlink()
    assert "use --checkpoint last" in nn("evaluate", run).error


def test_a_damaged_checkpoint_is_refused(nn: Command, run: Path) -> None:
    path = run / "checkpoints/best.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    outcome = nn("evaluate", run)
    assert outcome.code == 1
    assert "is damaged: its digest does not match its content" in outcome.error


def test_evaluating_in_slices_gives_the_same_result(digits: Path, monkeypatch: pytest.MonkeyPatch, run: Path) -> None:
    network = load_checkpoint(run / "checkpoints/best.safetensors").network
    examples = Examples.from_labels(*read_split(digits, "train"), 10)
    whole = evaluate(network, COSTS["squared_error"], examples)
    monkeypatch.setattr("mnist_nn.training.evaluation.SLICE", 7)
    sliced = evaluate(network, COSTS["squared_error"], examples)
    np.testing.assert_array_equal(whole.confusion, sliced.confusion)
    assert whole.cost == pytest.approx(sliced.cost, rel=1e-6)
    assert whole.correct == (classify(forward(network, columns(examples, np.float32)[0]).a[2]) == examples.labels).sum()


def test_evaluating_no_examples_is_refused(run: Path, digits: Path) -> None:
    network = load_checkpoint(run / "checkpoints/best.safetensors").network
    none = Examples.from_labels(*read_split(digits, "train"), 10)[:0]
    with pytest.raises(ValueError, match="no examples"):
        evaluate(network, COSTS["squared_error"], none)


def test_one_output_neuron_answers_0_or_1() -> None:
    np.testing.assert_array_equal(classify(np.array([[0.2, 0.5, 0.9]])), [0, 1, 1])


def test_a_closed_pipe_causes_no_error(run: Path) -> None:
    import subprocess
    import sysconfig

    script = Path(sysconfig.get_path("scripts")) / "nn"
    done = subprocess.run(f"{script} evaluate {run} | true", shell=True, capture_output=True, text=True)
    assert done.stderr == ""


def test_an_infinite_cost_is_null_in_json(nn: Command) -> None:
    Path("huge.yaml").write_text(
        "dtype: float32\n"
        "data: {source: inline, inputs: [[1.0]], targets: [[0.0]]}\n"
        "network: {sizes: [1, 1], output: identity, init: {w: {1: [[1.0e+15]]}, b: {1: [0.0]}}}\n"
        "training: {epochs: 1, learning_rate: 1.0e-10}\n"
    )
    assert nn("train", "huge.yaml", "--run-dir", "run").code == 0
    loaded = load_checkpoint(Path("run/checkpoints/last.safetensors"))
    loaded.network.parameters[:] = 1e30
    save_checkpoint(Path("huge.safetensors"), loaded.config, loaded.state)
    assert json.loads(nn("evaluate", "huge.safetensors", "--json").out)["cost"] is None


def test_evaluation_uses_the_cost_of_training(nn: Command, small: Path, digits: Path) -> None:
    nn("train", small, "--run-dir", "run", "--set", "cost=cross_entropy", "--quiet")
    images, labels = read_split(digits, "test")
    network = load_checkpoint(Path("run/checkpoints/best.safetensors")).network.astype(np.float64)
    a, y = forward(network, images.reshape(100, -1).T / 255).a[2], np.eye(10)[labels].T
    expected = -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=0).mean()
    assert json.loads(nn("evaluate", "run", "--json").out)["cost"] == pytest.approx(expected, rel=1e-5)


def test_the_text_lists_precision_recall_and_support(nn: Command, run: Path) -> None:
    def percent(ratio: float | None) -> str:
        return "–" if ratio is None else f"{100 * ratio:.2f}%"

    figures = json.loads(nn("evaluate", run, "--json").out)["digits"]
    lines = nn("evaluate", run).out.splitlines()
    assert any(digit["precision"] != digit["recall"] for digit in figures)
    for digit in figures:
        expected = [percent(digit["precision"]), percent(digit["recall"]), str(digit["support"])]
        assert [str(digit["digit"]), *expected] in [line.split() for line in lines]


@pytest.mark.parametrize(
    "command", [["evaluate"], ["inspect-gradients"], ["evaluate", "--checkpoint", "last"]], ids=" ".join
)
def test_a_configuration_or_another_file_is_no_run(command: list[str], nn: Command) -> None:
    """The error says what to do with either."""
    for name in ("my two.yaml", "-two.yml"):
        Path(name).write_text("seed: 0")
        quoted = {"my two.yaml": "'my two.yaml'", "-two.yml": "./-two.yml"}[name]
        outcome = nn(*command, "--", name)
        assert outcome.code == 1
        assert outcome.error == (
            f"Error: {name}: is a configuration, not a run; train it first with `nn train {quoted}`, "
            f"or inspect it untrained with `nn inspect-gradients {quoted} --init`"
        )
    Path("three.jpg").write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF")
    if "--checkpoint" not in command:
        assert nn(*command, "three.jpg").error.endswith(
            "three.jpg: is not a checkpoint of nn; name a run directory, or a file under its checkpoints/"
        )


def test_another_data_source_does_not_use_the_runs_directory(
    nn: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COUNTS, "test", 40)
    assert json.loads(nn("evaluate", run, "--data-source", "synthetic", "--json").out)["examples"] == 40
    assert list(Path("data").glob("digits-*/test-images-idx3-ubyte.gz"))  # in NN_DATA_DIR, not beside the run's digits
