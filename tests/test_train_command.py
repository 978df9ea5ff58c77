"""`nn train`: its files and output, interrupting and resuming it, and what it refuses."""

import csv
import json
import re
import shlex
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from mnist_nn import Config, initial_state, load_checkpoint, read_config, save_checkpoint
from mnist_nn.errors import RunError
from mnist_nn.runs.recorder import Recorder
from mnist_nn.runs.run_directory import RunDirectory
from mnist_nn.training.loop import Progress
from mnist_nn.training.state import GradientNorms


def only_run(root: Path) -> Path:
    (run,) = root.iterdir()
    return run


def fingerprint_of(run: Path) -> str:
    return str(json.loads((run / "run.json").read_text())["fingerprint"])


def metrics_without_seconds(run: Path) -> list[dict[str, str]]:
    rows = csv.DictReader((run / "metrics.csv").read_text().splitlines())
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_training_ends_with_results_and_suggested_commands(nn: Command, small: Path) -> None:
    """The results are the directory, the accuracy and the fingerprint."""
    outcome = nn("train", small)
    assert outcome.code == 0
    run = only_run(Path("runs"))
    assert run.name.startswith("small-")
    assert "best validation accuracy" in outcome.out
    assert f"run          {run}" in outcome.out
    assert f"fingerprint  {fingerprint_of(run)}" in outcome.out
    assert f"nn evaluate {run}" in outcome.out
    assert f"nn inspect-gradients {run}" in outcome.out
    assert [line.split()[0] for line in outcome.err.splitlines()[-4:]] == ["epoch", "1/3", "2/3", "3/3"]


def test_suggested_commands_can_be_pasted_into_a_shell(nn: Command, small: Path) -> None:
    outcome = nn("train", small, "--run-dir", "my run")
    assert "next         nn evaluate 'my run'" in outcome.out


def test_quiet_prints_only_the_results(nn: Command, small: Path) -> None:
    outcome = nn("train", small, "--quiet")
    assert outcome.err == ""
    assert "fingerprint" in outcome.out


HUGE = ["--set", "training.learning_rate=1000000"]


def test_training_without_success_says_so_and_what_to_type(nn: Command, small: Path) -> None:
    """Each kind of finding is one line on stderr, once, and the exit code is 0."""
    outcome = nn("train", small, "--run-dir", "a run", *HUGE, "--set", "training.epochs=9")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert re.fullmatch(r"best validation accuracy +\S+%  \(epoch \d of 9; no better than guessing\)", lines[0])
    assert lines[-2:] == [
        "next         nn train 'a run/config.yaml' --set training.learning_rate=3",
        "             nn inspect-gradients 'a run'",
    ]
    warnings = [line for line in outcome.err.splitlines() if line.startswith("warning: ")]
    assert [re.sub(r"[\d.]+ %|C = \S+", "#", line) for line in warnings] == [
        "warning: after epoch 1: # of layer 1 is saturated (σ′ < 0.01): η = 1000000 is probably too large; try 3.",
        "warning: after epoch 1: The outputs are stuck at wrong values: # and σ′ < 0.01 in # of layer 2, so hardly any "
        "gradient gets back: η = 1000000 is probably too large; try 3.",
    ]
    assert outcome.err.index("\n  1/9 ") < outcome.err.index(warnings[0]) < outcome.err.index("\n  2/9 ")
    assert json.loads(Path("a run/run.json").read_text())["status"] == "finished"
    assert nn(*shlex.split(lines[-2].split("nn ", 1)[1]), "--run-dir", "better", "--quiet").code == 0
    assert read_config("better/config.yaml").training.learning_rate == 3


def test_quiet_training_still_warns(nn: Command, small: Path) -> None:
    outcome = nn("train", small, *HUGE, "--quiet")
    assert [line[:9] for line in outcome.err.splitlines()] == ["warning: "] * 2


def test_trials_of_a_sweep_do_not_warn(nn: Command, small: Path) -> None:
    outcome = nn("sweep", small, "--grid", "training.learning_rate=1000000", "--seeds", "1", "--jobs", "1")
    assert outcome.code == 0
    assert "warning" not in outcome.err


