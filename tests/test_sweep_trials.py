"""Trials of a sweep: trained once, resumed with the same bits, repeated when they fail, and left when they have ended."""

import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import Command
from filelock import FileLock
from nn_cli.sweeping import trial as trial_module
from nn_cli.sweeping.driver import Ended, run_trials
from nn_cli.sweeping.engines import Engine
from nn_cli.sweeping.trial import Task, train_trial

from data_scripts.idx import write_idx
from data_scripts.synthetic import draw_digits
from mnist_nn import Config, read_config
from mnist_nn.errors import RunError
from mnist_nn.sweeps.plan import Plan, Trial, trials
from mnist_nn.sweeps.sweep_directory import SweepDirectory

RATE = "training.learning_rate"


class Here(Executor):
    """Runs everything at once in this process. `fails` gets the name and the attempt, and may raise an error."""

    def __init__(self, fails: Callable[[str, int], object] = lambda name, attempt: None) -> None:
        self.fails, self.attempts = fails, Counter[str]()

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        (task,), future = arguments, Future[Any]()
        self.attempts[task.name] += 1
        try:
            if self.fails(task.name, self.attempts[task.name]) != "skip":
                function(task)
            future.set_result(None)
        except Exception as error:
            future.set_exception(error)
        return future


def begin(small: Path, name: str = "a", *overrides: str, grid: Any = None, seeds: int = 1) -> SweepDirectory:
    """A new sweep, by default of two learning rates."""
    plan = Plan(config=[str(small)], grid={RATE: [0.5, 2]} if grid is None else grid, seeds=seeds)
    return SweepDirectory.create(
        Path("sweeps", name), plan.resolve(lambda _, own: ("small", read_config(small, own)), overrides)
    )


def listed(sweep: SweepDirectory) -> list[Trial]:
    return trials(sweep.plan())


def run(sweep: SweepDirectory, executor: Executor | None = None) -> list[Ended]:
    """Run all trials as the command does, and return what became of them."""
    with sweep.held():
        return [event for event in run_trials(Engine(executor or Here()), sweep, listed(sweep)) if event]


def train(task: Task) -> None:
    """Train one trial, as a process of a sweep that runs."""
    with SweepDirectory(task.sweep).held():
        train_trial(task)


def task_of(of: SweepDirectory, trial: Trial, **changed: Any) -> Task:
    parts = {"sweep": of.path.absolute(), "name": trial.name, "recipe": trial.recipe, "number": trial.number}
    return Task(**{**parts, "config": trial.config.plain(), **changed})


def described(sweep: SweepDirectory, trial: Trial) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((sweep.path / trial.name / "run.json").read_text())
    return found


def results(sweep: SweepDirectory) -> dict[str, tuple[str, str, list[str]]]:
    """Status, fingerprint and figures of each trial, by its name."""
    found = {}
    for file in sweep.path.glob("*/run.json"):
        values = json.loads(file.read_text())
        rows = [line.rpartition(",")[0] for line in (file.parent / "metrics.csv").read_text().splitlines()]
        found[file.parent.name] = (values["status"], values.get("fingerprint", ""), rows)
    return found


