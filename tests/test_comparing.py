"""Records of runs, the keys in which they differ, groups of runs and their statistics."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from conftest import Command
from filelock import FileLock
from run_maker import describe, make_run

from mnist_nn import Config, read_config
from mnist_nn.configuration.changes import changes
from mnist_nn.errors import ConfigError, RunError
from mnist_nn.runs.comparing import (
    RunRecord,
    differing_keys,
    group_by_setting,
    read_record,
    read_records,
    setting_keys,
    setting_text,
    settings_of,
)
from mnist_nn.runs.run_directory import RunDirectory
from mnist_nn.runs.selecting import find_key, parse_condition, short_names, sort_records


def record(path: Path) -> RunRecord:
    return read_record(RunDirectory(path))


def inline(*inputs: list[float]) -> dict[str, Any]:
    return {"data": {"source": "inline", "inputs": list(inputs), "targets": [[0.0, 1.0] for _ in inputs]}}


# Records


def test_a_record_holds_the_best_epoch_and_all_seconds() -> None:
    found = record(make_run("run", accuracies=(0.5, 0.75, 0.625)))
    assert (found.status, found.epochs, found.seconds, found.accuracy) == ("finished", 3, 4.5, 0.75)
    assert found.accuracy_on == "validation"
    assert found.best is not None
    assert found.best.epoch == 2


def test_without_held_out_examples_the_accuracy_is_of_training() -> None:
    found = record(make_run("run", held_out=False, accuracies=(0.5, 0.75)))
    assert (found.accuracy, found.accuracy_on) == (0.75, "train")


def test_a_run_before_its_first_epoch_has_no_accuracy() -> None:
    found = record(make_run("run", accuracies=()))
    assert (found.epochs, found.seconds, found.accuracy, found.accuracy_on) == (0, 0, None, None)


def test_a_record_agrees_with_what_training_reported(nn: Command) -> None:
    nn("train", "chain", "--set", "training.epochs=4", "--run-dir", "run", "--quiet")
    found, described = record(Path("run")), RunDirectory(Path("run")).description()
    assert found.epochs == described["epochs"] == 4
    assert found.best is not None
    assert found.best.epoch == described["best"]["epoch"]
    assert found.settings == settings_of(read_config(Path("run/config.yaml")))


def test_a_run_is_running_while_its_lock_is_held() -> None:
    path = make_run("run", status="running")
    assert record(path).status == "stopped"  # there is no lock yet
    with FileLock(path / ".lock"):
        assert record(path).status == "running"
    assert (path / ".lock").exists()
    assert record(path).status == "stopped"


def test_looking_at_a_run_does_not_keep_it_from_training() -> None:
    run = RunDirectory(make_run("run", status="running"))
    with run.held():
        assert run.is_held()
    assert not run.is_held()
    with run.held():
        pass


@pytest.mark.parametrize("status", ["finished", "interrupted", "diverged"])
def test_only_a_running_run_can_be_stopped(status: str) -> None:
    assert record(make_run("run", status=status)).status == status


def test_runs_are_listed_as_they_were_started() -> None:
    for name, number in (("b", 2), ("a", 3), ("c", 1)):
        make_run(f"runs/{name}", number=number)
    (make_run("runs/bad") / "run.json").write_text("{")
    Path("runs/no-run").mkdir()
    Path("runs/.half-made").mkdir()
    Path("runs/.half-made/run.json").write_text("{}")
    assert [found.name for found in read_records(Path("runs"))] == ["c", "b", "a", "bad"]


def test_a_directory_without_runs_is_an_error() -> None:
    Path("empty").mkdir()
    with pytest.raises(
        RunError, match=r"^empty: there are no runs here yet; make one with `nn train quickstart`, or name"
    ):
        read_records(Path("empty"))
    with pytest.raises(
        RunError, match=r"^none: there is no such directory; make a run with `nn train quickstart`, or name a dir"
    ):
        read_records(Path("none"))


# The configuration in run.json


def test_run_json_holds_the_complete_configuration() -> None:
    values = {"w": {1: [[1.0, 2.0]]}, "b": {1: [0.5]}}
    config = {"network": {"sizes": [2, 1], "init": values}, "training": {"schedule": {"name": "step"}}}
    path = make_run("run", config)
    recorded = json.dumps(json.loads((path / "run.json").read_text())["config"])
    assert Config.model_validate_json(recorded) == read_config(path / "config.yaml")


def test_a_resumed_run_records_its_new_number_of_epochs(nn: Command) -> None:
    nn("train", "chain", "--set", "training.epochs=2", "--run-dir", "run", "--quiet")
    assert nn("train", "--resume", "run", "--set", "training.epochs=3", "--quiet").code == 0
    described = json.loads(Path("run/run.json").read_text())
    assert (described["config"]["training"]["epochs"], described["status"], described["epochs"]) == (3, "finished", 3)


def test_an_older_run_is_read_from_its_config_yaml() -> None:
    path = make_run("run", {"seed": 7})
    before = record(path)
    describe(path, config=...)
    assert record(path) == before


def test_resuming_an_older_run_records_its_configuration(nn: Command) -> None:
    nn("train", "chain", "--set", "training.epochs=2", "--run-dir", "run", "--quiet")
    before = json.loads(Path("run/run.json").read_text())["config"]
    describe(Path("run"), config=..., status="interrupted")
    assert nn("train", "--resume", "run", "--set", "training.epochs=3", "--quiet").code == 0
    after = json.loads(Path("run/run.json").read_text())["config"]
    assert [key for key, *_ in changes(after, before)] == ["training.epochs"]


# Damage

DAMAGED_DESCRIPTIONS = {
    '{"config": []}': "run.json: does not describe a run: config: []: Input should be an object",
    '{"config": {"seed": "1"}}': "run.json: does not describe a run: config.seed: '1': Input should be a valid integer",
    '{"config": {"seed": 1e300}}': "run.json: does not describe a run: config.seed: 1e+300: Input should be a valid integer",
    '{"config": {"\\u001b[31m": 1}}': "run.json: does not describe a run: config.\\x1b[31m: 1: Extra inputs are not permitted",
    '{"config": {"network": {"sizes": [4, "3"]}}}': "run.json: does not describe a run: config.network.sizes.1: '3': Input should be a valid integer",
    '{"recipe": "\\u001b[31m"}': "run.json: does not describe a run: recipe: '\\x1b[31m': Value error, must be printable",
    '{"status": "asleep"}': "run.json: does not describe a run: status: 'asleep': Input should be 'running'",
    '{"number": 1e300}': "run.json: does not describe a run: number: 1e+300: Input should be a valid integer",
    "[]": "run.json: does not describe a run: Input should be an object",
    "{": "run.json: does not describe a run: Invalid JSON",
    '{"config": ' + '{"a": ' * 10_000 + "1" + "}" * 10_001: "run.json: does not describe a run: ",
    '{"config": {"seed": ' + "9" * 5000 + "}}": "run.json: does not describe a run: ",
}  # fmt: skip


@pytest.mark.parametrize(
    "content", DAMAGED_DESCRIPTIONS, ids=lambda content: content[:40].encode("unicode_escape").decode()
)
def test_a_bad_run_json_gives_a_damaged_record(content: str) -> None:
    path = make_run("run")
    (path / "run.json").write_text(content)
    found = record(path)
    assert (found.status, found.settings) == ("damaged", {})
    assert DAMAGED_DESCRIPTIONS[content] in found.damage
    assert found.damage.isprintable()
    assert len(found.damage) < 400


def test_a_bad_config_yaml_of_an_older_run_is_damage() -> None:
    path = make_run("run")
    describe(path, config=...)
    (path / "config.yaml").write_text("seed: x\n")
    found = record(path)
    assert (found.status, found.recipe) == ("damaged", "small")
    assert found.damage == "run/config.yaml:1: seed: 'x': must be a valid integer, ≥ 0 and < 9223372036854775808"


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        (4, "1.5", "epoch 1: train_accuracy is 1.5"),
        (6, "-0.5", "epoch 1: validation_accuracy is -0.5"),
        (6, "", "epoch 1: validation_accuracy is missing"),
        (3, "", "epoch 1: train_cost is missing"),
        (7, "1e300", "epoch 1: seconds is 1e300"),
        (7, "-1.0", "epoch 1: seconds is -1.0"),
        (7, "nan", "nan is not a finite number"),
        (3, "\x1b[31m", r"could not convert string to float: '\x1b[31m'"),
    ],
)
def test_bad_metrics_give_a_damaged_record_with_settings(column: int, value: str, reason: str) -> None:
    path = make_run("run")
    header, row = (path / "metrics.csv").read_text().splitlines()
    cells = row.split(",")
    cells[column] = value
    (path / "metrics.csv").write_text(f"{header}\n{','.join(cells)}\n")
    found = record(path)
    assert (found.status, found.epochs, found.settings["seed"]) == ("damaged", 0, 0)
    assert found.damage == f"run/metrics.csv: is damaged, or cannot be read: {reason}"


def test_a_row_being_written_is_not_counted_yet() -> None:
    path = make_run("run", accuracies=(0.5, 0.75))
    content = (path / "metrics.csv").read_text()
    (path / "metrics.csv").write_text(content[:-10])
    assert (record(path).status, record(path).epochs) == ("finished", 1)


# The settings in which runs differ


def test_the_keys_are_those_of_config_yaml_without_data_dir() -> None:
    config = Config.model_validate(inline([1.0, 0.0]) | {"network": {"sizes": [2, 2]}})
    other = Config.model_validate({"seed": 1, "dtype": "float64"})
    keys = setting_keys()
    assert "data.dir" not in keys
    assert {key for key, *_ in changes(config.plain(), other.plain())} <= set(keys)
    assert len(set(keys)) == len(keys)


def test_runs_differ_in_the_keys_that_differ() -> None:
    first = make_run("a", {"data": {"dir": "here"}, "training": {"learning_rate": 0.5}})
    second = make_run("b", {"data": {"dir": "there"}, "training": {"learning_rate": 0.25}})
    third = make_run("c", {"network": {"sizes": [4, 2]}, "training": {"learning_rate": 0.5}})
    assert differing_keys([record(first), record(second)]) == ["training.learning_rate"]
    assert differing_keys(map(record, (first, second, third))) == ["network.sizes", "training.learning_rate"]
    assert differing_keys([record(first)]) == []
    assert differing_keys([]) == []


def test_a_damaged_run_differs_in_no_key() -> None:
    (make_run("runs/bad") / "run.json").write_text("{")
    make_run("runs/a")
    make_run("runs/b", {"seed": 1})
    assert differing_keys(read_records(Path("runs"))) == ["seed"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (0.1, "0.1"),
        ("cosine", "cosine"),
        ([784, 30, 10], "784-30-10"),
        ({"name": "step", "every": 10, "factor": 0.1}, "step(every=10, factor=0.1)"),
        ([[0.0] * 784] * 60, "60×784 #a161af"),
        ({"w": {1: [[1.0]]}, "b": {1: [0.0]}}, "given #4b18d2"),
    ],
)
def test_a_setting_is_a_few_characters(value: object, text: str) -> None:
    assert setting_text(value) == text


# Groups


def test_runs_that_differ_in_the_seed_are_one_group() -> None:
    accuracies = {"a": (0, 0.5), "b": (1, 0.75), "c": (2, 0.625)}
    for name, (seed, accuracy) in accuracies.items():
        make_run(f"runs/{name}", {"seed": seed, "data": {"dir": name}}, accuracies=(accuracy,))
    make_run("runs/d", {"training": {"momentum": 0.5}}, accuracies=(0.875,))
    best, rest = group_by_setting(read_records(Path("runs")))
    assert [found.name for found in best.records] == ["d"]
    assert (best.mean, best.deviation) == (0.875, None)
    assert [found.name for found in rest.records] == ["a", "b", "c"]
    assert rest.mean == 0.625
    assert rest.deviation == statistics.stdev([0.5, 0.75, 0.625]) == 0.125
    assert "seed" not in rest.settings


def test_groups_without_any_accuracy_come_last() -> None:
    make_run("runs/a", {"seed": 1}, accuracies=(), status="diverged")
    make_run("runs/b", {"dtype": "float64"}, accuracies=(0.0,))
    first, last = group_by_setting(read_records(Path("runs")))
    assert (first.mean, last.mean, last.deviation) == (0.0, None, None)


def test_damaged_runs_are_in_no_group() -> None:
    (make_run("runs/a") / "metrics.csv").write_text("")
    assert group_by_setting(read_records(Path("runs"))) == []


def test_runs_on_other_examples_are_another_group() -> None:
    make_run("runs/a", data={"sha256": "aa"})
    make_run("runs/b", {"seed": 1}, data={"sha256": "bb"})
    assert len(group_by_setting(read_records(Path("runs")))) == 2


# Keys, conditions and order


def test_short_names_are_unambiguous_and_understood() -> None:
    names = short_names()
    assert len(set(names.values())) == len(names)
    assert names["training.learning_rate"] == "learning_rate"
    assert names["training.epochs"] == "training.epochs"  # `epochs` are those of the run
    assert names["data.validation"] == "data.validation"  # `validation` reads like an accuracy
    for key, name in names.items():
        assert find_key(name, "") == find_key(key, "") == key


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("lr", "learning_rate"), ("learning-rate", "learning_rate"), ("training.learning_rat", "learning_rate"),
        ("hidden", "sizes"), ("validation", "accuracy"), ("best", "accuracy"), ("seconds", "time"), ("stat", "status"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_answered_with_the_nearest(word: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"^--sort {word}: unknown key; did you mean {meant}\\?$"):
        sort_records([], word)


def test_a_key_near_to_none_lists_the_columns() -> None:
    expected = "--sort qqq: unknown key; the keys are name, status, epochs, accuracy, test, time, and those of a configuration, which `nn config` prints"
    with pytest.raises(ConfigError) as error:
        sort_records([], "qqq")
    assert str(error.value) == expected


def test_conditions_compare_values_and_what_is_printed() -> None:
    found = record(make_run("run", {"training": {"learning_rate": 1.0, "schedule": {"name": "step"}}}))
    holding = [
        "learning_rate=1", "training.learning_rate=1e0", "sizes=4-3-2", "network.sizes=[4, 3, 2]", "status=finished",
        "early_stopping=null", "gradient_norms=false", "compiled=null", "schedule=step(every=10, factor=0.1)", "seed = 0", "epochs=1", "name=run",
        "schedule={name: step, every: 10, factor: 0.1}", "accuracy=0.5", "time=1.5",
    ]  # fmt: skip
    for condition in holding:
        assert parse_condition(condition).holds_for(found), condition
    for condition in ("learning_rate=2", "seed=false", "gradient_norms=0", "momentum=null", "status=running", "name=1"):
        assert not parse_condition(condition).holds_for(found), condition


def test_a_damaged_run_has_no_setting() -> None:
    path = make_run("run")
    (path / "run.json").write_text("{")
    assert not parse_condition("early_stopping=null").holds_for(record(path))
    assert parse_condition("status=damaged").holds_for(record(path))


def test_runs_are_sorted_by_any_key_in_both_directions() -> None:
    make_run("runs/a", {"network": {"sizes": [4, 30, 2]}}, accuracies=(0.5,), number=1)
    make_run("runs/b", {"network": {"sizes": [4, 100, 2]}}, accuracies=(0.25,), number=2)
    make_run("runs/c", {"network": {"sizes": [4, 5, 2]}}, accuracies=(), number=3)
    make_run("runs/d", {"training": {"schedule": {"name": "step"}}}, accuracies=(0.5,), number=4)
    records = read_records(Path("runs"))

    def names(order: str) -> str:
        return "".join(found.name for found in sort_records(records, order))

    assert names("accuracy") == "badc"  # a run without accuracy is last
    assert names("-accuracy") == "adbc"
    assert names("sizes") == "dcab"
    assert names("-network.sizes") == "bacd"
    assert names("schedule") == "abcd"
    assert names("-name") == "dcba"