def test_watching_does_not_change_the_training(nn: Command, small: Path) -> None:
    """The command's parameters are those of the library, where nobody watches."""
    from nn_cli.loading import load_training
    from nn_cli.machine import choose_threads

    from mnist_nn import fingerprint, train
    from mnist_nn.training.workers import Workers

    for number, settings in enumerate([[], HUGE, ["--set", "training.shards=2"]]):
        assert nn("train", small, "--run-dir", f"run{number}", "--quiet", *settings).code == 0
        config = read_config(f"run{number}/config.yaml")
        state, workers = initial_state(config), Workers()
        with choose_threads(config, workers):
            for _ in train(config, state, *load_training(config), workers):
                pass
        assert fingerprint(state.network) == fingerprint_of(Path(f"run{number}"))


def test_networks_too_large_to_watch_are_not_watched(nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nn_cli.watching.MAX_PARAMETERS", 100)
    outcome = nn("train", small, *HUGE, "--quiet")
    assert outcome.err == ""
    assert "no better than guessing" in outcome.out
    assert "nn inspect-gradients" in outcome.out


def test_a_run_directory_holds_the_documented_files(nn: Command, small: Path, tmp_path: Path) -> None:
    nn("train", small, "--run-dir", "here")
    run = Path("here")
    assert {str(file.relative_to(run)) for file in run.rglob("*") if file.is_file()} == {
        ".lock",
        "config.yaml",
        "metrics.csv",
        "run.json",
        "checkpoints/last.safetensors",
        "checkpoints/best.safetensors",
    }
    header, *rows = (run / "metrics.csv").read_text().splitlines()
    assert header == ("epoch,step,learning_rate,train_cost,train_accuracy,validation_cost,validation_accuracy,seconds")
    assert [row.split(",")[:3] for row in rows] == [["1", "16", "0.5"], ["2", "32", "0.5"], ["3", "48", "0.5"]]
    description = json.loads((run / "run.json").read_text())
    assert description["status"] == "finished"
    assert description["seed"] == 0
    assert description["recipe"] == "small"
    assert description["epochs"] == 3
    assert set(description["versions"]) == {"nn", "python", "numpy", "scipy"}
    assert {"blas", "threads", "cores"} <= set(description["machine"])
    for library in ThreadpoolController().select(user_api="blas").info():
        assert library.get("architecture", "") in description["machine"]["blas"]
    assert description["data"]["training_examples"] == 250
    assert description["started"] < description["updated"]
    best = load_checkpoint(run / "checkpoints" / "best.safetensors").state.best
    assert best is not None
    assert description["best"]["epoch"] == best.epoch
    assert description["last"]["epoch"] == 3
    assert description["last"]["train_cost"] == float(rows[-1].split(",")[3])


def test_the_saved_configuration_reproduces_the_run(nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "first", "--set", "seed=5")
    nn("train", "first/config.yaml", "--run-dir", "second")
    assert fingerprint_of(Path("first")) == fingerprint_of(Path("second"))
    assert json.loads(Path("second/run.json").read_text())["recipe"] == "small"
    assert Path("first/config.yaml").read_text() == Path("second/config.yaml").read_text()


def test_the_seed_determines_the_fingerprint(nn: Command, small: Path) -> None:
    """The same seed gives the same fingerprint, and another seed gives another one."""
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        nn("train", small, "--run-dir", name, "--set", f"seed={seed}", "--quiet")
    assert fingerprint_of(Path("a")) == fingerprint_of(Path("b")) != fingerprint_of(Path("c"))


def test_an_existing_run_directory_is_never_overwritten(nn: Command, small: Path) -> None:
    Path("mine").mkdir()
    Path("mine/notes").write_text("keep")
    outcome = nn("train", small, "--run-dir", "mine")
    assert outcome.code == 1
    assert outcome.error == "Error: mine: exists already, and a run is never overwritten; choose another --run-dir"
    assert [file.name for file in Path("mine").iterdir()] == ["notes"]
    nn("train", small, "--run-dir", "a run", "--quiet")
    again = nn("train", small, "--run-dir", "a run")
    assert again.error.endswith("choose another --run-dir, or continue that run with --resume 'a run'")


def test_a_run_directory_that_cannot_be_created_is_reported(nn: Command, small: Path) -> None:
    Path("file").write_text("")
    outcome = nn("train", small, "--run-dir", "file/run")
    assert outcome.code == 1
    assert outcome.error.startswith("Error: file/run: the run directory cannot be made: file: is not a directory")


def test_a_read_only_run_directory_is_reported(nn: Command, small: Path) -> None:
    outcome = nn("train", small, "--run-dir", "/proc/run")
    assert outcome.code == 1
    assert "Error: /proc/run: the run directory cannot be made" in outcome.error


def slow_training(small: Path) -> list[object]:
    return ["train", small, "--run-dir", "run", "--set", "training.epochs=100000", "--set", "training.momentum=0.5"]


def wait_for_rows(run: Path, count: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (run / "metrics.csv").exists() and len((run / "metrics.csv").read_text().splitlines()) > count:
            return
        time.sleep(0.02)
    raise AssertionError("training did not get going")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_saves_the_state_and_sets_the_exit_code(
    number: int, code: int, nn_process: Callable[..., "subprocess.Popen[str]"], small: Path
) -> None:
    process = nn_process(*slow_training(small))
    wait_for_rows(Path("run"), 2)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "nn train --resume run" in err
    assert "Traceback" not in err
    assert json.loads(Path("run/run.json").read_text())["status"] == "interrupted"
    assert load_checkpoint(Path("run/checkpoints/last.safetensors")).state.epoch >= 2


def train_interrupted(
    nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch, *options: str, at: tuple[int, int] = (1, 10)
) -> None:
    """Train into the directory `cut`, with a Ctrl-C at the given epoch and step."""
    from nn_cli.progress import TrainingDisplay

    show = TrainingDisplay.show

    def interrupting_show(self: TrainingDisplay, report: Progress) -> None:
        show(self, report)
        if (report.epoch, report.step) == at:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("mnist_nn.training.loop.SLICE_STEPS", 5)
        patch.setattr(TrainingDisplay, "show", interrupting_show)
        assert nn("train", small, "--run-dir", "cut", *options).code == 130


def test_a_run_interrupted_within_an_epoch_resumes_to_identical_results(
    nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nn("train", small, "--run-dir", "whole")
    train_interrupted(nn, small, monkeypatch)
    state = load_checkpoint(Path("cut/checkpoints/last.safetensors")).state
    assert (state.epoch, state.step) == (1, 10)
    assert nn("train", "--resume", "cut/checkpoints/last.safetensors").code == 0
    assert fingerprint_of(Path("cut")) == fingerprint_of(Path("whole"))
    assert metrics_without_seconds(Path("cut")) == metrics_without_seconds(Path("whole"))
    whole, cut = (load_checkpoint(Path(name, "checkpoints/best.safetensors")) for name in ("whole", "cut"))
    assert whole.network.parameters.tobytes() == cut.network.parameters.tobytes()


def test_a_killed_run_keeps_its_last_epochs_checkpoint(
    nn: Command, nn_process: Callable[..., "subprocess.Popen[str]"], small: Path
) -> None:
    process = nn_process(*slow_training(small))
    wait_for_rows(Path("run"), 2)
    process.kill()
    process.communicate()
    epoch = load_checkpoint(Path("run/checkpoints/last.safetensors")).state.epoch
    config = Path("run/config.yaml").read_text()
    Path("run.yaml").write_text(config.replace("epochs: 100000", f"epochs: {epoch}"))
    nn("train", "run.yaml", "--run-dir", "short")
    interrupted = load_checkpoint(Path("run/checkpoints/last.safetensors"))
    finished = load_checkpoint(Path("short/checkpoints/last.safetensors"))
    assert interrupted.network.parameters.tobytes() == finished.network.parameters.tobytes()


def test_a_run_killed_before_its_checkpoint_resumes_identically(nn: Command, small: Path) -> None:
    """As if killed after the third epoch's metrics and `best` were written, but before its `last`."""
    options = ["--set", "training.epochs=6", "--set", "training.early_stopping=4", "--quiet"]
    nn("train", small, "--run-dir", "whole", *options)
    shutil.copytree("whole", "killed")
    nn("train", small, "--run-dir", "short", "--set", "training.epochs=2", "--quiet")
    config = load_checkpoint(Path("whole/checkpoints/last.safetensors")).config
    save_checkpoint(
        Path("killed/checkpoints/last.safetensors"),
        config,
        load_checkpoint(Path("short/checkpoints/last.safetensors")).state,
    )
    header, *rows = Path("whole/metrics.csv").read_text().splitlines(keepends=True)
    Path("killed/metrics.csv").write_text(header + "".join(rows[:3]) + rows[3][:10])
    description = json.loads(Path("killed/run.json").read_text())
    Path("killed/run.json").write_text(json.dumps({**description, "status": "running"}))

    assert nn("train", "--resume", "killed", "--quiet").code == 0
    assert metrics_without_seconds(Path("killed")) == metrics_without_seconds(Path("whole"))
    for name in ("best", "last"):
        whole, killed = (load_checkpoint(Path(run, f"checkpoints/{name}.safetensors")) for run in ("whole", "killed"))
        assert whole.network.parameters.tobytes() == killed.network.parameters.tobytes()
        assert whole.state.velocity.tobytes() == killed.state.velocity.tobytes()
    assert json.loads(Path("killed/run.json").read_text())["status"] == "finished"


NORMS = ["--set", "training.gradient_norms=true"]


def norms_of(run: str) -> list[GradientNorms]:
    directory = RunDirectory(Path(run))
    return directory.gradient_norms(read_config(directory.config_file))


def test_gradient_norms_are_recorded_for_every_epoch_and_layer(
    nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading them back gives the same numbers."""
    from nn_cli.progress import TrainingDisplay

    told: list[GradientNorms] = []
    monkeypatch.setattr(TrainingDisplay, "show", lambda _, report: told.extend(filter(None, [report.gradient_norms])))
    nn("train", small, "--run-dir", "run", *NORMS)
    header, *rows = Path("run/gradients.csv").read_text().splitlines()
    assert header == "epoch,layer,dC_dw_norm,dC_db_norm"
    assert [row.split(",")[:2] for row in rows] == [[str(epoch), str(l)] for epoch in range(4) for l in (1, 2)]
    assert norms_of("run") == told
    assert told[0].epoch == 0
    assert float(rows[1].split(",")[2]) == told[0].dC_dw[2] > 0
    assert float(rows[6].split(",")[3]) == told[3].dC_db[1] > 0


def test_gradient_norms_are_optional_and_do_not_affect_training(nn: Command, small: Path) -> None:
    """Without the key there is no file of gradient norms, and the fingerprint is the same."""
    nn("train", small, "--run-dir", "with", *NORMS)
    nn("train", small, "--run-dir", "without")
    assert not Path("without/gradients.csv").exists()
    assert norms_of("without") == []
    assert fingerprint_of(Path("with")) == fingerprint_of(Path("without"))
    assert metrics_without_seconds(Path("with")) == metrics_without_seconds(Path("without"))


@pytest.mark.parametrize("at", [(0, 0), (0, 10), (1, 0), (1, 10)])
def test_interruption_does_not_change_the_gradient_norms(
    at: tuple[int, int], nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nn("train", small, "--run-dir", "whole", *NORMS)
    train_interrupted(nn, small, monkeypatch, *NORMS, at=at)
    assert [norms.epoch for norms in norms_of("cut")] == list(range(at[0] + 1))
    assert nn("train", "--resume", "cut").code == 0
    assert Path("cut/gradients.csv").read_bytes() == Path("whole/gradients.csv").read_bytes()


@pytest.mark.parametrize("number", range(1 + 2 * 3))  # norms of epoch 0; per epoch norms and metrics
@pytest.mark.parametrize("missing", [0, 1, 60])  # nothing, the line end, or more than a line
def test_a_failed_append_does_not_change_the_resumed_results(
    number: int, missing: int, nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends after an append or within one, at any append."""
    from data_scripts.files import append_durably

    before = iter(range(number))

    def append(path: Path, content: bytes) -> None:
        if next(before, None) is not None:
            append_durably(path, content)
        else:
            append_durably(path, content[: len(content) - missing])
            raise OSError(28, "No space left on device", str(path))

    nn("train", small, "--run-dir", "whole", *NORMS)
    with monkeypatch.context() as patch:
        patch.setattr("mnist_nn.runs.epoch_table.append_durably", append)
        assert nn("train", small, "--run-dir", "cut", *NORMS).code == 1
    assert all(list(norms.dC_dw) == [1, 2] for norms in norms_of("cut"))
    assert nn("train", "--resume", "cut").code == 0
    assert Path("cut/gradients.csv").read_bytes() == Path("whole/gradients.csv").read_bytes()
    assert metrics_without_seconds(Path("cut")) == metrics_without_seconds(Path("whole"))


DAMAGE = [
    (lambda text: text.replace("layer", "l"), "its columns are not epoch,layer,dC_dw_norm,dC_db_norm"),
    (lambda text: text.replace("\n1,1,", "\n1,1,7,"), "its columns are not"),
    (lambda text: re.sub(r"\n0,1,.*", "\n0,1,7", text), "its columns are not"),
    (lambda _: "", "its columns are not"),
    (lambda text: re.sub(r"\n0,.*", "", text), "its epochs do not count from 0"),
    (lambda text: re.sub(r"\n0,2,.*", "", text), "its epochs do not count from 0"),
    (lambda text: text.replace("\n1,1,", "\n1,3,"), "its layers do not count from 1"),
    (lambda text: text.replace("\n1,1,0.", "\n1,1,x"), "could not convert string to float: 'x"),
    (lambda text: re.sub(r"\n1,1,[^,]*", "\n1,1,", text), "could not convert string to float: ''"),
    (lambda text: text.replace("\n1,1,", '\n1,1,"'), "unexpected end of data"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGE)
def test_damaged_gradient_norms_are_refused_in_one_line(
    damage: Callable[[str], str], reason: str, nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_interrupted(nn, small, monkeypatch, *NORMS)
    file = Path("cut/gradients.csv")
    file.write_text(damage(file.read_text()))
    with pytest.raises(RunError) as refused:
        norms_of("cut")
    assert str(refused.value).startswith(f"cut/gradients.csv: is damaged, or cannot be read: {reason}")
    assert nn("train", "--resume", "cut").error == f"Error: {refused.value}"


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda file: file.write_text(file.read_text().split("\n1,")[0] + "\n")]
)
def test_missing_gradient_norms_are_refused_on_resume(
    damage: Callable[[Path], None], nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_interrupted(nn, small, monkeypatch, *NORMS)
    damage(Path("cut/gradients.csv"))
    error = nn("train", "--resume", "cut").error
    assert (
        error == "Error: cut/gradients.csv: has fewer epochs than the last checkpoint; restore the file, or train anew"
    )


def test_infinite_and_nan_norms_are_saved_unchanged() -> None:
    config = Config.model_validate({"network": {"sizes": [1, 1]}, "training": {"gradient_norms": True}})
    state = initial_state(config)
    run = RunDirectory.create(Path("run"), config, state, {})
    norms = GradientNorms(0, {1: np.inf}, {1: np.nan})
    Recorder(run, config, state).write(Progress(0, 0, 1, gradient_norms=norms))
    assert Path("run/gradients.csv").read_text().splitlines()[1] == "0,1,inf,nan"
    (norms,) = run.gradient_norms(config)
    assert norms.dC_dw[1] == np.inf
    assert np.isnan(norms.dC_db[1])


def test_a_run_older_than_gradient_norms_can_be_resumed(
    nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nn("train", small, "--run-dir", "whole")
    train_interrupted(nn, small, monkeypatch)
    config_file, last = Path("cut/config.yaml"), Path("cut/checkpoints/last.safetensors")
    config_file.write_text(re.sub(r"\n *gradient_norms: false.*", "", config_file.read_text()))
    checkpoint = load_checkpoint(last)
    with monkeypatch.context() as patch:
        old = checkpoint.config.model_dump_json(exclude={"training": {"gradient_norms"}})
        patch.setattr(Config, "model_dump_json", lambda _: old)
        save_checkpoint(last, checkpoint.config, checkpoint.state)
    assert b"gradient_norms" not in last.read_bytes() + config_file.read_bytes()
    assert nn("train", "--resume", "cut").code == 0
    assert fingerprint_of(Path("cut")) == fingerprint_of(Path("whole"))


def test_best_holds_the_parameters_of_the_best_epoch(nn: Command, small: Path) -> None:
    settings = ("training.epochs=12", "training.warmup=11", "training.learning_rate=200.0")  # it destroys itself
    nn("train", small, "--run-dir", "run", *(part for setting in settings for part in ("--set", setting)))
    best = load_checkpoint(Path("run/checkpoints/best.safetensors")).state
    rows = metrics_without_seconds(Path("run"))
    quality = [(float(row["validation_accuracy"]), -float(row["validation_cost"])) for row in rows]
    assert best.epoch == 1 + quality.index(max(quality)) < 12
    assert best.best is not None
    assert best.best.epoch == best.epoch


def cut_header(text: str) -> str:
    return text.split("\n", 1)[1]


def drop_epoch_one(text: str) -> str:
    header, _, rest = text.split("\n", 2)
    return f"{header}\n{rest}"


def add_a_column(text: str) -> str:
    return text.replace("\n1,", "\n1,7,")


@pytest.mark.parametrize("damage", [cut_header, drop_epoch_one, add_a_column, lambda _: "", lambda _: "\ufeff\0"])
def test_damaged_metrics_are_refused_on_resume(
    damage: Callable[[str], str], nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_interrupted(nn, small, monkeypatch)
    file = Path("cut/metrics.csv")
    file.write_text(damage(file.read_text()))
    outcome = nn("train", "--resume", "cut")
    assert outcome.code == 1
    assert outcome.error.startswith("Error: cut/metrics.csv: ")


@pytest.mark.parametrize("content", ["{", "[]", '{"data": null}', '{"data": 3}', "[" * 100_000])
def test_a_damaged_description_is_refused_and_hides_no_other_run(
    content: str, nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_interrupted(nn, small, monkeypatch)
    Path("cut/run.json").write_text(content)
    assert nn("train", "--resume", "cut").code == 1
    nn("train", small, "--run-dir", "runs/good", "--quiet")
    Path("cut").rename("runs/cut")
    assert nn("evaluate", "runs/good").code == 0
    if not content.startswith('{"'):
        assert nn("evaluate").err == "run runs/good\n"


def test_a_changed_configuration_is_refused_on_resume(
    nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_interrupted(nn, small, monkeypatch)
    file = Path("cut/config.yaml")
    file.write_text(file.read_text().replace("momentum: 0.5", "momentum: 0.6"))
    assert nn("train", "--resume", "cut").error == (
        "Error: training.momentum: 0.6: this run was started with 0.5, and only training.epochs can be changed; train anew"
    )


def test_a_failed_start_leaves_nothing_behind(nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "run/checkpoints/last.safetensors")

    monkeypatch.setattr("mnist_nn.runs.run_directory.save_checkpoint", full)
    outcome = nn("train", small, "--run-dir", "run")
    assert outcome.error == "Error: run/checkpoints/last.safetensors: No space left on device"
    assert not Path("run").exists()


def test_a_full_disk_keeps_the_last_good_checkpoint(nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room again, the run resumes to the same fingerprint."""
    from data_scripts import files

    write = files.write_atomically

    def full_in_the_second_epoch(path: Path, content: bytes) -> None:
        if path.name == "last.safetensors" and path.exists() and load_checkpoint(path).state.epoch == 1:
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr("mnist_nn.runs.checkpoint.write_atomically", full_in_the_second_epoch)
    outcome = nn("train", small, "--run-dir", "run")
    assert outcome.code == 1
    assert outcome.error == (
        "Error: run/checkpoints/last.safetensors: No space left on device; everything saved before is intact; "
        "solve the problem, then continue with `nn train --resume run`"
    )
    assert load_checkpoint(Path("run/checkpoints/last.safetensors")).state.epoch == 1
    monkeypatch.setattr("mnist_nn.runs.checkpoint.write_atomically", write)
    nn("train", small, "--run-dir", "whole")
    assert nn("train", "--resume", "run").code == 0
    assert fingerprint_of(Path("run")) == fingerprint_of(Path("whole"))


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "2>&1 | head -3"])
def test_training_continues_if_nobody_reads_its_progress(closed: str, small: Path) -> None:
    script = Path(sysconfig.get_path("scripts")) / "nn"
    subprocess.run(f"{script} train {small} --run-dir run {closed}", shell=True, capture_output=True, check=False)
    assert json.loads(Path("run/run.json").read_text())["status"] == "finished"


def test_two_signals_at_once_interrupt_cleanly(nn_process: Callable[..., "subprocess.Popen[str]"], small: Path) -> None:
    process = nn_process(*slow_training(small))
    wait_for_rows(Path("run"), 2)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode in (130, 143)
    assert "Traceback" not in err
    assert json.loads(Path("run/run.json").read_text())["status"] == "interrupted"


def test_resuming_a_finished_run_says_so(nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "run")
    outcome = nn("train", "--resume", "run")
    assert outcome.code == 0
    assert "run is already finished" in outcome.err


def test_resuming_on_other_data_is_refused(
    nn: Command, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data_scripts.idx import write_idx
    from data_scripts.synthetic import draw_digits

    train_interrupted(nn, small, monkeypatch)
    images, labels = draw_digits(300, 99)
    other = tmp_path / "other"
    other.mkdir()
    write_idx(other / "train-images-idx3-ubyte", images)
    write_idx(other / "train-labels-idx1-ubyte", labels)
    outcome = nn("train", "--resume", "cut", "--data-dir", other)
    assert outcome.code == 1
    assert "cut: was trained on other data" in outcome.error


def test_resuming_on_other_labels_is_refused(
    nn: Command, small: Path, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data_scripts.idx import read_split, write_idx

    train_interrupted(nn, small, monkeypatch)
    other = tmp_path / "other"
    shutil.copytree(digits, other)
    write_idx(other / "train-labels-idx1-ubyte", np.roll(read_split(digits, "train")[1], 1))
    assert "cut: was trained on other data" in nn("train", "--resume", "cut", "--data-dir", other).error


def test_resume_refuses_a_configuration_argument(nn: Command, small: Path) -> None:
    outcome = nn("train", small, "--resume", "run")
    assert outcome.code == 2
    assert "--resume uses the run's own configuration and directory; leave out CONFIG and --run-dir" in outcome.error


def test_resuming_a_missing_run_is_refused(nn: Command, tmp_path: Path) -> None:
    outcome = nn("train", "--resume", "nowhere")
    assert outcome.code == 1
    assert outcome.error == "Error: nowhere: is not a run directory (it holds no run.json)"


def test_a_diverging_run_keeps_the_last_good_checkpoint(nn: Command, small: Path) -> None:
    """The error says when it diverged."""
    outcome = nn(
        "train", small, "--run-dir", "run", "--set", "training.learning_rate=1e30",
        "--set", "network.activation=identity", "--set", "network.output=identity",
    )  # fmt: skip
    assert outcome.code == 1
    assert "training diverged in epoch 1, by step" in outcome.error
    assert "try a smaller training.learning_rate" in outcome.error
    last = load_checkpoint(Path("run/checkpoints/last.safetensors"))
    assert (last.network.parameters < 1e30).all()
    assert json.loads(Path("run/run.json").read_text())["status"] == "diverged"
    assert "this run diverged before its first epoch ended" in nn("evaluate", "run").error


def test_training_stops_at_the_first_infinite_cost(nn: Command) -> None:
    """The learning rate is a million. The best epoch is kept."""
    linear = "network={sizes: [1, 1], output: identity, init: {w: {1: [[0.5]]}, b: {1: [0.0]}}}"
    outcome = nn(
        "train", "chain", "--set", linear, "--set", "training.learning_rate=1e6", "--run-dir", "run", "--quiet"
    )
    assert outcome.code == 1
    assert outcome.error == (
        "Error: training diverged in epoch 24, by step 1: the cost is NaN or infinite; "
        "try a smaller training.learning_rate (it was 1e+06), or another network.init"
    )
    costs = [float(row["train_cost"]) for row in RunDirectory(Path("run")).metrics()]
    assert len(costs) == 23
    assert np.isfinite(costs).all()
    last, best = (load_checkpoint(Path(f"run/checkpoints/{name}.safetensors")).state for name in ("last", "best"))
    assert (last.epoch, last.best) == (23, best.best)
    assert np.isfinite(last.network.parameters).all()
    assert best.best is not None
    assert best.best.train_cost == min(costs)
    assert nn("train", "--resume", "run").error.startswith("Error: run: this run diverged and would diverge again")


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e400"])
def test_infinite_and_nan_inputs_are_refused(number: str, nn: Command) -> None:
    outcome = nn("train", "chain", "--set", f"data.inputs=[[{number}]]")
    assert outcome.code == 2
    assert outcome.error.endswith("must be a finite number")
    assert not Path("runs").exists()


def test_overflow_in_the_first_step_records_no_epoch(nn: Command) -> None:
    outcome = nn(
        "train", "chain", "--set", "dtype=float32", "--set", "data.inputs=[[1e39]]", "--run-dir", "run", "--quiet"
    )
    assert outcome.code == 1
    assert outcome.error.startswith("Error: training diverged in epoch 1, by step 1: a parameter is NaN or infinite;")
    assert RunDirectory(Path("run")).metrics() == []
    assert not Path("run/checkpoints/best.safetensors").exists()
    state = load_checkpoint(Path("run/checkpoints/last.safetensors")).state
    assert (state.epoch, state.best) == (0, None)
    assert np.isfinite(state.network.parameters).all()


def test_a_diverged_run_does_not_hide_an_earlier_one(nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "runs/good", "--quiet")
    nn(
        "train", small, "--run-dir", "runs/bad", "--set", "training.learning_rate=1e30",
        "--set", "network.activation=identity", "--set", "network.output=identity",
    )  # fmt: skip
    assert nn("evaluate").err == "run runs/good\n"


def test_the_chain_trains_without_any_data_directory(nn: Command) -> None:
    outcome = nn("train", "chain", "--set", "training.epochs=3")
    assert outcome.code == 0
    assert "best train accuracy" in outcome.out


BAD = [
    (["nowhere.yaml"], 2, "Error: nowhere.yaml: is neither a file nor a recipe; the recipes are 3blue1brown, best, chain,"),
    (["SMALL", "--set", "training.epoch=3"], 2, "unknown key; did you mean training.epochs?"),
    (["SMALL", "--set", "seed"], 2, "Error: --set seed: needs the form KEY=VALUE"),
    (["SMALL", "--set", "network.sizes=[100, 5, 10]"], 2, "network.sizes: begins with 100, but the train examples have 784"),
    (["SMALL", "--set", "network.sizes=[784, 5, 4]"], 2, "network.sizes: ends with 4, but the train labels go up to 9; it needs at least 10"),
    (["SMALL", "--set", "data.validation=300"], 2, "data.validation: 300: must be less than the 300 examples"),
    (["SMALL", "--data-dir", "nowhere"], 1, "nowhere: there is no such data directory; give one with --data-dir"),
    (["SMALL", "--data-dir", "."], 1, "there is no train-images-idx3-ubyte or train-images-idx3-ubyte.gz here"),
    (["chain", "--set", "network.sizes=[1, 1]", "--set", "network.init=lecun_normal", "--set", "data.targets=[[1, 0]]"], 2, "network.sizes: ends with 1, but data.targets have 2 numbers a row"),
    (["--no-such-option"], 2, "Error: No such option"),
    (["a", "b"], 2, "Error: Got unexpected extra argument"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "expected"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_bad_input_gets_one_line_and_leaves_no_run(
    arguments: list[str], code: int, expected: str, nn: Command, small: Path
) -> None:
    outcome = nn("train", *(str(small) if argument == "SMALL" else argument for argument in arguments))
    assert outcome.code == code
    assert expected in outcome.error
    assert not Path("runs").exists()


def test_quoted_escape_sequences_do_not_reach_the_terminal(nn: Command) -> None:
    outcome = nn("train", "\x1b[31mred\nline")
    assert outcome.code == 2
    assert "\x1b" not in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_the_quickstart_needs_no_network(nn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("the network is switched off")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    outcome = nn("train", "quickstart", "--set", "training.epochs=1")
    assert outcome.code == 0


def test_the_summary_names_distortions_and_warm_up(nn: Command, small: Path) -> None:
    options = [
        "augmentation={elastic: {sigma: 4.0, alpha: 34.0}, rotation: 7.5, scaling: 0.15, shear: 0.1, shift: 2.0}"
    ]
    err = nn("train", small, *[f"--set={option}" for option in [*options, "training.warmup=2"]]).err
    assert "distort  elastic σ 4 α 34, rotation ±7.5°, scaling ±15%, shear ±0.1, shift ±2 px\n" in err
    assert "rate     0.5 constant, warmup 2, momentum 0.5\n" in err
    assert "distort" not in nn("train", small).err


def test_each_epochs_line_gives_the_remaining_time(nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reading moves the clock by a minute, so that an epoch takes a minute."""
    minutes = iter(range(0, 100_000, 60))
    monkeypatch.setattr("nn_cli.progress.time.monotonic", lambda: next(minutes))
    err = nn("train", small, "--set", "training.epochs=5").err
    lines = [line for line in err.splitlines() if re.match(r" *\d/5 ", line)]
    left = [line.split(" s ")[1].split() for line in lines]
    assert [words[0] if words and words[0] != "best" else "" for words in left] == ["", "03:00", "02:00", "01:00", ""]
    assert [line for line in lines if len(line) > 60 or line != line.rstrip()] == []