def interrupt(task: Task, looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train a trial until it has looked for a request to stop this many times."""
    seen = Counter[str]()

    def is_asked(_: SweepDirectory) -> bool:
        seen["looks"] += 1
        return seen["looks"] > looks

    with monkeypatch.context() as patch:
        patch.setattr(SweepDirectory, "is_asked_to_stop", is_asked)
        patch.setattr(trial_module, "LOOK", 0.0)
        patch.setattr("mnist_nn.training.loop.SLICE_STEPS", 1)  # it looks after each slice of steps
        train(task)


def test_a_trial_is_the_run_of_its_configuration(nn: Command, small: Path) -> None:
    sweep = begin(small)
    assert sorted(event.trial.number for event in run(sweep)) == [1, 2]
    for trial in listed(sweep):
        values = described(sweep, trial)
        assert (values["status"], values["recipe"], values["number"]) == ("finished", "small", trial.number)
        assert Config.model_validate(values["config"]) == trial.config
        assert nn("train", sweep.path / trial.name / "config.yaml", "--run-dir", "by-hand", "--quiet").code == 0
        assert json.loads(Path("by-hand/run.json").read_text())["fingerprint"] == values["fingerprint"]
        shutil.rmtree("by-hand")


def test_trials_that_have_ended_are_left_as_they_are(small: Path) -> None:
    sweep = begin(small)
    run(sweep)
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in sweep.path.rglob("*") if file.is_file()}
    assert all(not event.reason for event in run(sweep))
    assert {f: (f.read_bytes(), f.stat().st_mtime_ns) for f in sweep.path.rglob("*") if f.is_file()} == before


@pytest.mark.parametrize("looks", [1, 2, 17, 25, 47])
def test_a_resumed_trial_has_the_bits_of_an_uninterrupted_one(
    looks: int, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before its first step, within an epoch, at the end of one, and shortly before the end."""
    whole, stopped = begin(small, "whole"), begin(small, "stopped")
    run(whole)
    (trial, _) = listed(stopped)
    interrupt(task_of(stopped, trial), looks, monkeypatch)
    assert described(stopped, trial)["status"] == "interrupted"
    assert len(run(stopped)) == 2
    assert results(stopped) == results(whole)


def test_a_trial_is_resumed_again_and_again(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, stopped = begin(small, "whole", grid={}), begin(small, "stopped", grid={})
    run(whole)
    (trial,) = listed(stopped)
    lives = 0
    while not results(stopped) or described(stopped, trial)["status"] == "interrupted":
        interrupt(task_of(stopped, trial), 9, monkeypatch)
        lives += 1
    assert lives == 6
    assert results(stopped) == results(whole)


# Failures


def test_a_failing_trial_is_tried_three_times_and_named(small: Path) -> None:
    sweep, executor = begin(small), Here()
    bad, good = listed(sweep)
    (sweep.path / bad.name).mkdir()
    (sweep.path / bad.name / "run.json").write_text("{")
    events = {event.trial.name: event.reason for event in run(sweep, executor)}
    assert executor.attempts == {bad.name: 3, good.name: 1}
    assert events.pop(good.name) == ""
    (reason,) = events.values()
    assert reason.startswith(f"{sweep.path.absolute()}/{bad.name}/run.json: does not describe a run: Invalid JSON")
    assert described(sweep, good)["status"] == "finished"


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), BrokenProcessPool("abruptly"), MemoryError(), ValueError("x")]
)
def test_an_error_that_goes_away_is_no_failure(error: Exception, small: Path) -> None:
    def fails(_: str, attempt: int) -> None:
        if attempt < 3:
            raise error

    sweep, executor = begin(small), Here(fails)
    assert [event.reason for event in run(sweep, executor)] == ["", ""]
    assert list(executor.attempts.values()) == [3, 3]
    assert {status for status, *_ in results(sweep).values()} == {"finished"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device", "f"), "f: No space left on device"),
        (BrokenProcessPool("abruptly"), "its process was killed, perhaps because the memory was full"),
        (ValueError("two\nlines"), "ValueError: two lines"),
    ],
)
def test_the_reason_of_a_failure_is_one_line(error: Exception, reason: str, small: Path) -> None:
    def fails(*_: object) -> None:
        raise error

    assert [event.reason for event in run(begin(small), Here(fails))] == [reason, reason]


def test_an_error_after_the_end_of_a_trial_is_no_failure(small: Path) -> None:
    """As when its process is killed between its last save and its answer."""

    class Late(Here):
        def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
            super().submit(function, *arguments)
            future = Future[Any]()
            future.set_exception(BrokenProcessPool())
            return future

    executor = Late()
    assert [event.reason for event in run(begin(small), executor)] == ["", ""]
    assert list(executor.attempts.values()) == [1, 1]


