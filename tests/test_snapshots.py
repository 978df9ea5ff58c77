"""Snapshots: states of training that a run keeps, each at exactly its step, without a change to the run's bits."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Command, needs_numba
from hypothesis import given
from hypothesis import strategies as st
from team import on_processes

from mnist_nn import Config, Examples, fingerprint, initial_state, load_checkpoint, train
from mnist_nn.errors import DivergenceError
from mnist_nn.examples.shuffling import Shuffling
from mnist_nn.runs.recorder import Recorder
from mnist_nn.runs.run_directory import RunDirectory
from mnist_nn.training.loop import Progress
from mnist_nn.training.snapshots import snapshot_steps
from mnist_nn.training.workers import Workers

SNAPSHOTS = ["--set", "training.snapshots=9"]
STEPS = [0, 1, 2, 3, 5, 9, 16, 28, 48]  # for three epochs of 16 steps

# The steps


@given(st.integers(0, 1000), st.integers(1, 10**7))
def test_snapshots_run_from_untrained_to_the_last_step(n: int, total: int) -> None:
    """They are distinct, in order, and n where training has so many states."""
    steps = snapshot_steps(n, total)
    assert len(steps) == min(n, total + 1)
    assert steps == sorted(set(steps))
    assert steps[:1] == [0][:n]
    assert steps[-1:] == ([total] if n > 1 else [0][:n])


@given(st.integers(3, 1000), st.integers(1000, 10**7))
def test_snapshots_are_geometrically_spaced(n: int, total: int) -> None:
    """Gaps never shrink by more than the rounding. Beyond step 100 the ratio of neighbours is about constant."""
    steps = snapshot_steps(n, total)
    gaps = [later - earlier for earlier, later in pairwise(steps)]
    assert all(wider >= gap - 1 for gap, wider in pairwise(gaps))
    ratios = [later / earlier for earlier, later in pairwise(steps) if earlier >= 100 and later - earlier >= 100]
    assert not ratios or max(ratios) / min(ratios) < 1.03


def test_the_snapshots_of_short_trainings_are_known() -> None:
    assert snapshot_steps(9, 48) == STEPS
    assert [snapshot_steps(n, 100) for n in range(5)] == [[], [0], [0, 100], [0, 1, 100], [0, 1, 10, 100]]
    assert snapshot_steps(9, 3) == snapshot_steps(4, 3) == [0, 1, 2, 3]
    assert snapshot_steps(3, 3) == [0, 1, 3]
    assert snapshot_steps(16, 18_000) == [
        0, 1, 2, 4, 8, 16, 32, 65, 131, 265, 535, 1081, 2184, 4412, 8912, 18_000
    ]  # fmt: skip


@given(st.lists(st.integers(0, 60), unique=True).map(sorted), st.integers(0, 20))
def test_slices_end_at_every_cut_and_keep_their_rows(cuts: list[int], first: int) -> None:
    shuffling = Shuffling(1, 50, 8, 3)
    begin = divmod(first, shuffling.steps_per_epoch)
    slices = list(shuffling.slices(3, *begin, cuts))
    whole = list(shuffling.slices(3, *begin))
    ends = [one.epoch * shuffling.steps_per_epoch + one.last for one in slices]
    assert {cut for cut in cuts if first < cut <= 3 * shuffling.steps_per_epoch} <= set(ends)
    assert {one.epoch * shuffling.steps_per_epoch + one.last for one in whole if one.ends_epoch} <= set(ends)
    assert all(one.last - one.first <= 3 for one in slices)
    assert [row for one in slices for row in one.rows] == [row for one in whole for row in one.rows]
    assert [place for one in slices for place in one.places] == [place for one in whole for place in one.places]


# The training


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "momentum and L2": {"training": {"momentum": 0.9, "l2": 0.01, "gradient_norms": True, "schedule": "cosine"}},
    "augmentation": {"augmentation": {"rotation": 10.0, "elastic": {"sigma": 2.0, "alpha": 10.0}}},
    "shards": {"training": {"shards": 4, "threads": 2}, "augmentation": {"rotation": 10.0}},
    "compiled": {"training": {"compiled": True, "momentum": 0.5, "l2": 0.01}},
}
EVERY_KIND = [pytest.param(kind, marks=needs_numba if kind == "compiled" else ()) for kind in KINDS]


def config_of(kind: str, snapshots: int) -> Config:
    """Three epochs of 16 steps, of which the last has only five examples."""
    values: dict[str, Any] = {"network": {"sizes": [64, 6, 4]}, "training": {}, **KINDS[kind]}
    training = {"epochs": 3, "batch_size": 8, "learning_rate": 0.5, "snapshots": snapshots}
    return Config.model_validate({**values, "training": {**training, **values["training"]}})


@pytest.fixture(scope="module")
def examples() -> tuple[Examples, Examples]:
    random = np.random.default_rng(3)
    images, targets = random.integers(0, 256, (140, 64), dtype=np.uint8), np.eye(4)[random.integers(0, 4, 140)]
    return Examples(images, targets).split(15)


def states_of(
    config: Config, examples: tuple[Examples, Examples], workers: Workers | None = None
) -> tuple[dict[int, tuple[bytes, bytes]], list[int], list[Progress]]:
    """The parameters and velocity at each reported step, the steps of the snapshots, and the reports with results."""
    state, states, snapshots, results = initial_state(config), {}, [], []
    for report in train(config, state, *examples, workers):
        assert report.global_step not in states
        states[report.global_step] = (state.network.parameters.tobytes(), state.velocity.tobytes())
        if report.is_snapshot:
            snapshots.append(report.global_step)
        if report.result:
            results.append(replace(report, is_snapshot=False, result=replace(report.result, seconds=0.0)))
    return states, snapshots, results


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_snapshot_is_the_state_after_exactly_its_step(
    kind: str, examples: tuple[Examples, Examples], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It equals the state of a training that takes one step at a time. The results are those without snapshots."""
    states, steps, results = states_of(config_of(kind, 9), examples)
    assert steps == STEPS
    _, without, plain = states_of(config_of(kind, 0), examples)
    assert not without
    assert results == plain
    monkeypatch.setattr("mnist_nn.training.loop.SLICE_STEPS", 1)
    one_by_one, _, _ = states_of(config_of(kind, 1), examples)
    assert list(one_by_one) == list(range(49))
    assert {step: one_by_one[step] for step in states} == states


