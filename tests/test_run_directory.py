"""A run directory is made whole, and everything in it is checked when it is read."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Command
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from data_scripts.files import create_directory, read_regular, remove_leftovers
from data_scripts.synthetic import load_synthetic
from mnist_nn import Config, initial_state, load_checkpoint
from mnist_nn.errors import CheckpointError, RunError
from mnist_nn.runs.checkpoint import FORMAT, _digest
from mnist_nn.runs.description import RunDescription, read_description
from mnist_nn.runs.recorder import Recorder
from mnist_nn.runs.run_directory import RunDirectory, newest_run
from mnist_nn.training.loop import Progress

CHAIN = ("chain", "--quiet", "--set", "training.epochs=4")


@pytest.fixture
def run(nn: Command) -> Path:
    """A finished run of the chain."""
    assert nn("train", *CHAIN, "--run-dir", "runs/x").code == 0
    return Path("runs/x")


@pytest.fixture
def cut(nn: Command) -> Path:
    """A run of the chain as if it had been interrupted after epoch 2."""
    assert nn("train", *CHAIN[:-1], "training.epochs=2", "--run-dir", "runs/cut").code == 0
    config = Path("runs/cut/config.yaml")
    config.write_text(config.read_text().replace("epochs: 2", "epochs: 4"))
    return Path("runs/cut")


# Made whole or not at all


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_run_killed_while_it_is_made_can_be_started_again(number: int, nn_process: Any, nn: Command) -> None:
    """Killed at moments spread over the making, the directory is not there, or it can be resumed."""
    started = time.monotonic()
    nn_process("train", *CHAIN, "--run-dir", "first").communicate()
    whole = time.monotonic() - started
    instants = 30 if os.environ.get("NN_LONG") else 5
    for i in range(instants):
        process = nn_process("train", *CHAIN, "--run-dir", f"run{i}")
        time.sleep(whole * (0.5 + 0.5 * i / instants))
        process.send_signal(number)
        process.communicate()
        if Path(f"run{i}").exists():
            assert nn("train", "--resume", f"run{i}", "--quiet").code == 0
        else:
            assert nn("train", *CHAIN, "--run-dir", f"run{i}").code == 0
        assert (
            Path(f"run{i}/checkpoints/last.safetensors").read_bytes()
            == Path("first/checkpoints/last.safetensors").read_bytes()
        )


def test_every_step_of_making_a_run_may_be_the_last(nn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    config = Config.model_validate({"network": {"sizes": [1, 1]}})
    state = initial_state(config)
    steps = [
        "mnist_nn.runs.run_directory.RunDirectory.configure",
        "mnist_nn.runs.run_directory.save_checkpoint",
        "mnist_nn.runs.run_directory.write_description",
        "mnist_nn.runs.epoch_table.EpochTable.write",
        "pathlib.Path.rename",
    ]
    for step in steps:
        with monkeypatch.context() as patch:

            def die(*_: object) -> None:
                raise Killed

            patch.setattr(step, die)
            patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # as after kill -9: nobody tidies up
            with pytest.raises(Killed):
                RunDirectory.create(Path("run"), config, state, {})
        assert not Path("run").exists()
    left = [path for path in Path().iterdir() if path.name.startswith(".run-")]
    assert left
    for path in left:
        os.utime(path, (0, 0))
    RunDirectory.create(Path("run"), config, state, {})
    assert not [path for path in Path().iterdir() if path.name.startswith(".run-")]  # what was left is gone


def test_a_directory_is_not_replaced_by_a_new_one(tmp_path: Path) -> None:
    def make() -> None:
        with create_directory(tmp_path / "new") as temporary:
            (temporary / "file").write_text("new")
            (tmp_path / "new").mkdir()
            (tmp_path / "new" / "file").write_text("theirs")

    with pytest.raises(FileExistsError):
        make()
    assert (tmp_path / "new" / "file").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_leftovers_of_others_stay(tmp_path: Path) -> None:
    others = {".x.tmp", ".other-12-0123abcd.tmp", "x-1-0123abcd.nn-tmp"}
    for name in (".x-1-0123abcd.nn-tmp", *others):
        (tmp_path / name).mkdir()
    (tmp_path / ".link-1-0123abcd.nn-tmp").symlink_to(tmp_path / ".x.tmp")
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == others


# Read as input

NOT_FILES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "directory": Path.mkdir,
    "loop": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("kind", NOT_FILES)
@pytest.mark.parametrize("name", ["run.json", "metrics.csv", "gradients.csv", "checkpoints/best.safetensors"])
def test_no_command_waits_for_what_is_no_file(name: str, kind: str, cut: Path, nn: Command) -> None:
    (cut / name).unlink(missing_ok=True)
    NOT_FILES[kind](cut / name)
    signal.alarm(60)  # ends the tests where a command waits
    try:
        for command in (["evaluate"], ["train", "--resume", cut, "--quiet"], ["inspect-gradients", cut]):
            outcome = nn(*command)
            assert outcome.code in (0, 1)
            assert outcome.err.count("Error: ") == outcome.code
    finally:
        signal.alarm(0)


BAD_DESCRIPTIONS = [
    '{"versions": []}', '{"versions": 3}', '{"machine": "none"}', '{"machine": [1]}', '{"data": 1}',
    '{"recipe": "\\ud800"}', '{"recipe": "a\\u0000b"}', '{"recipe": ""}', '{"recipe": 7}', '{"recipe": "\\u001b[31m"}',
    '{"versions": {"a\\nb": 1}}', '{"status": "asleep"}', '{"started": 5}', '{"number": -1}', '{"number": 1e300}', "[]", "3", "", "{", "nul", "\ud800",
    "[" * 100_000, '{"a": ' * 100_000, '{"number": ' + "9" * 100_000 + "}", " " * (1 << 21),
]  # fmt: skip


def test_a_bad_run_json_is_one_line(nn: Command, cut: Path) -> None:
    assert nn("train", *CHAIN, "--run-dir", "good").code == 0
    for content in BAD_DESCRIPTIONS:
        (cut / "run.json").write_bytes(content.encode("utf-8", "surrogatepass"))
        outcome = nn("train", "--resume", cut)
        assert outcome.code == 1, content[:50]
        assert "run.json: " in outcome.error, content[:50]
    assert nn("train", cut / "config.yaml", "--quiet", "--set", "training.epochs=1").code == 0  # named by the file
    assert nn("evaluate", "good").code == 0


def test_a_bad_cell_of_metrics_is_one_line(nn: Command, cut: Path) -> None:
    file = cut / "metrics.csv"
    header, first, second = file.read_text().splitlines()
    for column in (0, 3, 7):
        for value in ("[" * 100_000, "1e999", "nan", "x", '"1', "9" * 5000, "\x00", "\u2028", "--1"):
            cells = first.split(",")
            cells[column] = value
            file.write_text("\n".join([header, ",".join(cells), second, ""]))
            outcome = nn("train", "--resume", cut)
            assert outcome.code == 1, (column, value[:50])
            assert "metrics.csv: is damaged, or cannot be read: " in outcome.error, (column, value[:50])


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_no_bytes_surprise_the_reader_of_run_json(content: bytes) -> None:
    file = Path("surprise.json")
    file.write_bytes(content)
    with contextlib.suppress(RunError):
        RunDescription.model_validate(read_description(file))


def test_a_large_file_is_read_no_further_than_allowed(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="larger than 1,000 bytes"):
        read_regular(tmp_path / "large", 1000)


# What happens to its files while it trains


def recorded(change: Callable[[Path], object]) -> tuple[Path, Path]:
    """A run whose files are changed after its second epoch, and one left alone; both end by an interruption."""
    from mnist_nn import Examples, train

    config = Config.model_validate({"network": {"sizes": [2, 1]}, "training": {"epochs": 4, "gradient_norms": True}})
    examples = Examples(np.eye(2), np.array([[0.0], [1.0]]))
    paths = Path("changed"), Path("alone")
    for path in paths:
        state = initial_state(config)
        recorder = Recorder(RunDirectory.create(path, config, state, {}), config, state)
        recorder.start()
        for report in train(config, state, examples, examples):
            recorder.write(report)
            if report.result and report.result.epoch == 2 and path == paths[0]:
                change(path)
            if report.result and report.result.epoch == 3:
                break
        recorder.interrupt()
    return paths


@pytest.mark.parametrize("name", ["metrics.csv", "gradients.csv", "run.json"])
@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_text(file.read_text().split("\n")[0] + "\n"),
        lambda file: file.write_text(file.read_text()[:-1]),
        Path.unlink,
        lambda file: file.write_text(""),
    ],
    ids=["cut to its first line", "without its last newline", "removed", "emptied"],
)
def test_a_table_changed_while_training_is_written_anew(change: Callable[[Path], object], name: str) -> None:
    changed, alone = recorded(lambda path: change(path / name))
    for file in ("metrics.csv", "gradients.csv"):
        one, other = ((path / file).read_text().splitlines() for path in (changed, alone))
        assert [row.rsplit(",", 1)[0] for row in one] == [row.rsplit(",", 1)[0] for row in other]  # but for seconds
    now, then = (RunDirectory(path).description() for path in (changed, alone))
    assert now["fingerprint"] == then["fingerprint"]
    assert now["last"]["train_cost"] == then["last"]["train_cost"]
    assert now["status"] == "interrupted"


def test_a_run_directory_removed_while_training_is_named(nn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    show = Progress.__init__

    def remove(self: Progress, *arguments: Any, **options: Any) -> None:
        show(self, *arguments, **options)
        if self.epoch == 2:
            shutil.rmtree("gone", ignore_errors=True)

    monkeypatch.setattr(Progress, "__init__", remove)
    outcome = nn("train", *CHAIN, "--run-dir", "gone")
    assert outcome.code == 1
    assert outcome.error == "Error: gone: the run directory was removed while training; start a new run"


def test_a_missing_best_checkpoint_stops_a_resume(nn: Command, cut: Path) -> None:
    (cut / "checkpoints/best.safetensors").unlink()
    outcome = nn("train", "--resume", cut)
    assert outcome.code == 1
    assert "best.safetensors: is missing, but epoch 2 was the best so far; restore the file" in outcome.error
    assert nn("evaluate", cut, "--split", "train", "--checkpoint", "last").code == 0


def test_evaluate_names_a_best_checkpoint_that_was_removed(nn: Command, run: Path) -> None:
    (run / "checkpoints/best.safetensors").unlink()
    outcome = nn("evaluate", run, "--split", "train")
    assert outcome.code == 1
    assert outcome.error.endswith("is missing, though epochs of this run have ended; use --checkpoint last")


def test_another_runs_best_checkpoint_stops_a_resume(nn: Command, cut: Path) -> None:
    nn("train", *CHAIN[:-1], "training.epochs=1", "--run-dir", "short")
    shutil.copy("short/checkpoints/best.safetensors", cut / "checkpoints/best.safetensors")
    outcome = nn("train", "--resume", cut)
    assert outcome.code == 1
    assert "best.safetensors: is not the checkpoint of epoch 2" in outcome.error


# The newest run


def test_the_newest_run_does_not_depend_on_the_clock(nn: Command) -> None:
    for i, started in enumerate(["2030-01-01", "2020-01-01", "2025-01-01"]):
        nn("train", *CHAIN, "--run-dir", f"runs/r{i}")
        file = Path(f"runs/r{i}/run.json")
        file.write_text(json.dumps(json.loads(file.read_text()) | {"started": started}))
        assert newest_run(Path("runs")).path.name == f"r{i}"
    shutil.rmtree("runs/r2")
    assert newest_run(Path("runs")).path.name == "r1"


def test_no_number_in_a_run_stops_later_runs(nn: Command) -> None:
    for name in ("a", "b", "c"):
        assert nn("train", *CHAIN, "--run-dir", f"runs/{name}").code == 0
        file = Path(f"runs/{name}/run.json")
        file.write_text(json.dumps(json.loads(file.read_text()) | {"number": 2**53 - 1}))
    assert nn("evaluate", "--split", "train").code == 0


def test_a_half_made_run_is_never_the_newest(run: Path) -> None:
    shutil.copytree(run, "runs/.y-1-0123abcd.nn-tmp")
    description = run / "run.json"
    Path("runs/.y-1-0123abcd.nn-tmp/run.json").write_text(description.read_text().replace('"number": 1', '"number": 9'))
    assert newest_run(Path("runs")).path == run


# Checkpoints that declare much


def test_a_checkpoint_of_100000_layers_is_refused_at_once(tmp_path: Path) -> None:
    n = 100_000
    tensors = {f"{name}{l}": np.zeros((1, 1) if name == "w" else 1, np.float32) for l in range(1, n) for name in "wb"}
    config = json.dumps({"network": {"sizes": [1] * n}})
    metadata = {"format": FORMAT, "config": config, "state": '{"epoch":0,"step":0,"seconds":0.0,"best":null}'}
    (tmp_path / "deep").write_bytes(save(tensors, metadata | {"digest": _digest(tensors, metadata)}))
    command = f"ulimit -v 1500000; exec {sys.executable} - {tmp_path / 'deep'}"
    program = (
        "import sys; from pathlib import Path; from mnist_nn import load_checkpoint\n"
        "try: load_checkpoint(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    done = subprocess.run(["sh", "-c", command], input=program, capture_output=True, text=True, check=False)
    assert done.stdout == "CheckpointError\n", done.stderr


def test_as_many_layers_as_are_allowed_can_be_saved(tmp_path: Path) -> None:
    config = Config.model_validate({"network": {"sizes": [1] * 1001}, "training": {"momentum": 0.5}})
    from mnist_nn import save_checkpoint

    save_checkpoint(tmp_path / "x", config, initial_state(config))
    assert load_checkpoint(tmp_path / "x").network.L == 1000
    with pytest.raises(ValueError, match="at most 1001"):
        Config.model_validate({"network": {"sizes": [1] * 1002}})


def test_a_checkpoint_that_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    config = Config.model_validate({"network": {"sizes": [2, 1]}, "training": {"momentum": 0.5}})
    from mnist_nn import save_checkpoint

    for change in (
        {"velocity": np.zeros(1, np.float32)},
        {"velocity": np.zeros(3)},
        {"epoch": -1},
        {"step": 2**40},
        {"seconds": float("nan")},
    ):
        state = initial_state(config)
        for name, value in change.items():
            setattr(state, name, value)
        with pytest.raises(ValueError, match=r"state|velocity|epoch|step|seconds"):
            save_checkpoint(tmp_path / "x", config, state)
        assert not (tmp_path / "x").exists()
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "x")


# The cache of drawn digits


def test_a_cache_with_other_valid_digits_is_drawn_again(tmp_path: Path) -> None:
    from data_scripts.idx import read_split, write_idx

    images, _ = load_synthetic("test", tmp_path)
    (directory,) = tmp_path.iterdir()
    write_idx(directory / "test-images-idx3-ubyte.gz", images[::-1].copy())
    again, _ = load_synthetic("test", tmp_path)
    np.testing.assert_array_equal(again, images)
    np.testing.assert_array_equal(read_split(directory, "test")[0], images)