def test_a_diverged_trial_has_ended_and_is_no_failure(small: Path) -> None:
    overrides = ("network.activation=relu", "network.output=identity", "training.epochs=2")
    sweep, executor = begin(small, "a", *overrides, grid={RATE: [1e-3, 1e30]}), Here()
    assert [event.reason for event in run(sweep, executor)] == ["", ""]
    statuses = {t.config.training.learning_rate: described(sweep, t)["status"] for t in listed(sweep)}
    assert statuses == {1e-3: "finished", 1e30: "diverged"}
    before = results(sweep)
    run(sweep, executor)
    assert results(sweep) == before
    again = begin(small, "b", *overrides, grid={RATE: [1e30]})
    train(task_of(again, listed(again)[0]))  # raises nothing
    assert before.items() >= results(again).items()


def test_a_machine_that_sees_another_directory_is_named(small: Path) -> None:
    sweep = begin(small)
    events = run(sweep, Here(lambda *_: "skip"))
    expected = "sweeps/a: is another directory there; put it on a disk that all machines share"
    assert [event.reason for event in events] == [expected, expected]


def test_a_machine_that_does_not_see_the_directory_is_named(small: Path, tmp_path: Path) -> None:
    sweep = begin(small)
    task = task_of(sweep, listed(sweep)[0], sweep=tmp_path / "elsewhere")
    with pytest.raises(RunError, match="elsewhere: cannot be seen from this machine; put it on a disk that all machi"):
        train_trial(task)
    assert not (tmp_path / "elsewhere").exists()


def test_a_machine_that_does_not_see_the_lock_is_named(small: Path) -> None:
    """It could train a trial twice at a time. So could a process that outlived its command."""
    sweep = begin(small)
    task = task_of(sweep, listed(sweep)[0])
    with pytest.raises(
        RunError, match=r"sweeps/a: its lock is not seen on .*: the command has ended, or the disk carries"
    ):
        train_trial(task)
    assert results(sweep) == {}