@pytest.mark.parametrize("processes", [2, 4])
def test_every_process_has_the_same_snapshots(processes: int, examples: tuple[Examples, Examples]) -> None:
    alone = states_of(config_of("shards", 9), examples)
    assert alone[1] == STEPS
    found = on_processes(processes, lambda workers: states_of(config_of("shards", 9), examples, workers))
    assert found == [alone] * processes


def test_one_report_can_have_norms_and_a_snapshot(examples: tuple[Examples, Examples]) -> None:
    """Before the first step, and at the end of the last epoch."""
    config = config_of("momentum and L2", 2)
    reports = [report for report in train(config, initial_state(config), *examples) if report.is_snapshot]
    assert [report.global_step for report in reports] == [0, 48]
    assert [report.gradient_norms.epoch for report in reports if report.gradient_norms] == [0, 3]
    assert [bool(report.result) for report in reports] == [False, True]


# The files


def steps_in(run: str) -> list[int]:
    return [step for step, _ in RunDirectory(Path(run)).snapshots()]


def files_in(run: str) -> dict[str, bytes]:
    """The content of all files in the snapshots' directory, by name."""
    return {file.name: file.read_bytes() for file in Path(run, "snapshots").iterdir()}


def test_a_run_keeps_its_snapshots_as_checkpoints(nn: Command, small: Path) -> None:
    """The first is the untrained network, and the last equals the last checkpoint."""
    assert nn("train", small, "--run-dir", "run", "--quiet", *SNAPSHOTS).code == 0
    snapshots = RunDirectory(Path("run")).snapshots()
    assert [step for step, _ in snapshots] == STEPS
    assert [file.name for _, file in snapshots] == [f"{step:09d}.safetensors" for step in STEPS]
    assert snapshots[-1][1].read_bytes() == Path("run/checkpoints/last.safetensors").read_bytes()
    loaded = [load_checkpoint(file) for _, file in snapshots]
    assert [16 * one.state.epoch + one.state.step for one in loaded] == STEPS
    assert fingerprint(loaded[0].network) == fingerprint(initial_state(loaded[0].config).network)
    assert len({fingerprint(one.network) for one in loaded}) == len(STEPS)


