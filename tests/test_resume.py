"""A run continues where it stopped, in one process at a time, or says why it cannot."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest
from conftest import Command, Outcome

from mnist_nn import load_checkpoint, save_checkpoint

Start = Callable[..., "Popen[str]"]
LONG = ["--set", "training.epochs=100000"]


def metrics_without_seconds(run: str) -> list[list[str]]:
    return [line.split(",")[:-1] for line in (Path(run) / "metrics.csv").read_text().splitlines()]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def results(outcome: Outcome) -> list[str]:
    return [line.split()[-1] for line in outcome.out.splitlines() if line.startswith("fingerprint")]


@pytest.mark.parametrize("schedule", ["constant", "{name: step, every: 2, factor: 0.5}"])
def test_extending_a_finished_run_equals_one_longer_run(schedule: str, nn: Command, small: Path) -> None:
    settings = ["--set", f"training.schedule={schedule}"]
    nn("train", small, *settings, "--run-dir", "short")
    longer = nn("train", small, *settings, "--set", "training.epochs=5", "--run-dir", "long")
    extended = nn("train", "--resume", "short", "--set", "training.epochs=5")
    assert extended.code == 0
    assert results(extended) == results(longer)
    assert metrics_without_seconds("short") == metrics_without_seconds("long")
    assert Path("short/config.yaml").read_bytes() == Path("long/config.yaml").read_bytes()
    assert json.loads(Path("short/run.json").read_text())["epochs"] == 5
    assert nn("train", "--resume", "short").err.startswith("short is already finished")


def test_extending_a_cosine_schedule_warns_of_the_difference(nn: Command, small: Path) -> None:
    nn("train", small, "--set", "training.schedule=cosine", "--run-dir", "run")
    outcome = nn("train", "--resume", "run", "--set", "training.epochs=4")
    assert "the cosine schedule now ends at epoch 4; the result differs from a run that was" in outcome.err
    assert outcome.code == 0


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.epochs=2", "training.epochs: 2: this run has already completed 3 epochs"),
        ("training.learning_rate=1.0", "training.learning_rate: 1.0: this run was started with 0.5, and only"),
        ("network.sizes=[784, 10]", "network.sizes: [784, 10]: this run was started with [784, 12, 10], and only"),
        ("data.source=synthetic", "data.source: synthetic: this run was started with idx"),
        ("training.epochs=many", "training.epochs: 'many': must be a valid integer"),
    ],
)
def test_settings_fixed_at_the_start_cannot_be_changed(override: str, expected: str, nn: Command, small: Path) -> None:
    """The error names the key, and no file changes. The epochs may grow but not shrink."""
    nn("train", small, "--run-dir", "run")
    before = {file: file.read_bytes() for file in Path("run").rglob("*") if file.is_file()}
    outcome = nn("train", "--resume", "run", "--set", override)
    assert outcome.code == 2
    assert expected in outcome.error
    assert {file: file.read_bytes() for file in Path("run").rglob("*") if file.is_file()} == before


def test_a_run_within_an_epoch_is_not_ended_before_it(nn: Command, small: Path) -> None:
    """Otherwise a network between two epochs would pass for the result of one."""
    nn("train", small, "--run-dir", "run", "--set", "training.epochs=2")
    file = Path("run/checkpoints/last.safetensors")
    checkpoint = load_checkpoint(file)
    checkpoint.state.step = 3
    longer = checkpoint.config.training.model_copy(update={"epochs": 3})
    config = checkpoint.config.model_copy(update={"training": longer})
    save_checkpoint(file, config, checkpoint.state)
    outcome = nn("train", "--resume", "run", "--set", "training.epochs=2")
    assert outcome.code == 2
    assert "training.epochs: 2: this run has already begun epoch 3; ask for as many" in outcome.error
    assert nn("train", "--resume", "run", "--set", "training.epochs=3").code == 0


def test_only_one_process_at_a_time_trains_a_run(nn: Command, nn_process: Start, small: Path) -> None:
    """When that process is killed, another process can resume the run."""
    process = nn_process("train", small, *LONG, "--run-dir", "run", "--quiet")
    wait_for(lambda: Path("run/checkpoints/best.safetensors").exists())
    outcome = nn("train", "--resume", "run")
    assert outcome.code == 1
    assert outcome.error == "Error: run: another process is training this run; wait for it, or stop it"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    again = nn_process("train", "--resume", "run", "--quiet")
    rows = Path("run/metrics.csv").read_text().count("\n")
    wait_for(lambda: Path("run/metrics.csv").read_text().count("\n") > rows + 1)
    again.send_signal(signal.SIGTERM)
    again.communicate()
    assert again.returncode == 143


def test_half_written_files_are_removed_on_resume(nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "run")
    leftovers = [Path("run/.run.json-1-abcdef01.nn-tmp"), Path("run/checkpoints/.last.safetensors-1-abcdef01.nn-tmp")]
    for leftover in leftovers:
        leftover.write_bytes(b"half")
    nn("train", "--resume", "run", "--set", "training.epochs=4")
    assert not any(leftover.exists() for leftover in leftovers)


def test_a_run_killed_after_its_last_save_can_be_finished(nn: Command, small: Path) -> None:
    whole = nn("train", small, "--run-dir", "run")
    file = Path("run/run.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "status": "running"}))
    assert results(nn("train", "--resume", "run")) == results(whole)
    assert json.loads(file.read_text())["status"] == "finished"


def test_resuming_on_another_machine_or_numpy_warns(nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "run")
    file = Path("run/run.json")
    description = json.loads(file.read_text())
    description["versions"]["numpy"] = "1.0.0"
    description["machine"]["threads"] = 99
    file.write_text(json.dumps(description))
    outcome = nn("train", "--resume", "run", "--set", "training.epochs=4")
    assert outcome.code == 0
    assert "warning: numpy was 1.0.0 and is " in outcome.err
    assert "warning: threads was 99 and is " in outcome.err
    assert outcome.err.count("warning") == 2
    assert "the last bits may differ from those of an uninterrupted run" in outcome.err