def test_a_lost_engine_ends_the_sweep_with_the_way_out(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lost(Executor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            return Future()

    monkeypatch.setattr("nn_cli.sweeping.driver.TICK", 0.01)
    sweep, answers = begin(small), iter([True, True, False])
    events = run_trials(Engine(Lost(), lambda: next(answers)), sweep, listed(sweep))
    assert [next(events), next(events)] == [None, None]
    with pytest.raises(click.ClickException) as raised:
        next(events)
    assert raised.value.message == (
        "the scheduler is lost; what was saved is intact: continue with `nn sweep --resume a`"
    )


# Another configuration, other data


@pytest.fixture
def stopped(small: Path, monkeypatch: pytest.MonkeyPatch) -> SweepDirectory:
    """A sweep whose first trial was interrupted in its second epoch."""
    sweep = begin(small)
    interrupt(task_of(sweep, listed(sweep)[0]), 20, monkeypatch)
    return sweep


def test_a_trial_with_another_configuration_is_refused(stopped: SweepDirectory) -> None:
    trial, other = listed(stopped)
    (stopped.path / trial.name).rename(stopped.path / other.name)
    with pytest.raises(RunError) as raised:
        train(task_of(stopped, other))
    assert str(raised.value) == (
        f"{stopped.path.absolute()}/{other.name}: was trained with another configuration; remove it to train this "
        "trial anew"
    )


def test_a_trial_on_other_data_is_refused(stopped: SweepDirectory, digits: Path) -> None:
    (trial, _), other = listed(stopped), Path("other")
    shutil.copytree(digits, other)
    images, labels = draw_digits(300, 8, "train")
    write_idx(other / "train-images-idx3-ubyte.gz", images)
    write_idx(other / "train-labels-idx1-ubyte", labels)
    config = trial.config.plain()
    config["data"]["dir"] = str(other.absolute())
    before = results(stopped)
    with pytest.raises(RunError, match="was trained on other data; every machine needs the same data"):
        train(task_of(stopped, trial, config=config))
    assert results(stopped) == before


def test_the_same_data_may_be_elsewhere(stopped: SweepDirectory, small: Path, digits: Path) -> None:
    whole = begin(small, "whole")
    run(whole)
    shutil.copytree(digits, "moved")
    for trial in listed(stopped):
        config = trial.config.plain()
        config["data"]["dir"] = str(Path("moved").absolute())
        train(task_of(stopped, trial, config=config))
    assert results(stopped) == results(whole)


def test_a_trial_without_its_best_checkpoint_is_refused(stopped: SweepDirectory) -> None:
    trial = listed(stopped)[0]
    (stopped.path / trial.name / "checkpoints/best.safetensors").unlink()
    with pytest.raises(RunError, match=r"best\.safetensors: is missing, but epoch 1 was the best so far"):
        train(task_of(stopped, trial))


# Stopping, and locks


def test_a_sweep_asked_to_stop_starts_no_trial(small: Path) -> None:
    sweep = begin(small)
    with sweep.held():
        sweep.ask_to_stop()
        assert list(run_trials(Engine(Here()), sweep, listed(sweep))) == []
    assert results(sweep) == {}


def test_a_sweep_stops_between_trials_and_finishes_later(small: Path) -> None:
    whole, sweep = begin(small, "whole", seeds=2), begin(small, "a", seeds=2)
    run(whole)

    def stop_before_the_third(*_: object) -> None:
        if sum(executor.attempts.values()) == 3:
            sweep.ask_to_stop()

    executor = Here(stop_before_the_third)
    assert len(run(sweep, executor)) == 2
    assert len(results(sweep)) == 2
    assert len(run(sweep)) == 4
    assert results(sweep) == results(whole)


def test_an_error_while_stopping_is_no_failure(small: Path) -> None:
    sweep = begin(small)

    def fails(*_: object) -> None:
        sweep.ask_to_stop()
        raise BrokenProcessPool

    executor = Here(fails)
    assert run(sweep, executor) == []
    assert list(executor.attempts.values()) == [1, 1]


def test_a_trial_waits_for_a_process_that_outlived_its_command(stopped: SweepDirectory) -> None:
    trial = listed(stopped)[0]
    thread = threading.Thread(target=train_trial, args=(task_of(stopped, trial),))
    with stopped.held():
        with FileLock(stopped.path / trial.name / ".lock"):
            thread.start()
            thread.join(0.5)
            assert thread.is_alive()
            assert described(stopped, trial)["status"] == "interrupted"
        thread.join(30)
    assert described(stopped, trial)["status"] == "finished"


def test_a_waiting_trial_hears_the_request_to_stop(stopped: SweepDirectory) -> None:
    trial = listed(stopped)[0]
    thread = threading.Thread(target=train_trial, args=(task_of(stopped, trial),))
    with stopped.held(), FileLock(stopped.path / trial.name / ".lock"):
        thread.start()
        stopped.ask_to_stop()
        thread.join(30)
        assert not thread.is_alive()
    assert described(stopped, trial)["status"] == "interrupted"


def test_a_process_trains_one_trial_at_a_time(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of threads of the BLAS belongs to the whole process."""
    sweep, inside, most = begin(small), Counter[str](), []
    original = trial_module._train

    def watched(*arguments: Any) -> None:
        inside["now"] += 1
        most.append(inside["now"])
        original(*arguments)
        inside["now"] -= 1

    monkeypatch.setattr(trial_module, "_train", watched)
    threads = [threading.Thread(target=train_trial, args=(task_of(sweep, trial),)) for trial in listed(sweep)]
    with sweep.held():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert most == [1, 1]
    assert {status for status, *_ in results(sweep).values()} == {"finished"}