def test_a_snapshot_can_be_evaluated_and_inspected(nn: Command, small: Path) -> None:
    """The last one gives the results of the last checkpoint, and an earlier one gives others."""
    nn("train", small, "--run-dir", "run", "--quiet", *SNAPSHOTS)
    files = ["snapshots/000000005.safetensors", "snapshots/000000048.safetensors", "checkpoints/last.safetensors"]
    for command in ("evaluate", "inspect-gradients"):
        earlier, last, checkpoint = (json.loads(nn(command, f"run/{file}", "--json").out)["cost"] for file in files)
        assert last == checkpoint != earlier


def test_snapshots_are_off_by_default_and_change_no_bit(nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "without", "--quiet")
    nn("train", small, "--run-dir", "with", "--quiet", *SNAPSHOTS)
    assert not Path("without/snapshots").exists()
    without, kept = (load_checkpoint(Path(run, "checkpoints/last.safetensors")) for run in ("without", "with"))
    assert fingerprint(without.network) == fingerprint(kept.network)
    assert without.state.best == kept.state.best


def test_foreign_names_are_no_snapshots() -> None:
    run = RunDirectory(Path("run"))
    assert run.snapshots() == []
    Path("run/snapshots").mkdir(parents=True)
    for name in ("000000012", "12345678901", "000000003"):
        Path(f"run/snapshots/{name}.safetensors").touch()
    for name in ("12", "0000000012", "-00000012", "٠٠٠٠٠٠٠١٢", "x000000012", "000000012.x"):
        Path(f"run/snapshots/{name}.safetensors").touch()
    Path("run/snapshots/000000012").touch()
    assert run.snapshots() == [(step, run.snapshot(step)) for step in (3, 12, 12345678901)]


def test_early_stopping_leaves_out_later_snapshots(nn: Command, small: Path) -> None:
    stop = ["--set", "training.epochs=200", "--set", "training.early_stopping=1", "--set", "training.learning_rate=5.0"]
    nn("train", small, "--run-dir", "run", "--quiet", *stop, *SNAPSHOTS)
    end = 16 * load_checkpoint(Path("run/checkpoints/last.safetensors")).state.epoch
    assert steps_in("run") == [step for step in snapshot_steps(9, 16 * 200) if step <= end]
    assert end < 16 * 200


def record_all(recorder: Recorder, reports: Iterator[Progress]) -> None:
    for report in reports:
        recorder.write(report)


def test_a_diverged_run_keeps_its_snapshots(examples: tuple[Examples, Examples]) -> None:
    """Those of the steps before it diverged, all finite."""
    values = config_of("plain", 40).model_dump()
    values["network"].update(activation="identity", output="identity")
    values["training"].update(learning_rate=100.0)
    config = Config.model_validate(values)
    state = initial_state(config)
    run = RunDirectory.create(Path("run"), config, state, {})
    recorder = Recorder(run, config, state)
    reports = train(config, state, *examples)
    with pytest.raises(DivergenceError):
        record_all(recorder, reports)
    recorder.diverge()
    steps = steps_in("run")
    assert steps == snapshot_steps(40, 48)[: len(steps)]
    assert 2 < len(steps) < 40
    for _, file in run.snapshots():
        assert np.isfinite(load_checkpoint(file).network.parameters).all()


# Resuming


def train_killed(config_file: Path, at: int, *options: str) -> None:
    """Train into the directory `cut`, killed as soon as the snapshot of this step is written."""
    program = f"""
import os, signal, sys
from nn_cli.__main__ import main
from mnist_nn.runs.recorder import Recorder
write = Recorder.write
def struck(self, report):
    write(self, report)
    if report.global_step == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
Recorder.write = struck
main(sys.argv[1:])
"""
    command = [sys.executable, "-c", program, "train", str(config_file), "--run-dir", "cut", "--quiet", *options]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL


@pytest.mark.parametrize("at", [0, 5, 16, 28, 48])
def test_a_killed_run_resumes_to_the_same_snapshots(at: int, nn: Command, small: Path) -> None:
    """Killed after a snapshot in an epoch, which the last checkpoint does not know. Resuming removes it first."""
    settings = [*SNAPSHOTS, "--set", "training.gradient_norms=true"]
    nn("train", small, "--run-dir", "whole", "--quiet", *settings)
    train_killed(small, at, *settings)
    assert steps_in("cut") == [step for step in STEPS if step <= at]
    checkpoint = load_checkpoint(Path("cut/checkpoints/last.safetensors"))
    Recorder(RunDirectory(Path("cut")), checkpoint.config, checkpoint.state)
    assert steps_in("cut") == [step for step in STEPS if step <= at // 16 * 16]
    assert nn("train", "--resume", "cut", "--quiet").code == 0
    assert files_in("cut") == files_in("whole")


@pytest.mark.parametrize("at", [(0, 0), (0, 2), (0, 5), (0, 8), (1, 0), (1, 3), (1, 12)])
def test_an_interrupted_run_resumes_to_the_same_snapshots(
    at: tuple[int, int], nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted at a snapshot, between two of them, and at the end of an epoch."""
    from nn_cli.progress import TrainingDisplay

    show = TrainingDisplay.show

    def interrupting_show(self: TrainingDisplay, report: Progress) -> None:
        show(self, report)
        if (report.epoch, report.step) == at:
            signal.raise_signal(signal.SIGINT)

    nn("train", small, "--run-dir", "whole", "--quiet", *SNAPSHOTS)
    with monkeypatch.context() as patch:
        patch.setattr("mnist_nn.training.loop.SLICE_STEPS", 3)
        patch.setattr(TrainingDisplay, "show", interrupting_show)
        assert nn("train", small, "--run-dir", "cut", "--quiet", *SNAPSHOTS).code == 130
    assert steps_in("cut") == [step for step in STEPS if step <= 16 * at[0] + at[1]]
    assert nn("train", "--resume", "cut", "--quiet").code == 0
    assert files_in("cut") == files_in("whole")


def test_more_epochs_keep_the_older_snapshots(nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "run", "--quiet", *SNAPSHOTS)
    before = files_in("run")
    nn("train", "--resume", "run", "--quiet", "--set", "training.epochs=6")
    assert steps_in("run") == STEPS + [step for step in snapshot_steps(9, 96) if step > 48]
    assert files_in("run").items() >= before.items()


def remove_directory(directory: Path) -> None:
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()


def leave_half_a_file(directory: Path) -> None:
    (directory / ".000000001.safetensors-1-abcdef01.nn-tmp").write_bytes(b"half")


@pytest.mark.parametrize("change", [remove_directory, leave_half_a_file])
def test_resuming_tidies_the_snapshots_directory(change: Callable[[Path], None], nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "run", "--quiet", *SNAPSHOTS)
    change(Path("run/snapshots"))
    assert nn("train", "--resume", "run", "--quiet", "--set", "training.epochs=6").code == 0
    assert steps_in("run")[-1] == 96
    assert not list(Path("run/snapshots").glob(".*"))


def test_a_snapshot_that_cannot_be_written_is_one_line(nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "run", "--quiet", *SNAPSHOTS)
    remove_directory(Path("run/snapshots"))
    Path("run/snapshots").write_text("a file")
    outcome = nn("train", "--resume", "run", "--quiet", "--set", "training.epochs=6")
    assert outcome.code == 1
    assert "run/snapshots" in outcome.error


def test_the_trials_of_a_sweep_keep_snapshots(nn: Command, small: Path) -> None:
    assert nn("sweep", small, "--seeds", "2", "--jobs", "1", "--name", "swept", "--quiet", *SNAPSHOTS).code == 0
    runs = [file.parent for file in Path("sweeps/swept").glob("*/run.json")]
    assert [steps_in(str(run)) for run in runs] == [STEPS] * 2
